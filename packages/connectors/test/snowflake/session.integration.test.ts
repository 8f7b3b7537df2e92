import { generateKeyPairSync } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Redacted } from "effect"
import { layer } from "../../src/snowflake/Snowflake.ts"
import { type Session, Warehouse } from "../../src/warehouse/Warehouse.ts"
import { account } from "./Fixture.ts"

const ready = Effect.gen(function* () {
  const fixture = yield* account()
  const session = yield* fixture.session()
  yield* session.execute("CREATE TABLE northstar.t (k NUMBER(38,0), v VARCHAR)")
  return { ...fixture, open: fixture.session, session }
})

const rowsOf = (session: Session) => session.query("SELECT k, v FROM northstar.t ORDER BY k")
const count = (session: Session) =>
  Effect.map(session.query("SELECT count(*) AS n FROM northstar.t"), ([row]) => Number(row?.["n"]))

describe("a session on the local Snowflake", () => {
  it.live("values keep every digit", () =>
    Effect.gen(function* () {
      const { session } = yield* ready
      const [row] = yield* session.query(
        `SELECT CAST('12345678901234567890123456789012345.678' AS NUMBER(38,3)) AS amount, CAST(1.5 AS FLOAT) AS f, TRUE AS b,
         CAST('2025-11-23' AS DATE) AS d, CAST(NULL AS NUMBER(38,0)) AS nothing, ? AS text, ? AS n`,
        ["it's é", 7]
      )
      assert.deepStrictEqual(row, {
        amount: "12345678901234567890123456789012345.678",
        f: 1.5,
        b: true,
        d: "2025-11-23",
        nothing: null,
        text: "it's é",
        n: "7"
      })
    })
  )

  it.live("changed rows are counted, and rows are kept by COMMIT alone", () =>
    Effect.gen(function* () {
      const { session } = yield* ready
      assert.strictEqual(yield* session.execute("INSERT INTO northstar.t VALUES (1, 'a'), (2, 'b')"), 2)
      assert.strictEqual(yield* session.execute("UPDATE northstar.t SET v = 'c' WHERE k = 2"), 1)
      const failing = session.transaction(
        Effect.andThen(session.execute("DELETE FROM northstar.t"), Effect.fail("no" as const))
      )
      assert.strictEqual(yield* Effect.flip(failing), "no")
      const fiber = yield* Effect.forkChild(
        session.transaction(Effect.andThen(session.execute("DELETE FROM northstar.t"), Effect.never))
      )
      yield* Effect.sleep("200 millis")
      yield* Fiber.interrupt(fiber)
      yield* session.transaction(session.execute("INSERT INTO northstar.t VALUES (3, NULL)"))
      assert.deepStrictEqual(yield* rowsOf(session), [
        { k: "1", v: "a" },
        { k: "2", v: "c" },
        { k: "3", v: null }
      ])
    })
  )

  it.live("an interruption cancels what runs, and the session goes on", () =>
    Effect.gen(function* () {
      const { session, local } = yield* ready
      local.faults.add({ kind: "slow", delayMs: 60_000, matches: /'slow'/ })
      const fiber = yield* Effect.forkChild(session.execute("INSERT INTO northstar.t VALUES (1, 'slow')"))
      yield* Effect.sleep("200 millis")
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* count(session), 0)
    })
  )

  for (const fault of [
    { kind: "drop", when: "after" },
    { kind: "drop", when: "before" },
    { kind: "status", when: "after", status: 400 },
    { kind: "status", when: "before", status: 503 }
  ] as const) {
    it.live(`INSERT and COMMIT are executed once under ${JSON.stringify(fault)}`, () =>
      Effect.gen(function* () {
        const { session, local } = yield* ready
        local.faults.add({ ...fault, matches: /^INSERT/, times: 1 })
        local.faults.add({ ...fault, matches: /^COMMIT/, times: 1 })
        assert.strictEqual(yield* session.transaction(session.execute("INSERT INTO northstar.t VALUES (1, 'a')")), 1)
        assert.strictEqual(local.faults.struck[fault.kind], 2)
        assert.deepStrictEqual(yield* rowsOf(session), [{ k: "1", v: "a" }])
      })
    )
  }

  it.live("with one answer in five lost, fifty transactions are executed once each", () =>
    Effect.gen(function* () {
      const { session, local } = yield* ready
      local.faults.add({ kind: "status", when: "after", status: 400, probability: 0.2 })
      for (let key = 0; key < 50; key++) {
        yield* session.transaction(session.execute("INSERT INTO northstar.t VALUES (?, 'a')", [key]))
      }
      local.faults.clear()
      assert.isAbove(local.faults.struck.status, 10)
      assert.deepStrictEqual(yield* session.query("SELECT count(*) AS n, count(DISTINCT k) AS d FROM northstar.t"), [
        { n: "50", d: "50" }
      ])
    })
  )

  it.live("a COMMIT whose answers are all lost has an unknown outcome; the next session reads what was committed", () =>
    Effect.gen(function* () {
      const { session, open, local } = yield* ready
      const stop = local.faults.add({ kind: "status", when: "after", status: 400, matches: /^COMMIT/ })
      const insert = (into: Session) => into.transaction(into.execute("INSERT INTO northstar.t VALUES (1, 'a')"))
      const error = yield* Effect.flip(insert(session))
      stop()
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.match(error.detail, /outcome unknown/)
      assert.match((yield* Effect.flip(rowsOf(session))).detail, /outcome unknown/)
      assert.deepStrictEqual(yield* rowsOf(yield* open()), [{ k: "1", v: "a" }])
    })
  )
})

