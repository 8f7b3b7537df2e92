import { mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, type Scope } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { type Session, type SqlValue, Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import * as DuckDb from "@northstar/connectors/duckdb/DuckDb"
import { folder } from "./Process.ts"

const warehouse = (file: string) =>
  Effect.map(Layer.build(DuckDb.layer({ file, threads: 2 })), (context) => Context.get(context, Warehouse))

/** Two doors to one new file: the first owns it, the second goes through its socket. */
const doors = Effect.gen(function* () {
  const file = join(yield* folder, "warehouse.duckdb")
  return { file, owner: yield* warehouse(file), client: yield* warehouse(file) }
})

/** Says the same of a session of the owner and of a client. */
const atBothDoors = (
  name: string,
  check: (session: Session, another: Session) => Effect.Effect<void, ConnectorError, Scope.Scope>
) => {
  for (const door of ["owner", "client"] as const) {
    it.live(`${name} (${door})`, () =>
      Effect.gen(function* () {
        const opened = yield* doors
        yield* check(yield* opened[door].session, yield* opened[door === "owner" ? "client" : "owner"].session)
      })
    )
  }
}

const failure = <A, R>(effect: Effect.Effect<A, ConnectorError, R>) => Effect.orDie(Effect.flip(Effect.asVoid(effect)))

describe("values", () => {
  const cases: ReadonlyArray<readonly [type: string, given: SqlValue, expected: SqlValue]> = [
    ["BIGINT", "9223372036854775807", "9223372036854775807"],
    ["BIGINT", "-9223372036854775808", "-9223372036854775808"],
    ["BIGINT", 9007199254740991, "9007199254740991"],
    ["HUGEINT", "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"],
    ["DECIMAL(38,0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"],
    ["DECIMAL(5,2)", "1.10", "1.10"],
    ["INTEGER", -2147483648, -2147483648],
    ["INTEGER", null, null],
    ["DOUBLE", Number.NaN, Number.NaN],
    ["DOUBLE", Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ["DOUBLE", -0, -0],
    ["DOUBLE", 1e300, 1e300],
    ["BOOLEAN", true, true],
    ["VARCHAR", "🛒 Zoë ' \" \\ \n ?", "🛒 Zoë ' \" \\ \n ?"],
    ["VARCHAR", "", ""],
    ["DATE", "0044-03-15 (BC)", "0044-03-15 (BC)"],
    ["TIMESTAMP", "2026-03-29 02:30:00.123456", "2026-03-29 02:30:00.123456"],
    ["TIMESTAMP", "infinity", "infinity"],
    ["TIMESTAMPTZ", "2026-07-01 02:00:00.000001+02", "2026-07-01 00:00:00.000001+00"],
    ["TIMESTAMPTZ", "2026-07-01 02:00:00", "2026-07-01 02:00:00+00"],
    ["BLOB", "\\x00\\xFF", "\\x00\\xFF"],
    ["INTEGER[]", "[1, 2]", "[1, 2]"]
  ]
  atBothDoors("every value comes back as it went in", (session) =>
    Effect.gen(function* () {
      for (const [type, given, expected] of cases) {
        yield* session.execute(`CREATE OR REPLACE TABLE t (v ${type})`)
        expect(yield* session.execute("INSERT INTO t VALUES (?)", [given])).toBe(1)
        const [row] = yield* session.query("SELECT v, v IS NULL AS missing FROM t WHERE v IS NOT DISTINCT FROM ?", [
          given
        ])
        expect([type, row?.["v"], row?.["missing"]]).toStrictEqual([type, expected, expected === null])
      }
    })
  )
})

describe("query", () => {
  atBothDoors("a result beyond rowsMax fails and leaves the session usable", (session) =>
    Effect.gen(function* () {
      const many = "SELECT range AS n FROM range(500000)"
      expect((yield* failure(session.query(many, [], { rowsMax: 10 }))).reason._tag).toBe("InvalidData")
      expect((yield* failure(session.query(many))).detail).toContain("100000 rows")
      expect((yield* session.query(many, [], { rowsMax: 500_000 })).length).toBe(500_000)
      const inOrder = yield* session.query(`${many} ORDER BY n DESC -- the last first`, [], { rowsMax: 500_000 })
      expect([inOrder[0], inOrder[499_999]]).toStrictEqual([{ n: "499999" }, { n: "0" }])
      expect((yield* session.query("EXPLAIN SELECT 1")).length).toBe(1)
      expect(yield* session.query("SELECT 1 AS one")).toStrictEqual([{ one: 1 }])
    })
  )

  atBothDoors("a failure in the middle of a result is a failure, not a short result", (session) =>
    Effect.gen(function* () {
      const late =
        "SELECT CASE WHEN range = 900000 THEN error('4111111111111111') ELSE range END AS n FROM range(1000000)"
      const error = yield* failure(session.query(late, [], { rowsMax: 2_000_000 }))
      expect(error.reason._tag).toBe("InvalidData")
    })
  )

  atBothDoors("statements of one session started together run in turn and give whole results", (session) =>
    Effect.gen(function* () {
      const sizes = [30_000, 1, 20_000, 5]
      const results = yield* Effect.forEach(sizes, (n) => session.query(`SELECT range FROM range(${n})`), {
        concurrency: "unbounded"
      })
      expect(results.map((rows) => rows.length)).toStrictEqual(sizes)
    })
  )

  atBothDoors("interruption ends a query that would take days, and the session goes on", (session) =>
    Effect.gen(function* () {
      const long = yield* Effect.forkChild(session.query("SELECT count(*) FROM range(1000000000000000) a"), {
        startImmediately: true
      })
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(long)
      expect(yield* session.query("SELECT 1 AS one")).toStrictEqual([{ one: 1 }])
    })
  )

  atBothDoors("an error names the statement and never a value", (session) =>
    Effect.gen(function* () {
      for (const sql of [
        "SELECT CAST('4111111111111111' AS TINYINT)",
        "SELECT error('4111111111111111')",
        "SELEC 4111111111111111",
        `SELECT "4111 1111 1111 1111"`,
        "INSERT INTO nowhere VALUES ('4111111111111111')"
      ]) {
        const error = yield* failure(session.query(sql))
        expect([sql, error.reason._tag]).toStrictEqual([sql, "InvalidData"])
        expect(JSON.stringify([error, error.message, String(error.cause)])).not.toMatch(/4111/)
      }
      expect((yield* failure(session.query("SELECT nope FROM range(1)"))).detail).toContain("nope")
    })
  )
})

describe("transaction", () => {
  atBothDoors("a failure, a defect or an interruption rolls back, and success commits", (session, another) =>
    Effect.gen(function* () {
      yield* session.execute("CREATE TABLE t (n INTEGER)")
      const insert = session.execute("INSERT INTO t VALUES (1)")
      yield* Effect.exit(session.transaction(Effect.andThen(insert, session.execute("SELECT error('no')"))))
      yield* Effect.exit(session.transaction(Effect.andThen(insert, Effect.die("no"))))
      const waiting = yield* Effect.forkChild(session.transaction(Effect.andThen(insert, Effect.never)), {
        startImmediately: true
      })
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(waiting)
      expect(yield* another.query("SELECT n FROM t")).toStrictEqual([])
      expect(yield* session.transaction(Effect.as(insert, "kept"))).toBe("kept")
      expect(yield* another.query("SELECT n FROM t")).toStrictEqual([{ n: 1 }])
    })
  )

  atBothDoors("of two transactions that write one row one is told to run again", (session, another) =>
    Effect.gen(function* () {
      yield* session.execute("CREATE TABLE t (n INTEGER)")
      yield* session.execute("INSERT INTO t VALUES (0)")
      const increment = (self: Session) => self.execute("UPDATE t SET n = n + 1")
      const error = yield* failure(
        session.transaction(Effect.andThen(increment(session), another.transaction(increment(another))))
      )
      expect([error.reason._tag, error.isRetryable]).toStrictEqual(["Unavailable", true])
      expect(error.detail).toContain("transaction conflict")
      yield* session.transaction(increment(session))
      expect(yield* another.query("SELECT n FROM t")).toStrictEqual([{ n: 1 }])
    })
  )

  atBothDoors("a statement that cannot be limited leaves its transaction whole", (session) =>
    Effect.gen(function* () {
      yield* session.execute("CREATE TABLE t (n INTEGER)")
      const rows = session.transaction(
        Effect.andThen(
          session.query("INSERT INTO t VALUES (1), (2) RETURNING n"),
          Effect.andThen(session.query("EXPLAIN SELECT 1"), session.query("SELECT n FROM t ORDER BY n"))
        )
      )
      expect(yield* rows).toStrictEqual([{ n: 1 }, { n: 2 }])
    })
  )

  it.live("a crash before COMMIT leaves nothing, after it everything", () =>
    Effect.gen(function* () {
      const { owner } = yield* doors
      const session = yield* owner.session
      yield* session.execute("CREATE TABLE t (step VARCHAR)")
      for (const name of ["duckdb.commit.ready", "duckdb.commit.done"]) {
        const exit = yield* session.transaction(session.execute("INSERT INTO t VALUES (?)", [name])).pipe(
          Effect.provideService(Failpoint.Failpoint, (hit) => (hit === name ? Effect.die("here") : Effect.void)),
          Effect.exit
        )
        expect(Exit.isFailure(exit)).toBe(true)
      }
      expect(yield* session.query("SELECT step FROM t")).toStrictEqual([{ step: "duckdb.commit.done" }])
    })
  )
})

describe("file", () => {
  it.live("a file that is not a database, or is cut short, is InvalidData with something to do", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "warehouse.duckdb")
      writeFileSync(file, "order_id,amount\n".repeat(2000))
      const other = yield* failure(Effect.scoped(warehouse(file)))
      expect([other.reason._tag, other.action.length > 20]).toStrictEqual(["InvalidData", true])

      const cut = join(yield* folder, "warehouse.duckdb")
      yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* (yield* warehouse(cut)).session
          yield* session.execute("CREATE TABLE t AS SELECT range AS n FROM range(200000)")
        })
      )
      truncateSync(cut, 20_000)
      const error = yield* failure(
        Effect.scoped(
          Effect.gen(function* () {
            const session = yield* (yield* warehouse(cut)).session
            yield* session.query("SELECT sum(n) FROM t")
          })
        )
      )
      expect(error.reason._tag).toBe("InvalidData")
    })
  )

  it.live(
    "without a limit of one's own it takes a gibibyte at most, and a checkpoint merges short row groups once",
    () =>
      Effect.gen(function* () {
        const { owner } = yield* doors
        const [found] = yield* (yield* owner.session).query(
          "SELECT current_setting('memory_limit') AS memory, current_setting('max_vacuum_tasks') AS vacuum"
        )
        expect(found?.["memory"]).toMatch(/^(1\.0 GiB|[0-9.]+ MiB)$/)
        expect(found?.["vacuum"]).toBe("1")
      })
  )

  it.live("a session after its warehouse has closed is told so", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "warehouse.duckdb")
      const closed = yield* Effect.scoped(warehouse(file))
      expect((yield* failure(closed.session)).reason._tag).toBe("Unavailable")
    })
  )

  it.live("a missing folder is Misconfigured", () =>
    Effect.gen(function* () {
      const error = yield* failure(Effect.scoped(warehouse(join(yield* folder, "absent", "warehouse.duckdb"))))
      expect(error.reason._tag).toBe("Misconfigured")
    })
  )

  it.live("a full disk is StorageFull", () =>
    Effect.gen(function* () {
      const { owner } = yield* doors
      const session = yield* owner.session
      const error = yield* failure(
        session.execute("COPY (SELECT range FROM range(1000000)) TO '/dev/full' (FORMAT csv)")
      )
      expect(error.reason._tag).toBe("StorageFull")
    })
  )

  it.live("the socket belongs to its user alone, also behind a long path", () =>
    Effect.gen(function* () {
      const { file, client } = yield* doors
      expect(statSync(`${file}.sock`).mode & 0o777).toBe(0o600)
      yield* (yield* client.session).execute("SELECT 1")

      const deep = join(yield* folder, "a".repeat(60), "b".repeat(60))
      mkdirSync(deep, { recursive: true })
      const long = join(deep, "warehouse.duckdb")
      yield* warehouse(long)
      const far = yield* (yield* warehouse(long)).session
      expect(yield* far.query("SELECT 1 AS one")).toStrictEqual([{ one: 1 }])
    })
  )
})