describe("sessions that are lost", () => {
  for (const [matches, expected] of [
    [/^COMMIT/, /outcome unknown/],
    [/^INSERT/, /nothing of it was committed/]
  ] as const) {
    it.live(`a detached session at ${matches.source} holds no lock longer than until the next session`, () =>
      Effect.gen(function* () {
        const { local, session: open } = yield* account()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const first = yield* open()
            yield* first.execute("CREATE TABLE northstar.t (k NUMBER(38,0), v VARCHAR)")
            yield* first.execute("INSERT INTO northstar.t VALUES (1, 'a')")
            local.faults.add({ kind: "gone", detached: true, matches, times: 1 })
            const error = yield* Effect.flip(
              first.transaction(
                Effect.andThen(
                  first.execute("UPDATE northstar.t SET v = 'b'"),
                  first.execute("INSERT INTO northstar.t VALUES (2, 'b')")
                )
              )
            )
            assert.strictEqual(error.reason._tag, "Unavailable")
            assert.match(error.detail, expected)
          })
        )
        const next = yield* open({ lockTimeoutSeconds: 5 })
        yield* next.transaction(next.execute("UPDATE northstar.t SET v = 'c'"))
        assert.deepStrictEqual(yield* rowsOf(next), [{ k: "1", v: "c" }])
      })
    )
  }

  it.live("an expired session token is renewed without a word, an expired session is not", () =>
    Effect.gen(function* () {
      const { session, local } = yield* ready
      local.advance(Duration.minutes(70))
      assert.strictEqual(yield* count(session), 0)
      local.advance(Duration.hours(5))
      assert.strictEqual((yield* Effect.flip(count(session))).reason._tag, "Unavailable")
    })
  )

  it.live("the layer connects when a session is opened, not before", () =>
    Effect.gen(function* () {
      const { local, config } = yield* account()
      const used = Effect.gen(function* () {
        const warehouse = yield* Warehouse
        assert.strictEqual(local.sessions().length, 0)
        return yield* Effect.scoped(Effect.flatMap(warehouse.session, (opened) => opened.query("SELECT 1 AS one")))
      })
      assert.deepStrictEqual(yield* Effect.provide(used, layer(config)), [{ one: "1" }])
      assert.isTrue([...local.warehouses().values()].every(({ resumes }) => resumes === 0))
    })
  )

  it.live("a closed scope closes the session at Snowflake", () =>
    Effect.gen(function* () {
      const { local, session } = yield* account()
      yield* Effect.scoped(
        Effect.andThen(
          session(),
          Effect.sync(() => assert.strictEqual(local.sessions().length, 1))
        )
      )
      assert.strictEqual(local.sessions().length, 0)
    })
  )
})

describe("what can be wrong with an account", () => {
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "pem", type: "pkcs8" })

  for (const [name, changes, reason, words] of [
    ["a wrong key", { privateKey: Redacted.make(other.toString()) }, "Unauthorized", /refused the key of user ADMIN/],
    ["an unknown user", { user: "nobody" }, "Unauthorized", /refused the key of user nobody/],
    ["a role that the user does not have", { role: "NO_SUCH_ROLE" }, "Unauthorized", /role NO_SUCH_ROLE/],
    ["a missing warehouse", { warehouse: "NO_SUCH_WH" }, "Misconfigured", /NO_SUCH_WH.*warehouse apply/]
  ] as const) {
    it.live(`${name} is ${reason}, with what to do`, () =>
      Effect.gen(function* () {
        const { session, local } = yield* account()
        yield* local.execute("CREATE TABLE northstar.northstar.t (k NUMBER(38,0))")
        const use = Effect.flatMap(session(changes), (opened) => opened.query("SELECT k FROM northstar.t"))
        const error = yield* Effect.flip(use)
        assert.strictEqual(error.reason._tag, reason)
        assert.match(error.message, words)
      })
    )
  }

  it.live("a missing table, a duplicate key and a value that does not fit have each their reason", () =>
    Effect.gen(function* () {
      const { session } = yield* ready
      yield* session.execute("INSERT INTO northstar.t VALUES (1, 'a')")
      const reasonOf = (sql: string, of: Session = session) =>
        Effect.map(Effect.flip(of.execute(sql)), (error) => {
          assert.notInclude(error.message, "hunter2")
          return error.reason._tag
        })
      assert.strictEqual(yield* reasonOf("INSERT INTO northstar.missing VALUES ('hunter2')"), "Misconfigured")
      assert.strictEqual(
        yield* reasonOf("INSERT INTO northstar.t SELECT CAST('hunter2' AS NUMBER(38,0)), 'x'"),
        "InvalidData"
      )
      assert.strictEqual(
        yield* reasonOf(`MERGE INTO northstar.t USING (SELECT column1 AS k, column2 AS v FROM VALUES (1, 'hunter2'), (1, 'y')) AS s
          ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v`),
        "InvalidData"
      )
      assert.deepStrictEqual(yield* rowsOf(session), [{ k: "1", v: "a" }])
    })
  )

  it.live("a suspended warehouse and a missing grant say what to do", () =>
    Effect.gen(function* () {
      const { local, open, config } = yield* ready
      yield* local.execute("CREATE ROLE outsider")
      yield* local.execute(`GRANT ROLE outsider TO USER ${config.user}`)
      yield* local.execute("GRANT USAGE ON DATABASE northstar TO ROLE outsider")
      yield* local.execute("GRANT USAGE ON SCHEMA northstar.northstar TO ROLE outsider")
      yield* local.execute("GRANT USAGE ON WAREHOUSE load_wh TO ROLE outsider")
      const denied = yield* Effect.flip(Effect.flatMap(open({ role: "OUTSIDER" }), count))
      assert.include(["Unauthorized", "Misconfigured"], denied.reason._tag)
      assert.match(denied.message, /OUTSIDER.*warehouse apply/)
      yield* local.execute("ALTER WAREHOUSE load_wh SET AUTO_RESUME = FALSE")
      yield* local.execute("ALTER WAREHOUSE load_wh SUSPEND")
      const suspended = yield* Effect.flip(Effect.flatMap(open(), count))
      assert.strictEqual(suspended.reason._tag, "Misconfigured")
      assert.match(suspended.message, /LOAD_WH/)
    })
  )

  it.live("waiting for a lock beyond the lock timeout is Busy", () =>
    Effect.gen(function* () {
      const { session: open } = yield* account()
      const holder = yield* open()
      const waiter = yield* open({ lockTimeoutSeconds: 1 })
      yield* holder.execute("CREATE TABLE northstar.t (k NUMBER(38,0), v VARCHAR)")
      yield* holder.execute("INSERT INTO northstar.t VALUES (1, 'a')")
      const update = "UPDATE northstar.t SET v = 'b'"
      const exit = yield* holder.transaction(
        Effect.andThen(holder.execute(update), Effect.flip(waiter.execute(update)))
      )
      assert.strictEqual(exit.reason._tag, "Busy")
    })
  )

  it.live("a statement beyond its timeout is Unavailable", () =>
    Effect.gen(function* () {
      const { local, session: open } = yield* account()
      const session = yield* open({ statementTimeoutSeconds: 1 })
      local.faults.add({ kind: "slow", delayMs: 60_000, matches: /slow/ })
      const error = yield* Effect.flip(session.query("SELECT 'slow' AS a"))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.match(error.message, /statementTimeoutSeconds/)
    })
  )

  it.live("a result beyond rowsMax is InvalidData", () =>
    Effect.gen(function* () {
      const { session } = yield* ready
      yield* session.execute("INSERT INTO northstar.t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
      const exit = yield* Effect.exit(session.query("SELECT k FROM northstar.t", [], { rowsMax: 2 }))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual((yield* session.query("SELECT k FROM northstar.t", [], { rowsMax: 3 })).length, 3)
    })
  )
})
