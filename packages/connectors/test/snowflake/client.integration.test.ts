import { existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as SnowflakeClient from "../../src/snowflake/SnowflakeClient.ts"
import { resolve, type SnowflakeConfig } from "../../src/snowflake/SnowflakeConfig.ts"
import * as SnowflakeSession from "../../src/snowflake/SnowflakeSession.ts"
import { StatementTag } from "../../src/warehouse/Warehouse.ts"
import { type Answer, type Arrived, start } from "./ScriptedServer.ts"

const open = (config: SnowflakeConfig, detached: SnowflakeSession.Detached = new Set()) =>
  Effect.gen(function* () {
    return yield* SnowflakeSession.open(yield* SnowflakeClient.load, yield* resolve(config), detached)
  })

const scripted = (answer: (statement: Arrived) => Answer) =>
  Effect.gen(function* () {
    const server = yield* start(answer)
    return { ...server, session: yield* open(server.config) }
  })

const inserted: Answer = { columns: [["number of rows inserted", "fixed"]], rows: [["3"]] }

describe("the client, against a server that does as told", () => {
  it.live("a session is pinned, tagged and closed, and leaves no log file", () =>
    Effect.gen(function* () {
      const server = yield* start(() => inserted)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* open({ ...server.config, queryTag: { app: "northstar" } })
          const insert = session.execute("INSERT INTO t VALUES (?, ?)", ["a", 1])
          assert.strictEqual(yield* Effect.provideService(insert, StatementTag, { pipeline: "orders", batch: "7" }), 3)
        })
      )
      const [pinned, insert] = [server.arrived.at(0)!, server.arrived.at(2)!]
      assert.match(
        pinned.sql,
        /^ALTER SESSION SET TIMEZONE = 'UTC' AUTOCOMMIT = TRUE .*ERROR_ON_NONDETERMINISTIC_MERGE = TRUE/s
      )
      assert.deepStrictEqual(JSON.parse(String(insert.parameters["QUERY_TAG"])), {
        app: "northstar",
        pipeline: "orders",
        batch: "7"
      })
      assert.deepStrictEqual(insert.bindings, { 1: { type: "TEXT", value: "a" }, 2: { type: "FIXED", value: "1" } })
      assert.strictEqual(server.paths.at(-1), "/session")
      assert.isFalse(existsSync("snowflake.log"))
    })
  )

  it.live("values keep every digit, and upper-case names come back in lower case", () =>
    Effect.gen(function* () {
      const { session } = yield* scripted(() => ({
        columns: [
          ["AMOUNT", "fixed", 2],
          ["f", "real"],
          ["Mixed", "text"],
          ["B", "boolean"],
          ["D", "date"],
          ["AT", "timestamp_tz", 9],
          ["J", "variant"],
          ["X", "binary"],
          ["NOTHING", "fixed"]
        ],
        rows: [
          [
            "12345678901234567890123456789012345678.90",
            "1.5",
            "é",
            "1",
            "20415",
            "1700000000.123456000 1440",
            '{"a":1}',
            "00FF",
            null
          ]
        ]
      }))
      assert.deepStrictEqual(yield* session.query("SELECT 1"), [
        {
          amount: "12345678901234567890123456789012345678.90",
          f: 1.5,
          Mixed: "é",
          b: true,
          d: "2025-11-23",
          at: "2023-11-14 22:13:20.123456+00:00",
          j: '{"a":1}',
          x: "00FF",
          nothing: null
        }
      ])
    })
  )

  for (const bad of ["garbled", { status: 400 }] as const) {
    it.live(`after an answer that is ${JSON.stringify(bad)} the same request id is submitted again`, () =>
      Effect.gen(function* () {
        const { session, arrived } = yield* scripted(({ attempt }) => (attempt < 3 ? bad : inserted))
        assert.strictEqual(yield* session.execute("INSERT INTO t VALUES (1)"), 3)
        const ids = arrived.filter(({ sql }) => sql.startsWith("INSERT")).map(({ requestId }) => requestId)
        assert.strictEqual(ids.length, 3)
        assert.strictEqual(new Set(ids).size, 1)
      })
    )
  }

  it.live("after a cut connection the driver submits the same request id again", () =>
    Effect.gen(function* () {
      const { session, arrived } = yield* scripted(({ attempt }) => (attempt === 1 ? "cut" : inserted))
      assert.strictEqual(yield* session.execute("INSERT INTO t VALUES (1)"), 3)
      assert.strictEqual(new Set(arrived.slice(2).map(({ requestId }) => requestId)).size, 1)
    })
  )

  it.live("a COMMIT without any answer has an unknown outcome, and ends the session", () =>
    Effect.gen(function* () {
      const { session } = yield* scripted(({ sql }) => (sql === "COMMIT" ? "garbled" : inserted))
      const error = yield* Effect.flip(session.transaction(session.execute("INSERT INTO t VALUES (1)")))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.match(error.detail, /^outcome unknown: COMMIT/)
      assert.match(error.action, /watermark/)
      assert.match((yield* Effect.flip(session.query("SELECT 1"))).detail, /outcome unknown/)
    })
  )

  it.live("a session that is gone in a transaction says that nothing was committed", () =>
    Effect.gen(function* () {
      const { session } = yield* scripted(({ sql }) =>
        sql.startsWith("INSERT") ? { code: "390111", message: "Session no longer exists." } : inserted
      )
      const error = yield* Effect.flip(session.transaction(session.execute("INSERT INTO t VALUES ('secret')")))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.match(error.detail, /nothing of it was committed/)
      assert.notInclude(error.message, "secret")
    })
  )

  it.live("the next session ends transactions of sessions that were lost", () =>
    Effect.gen(function* () {
      const { config, arrived } = yield* start(({ sql }) =>
        sql === "SHOW TRANSACTIONS"
          ? {
              columns: [
                ["id", "fixed"],
                ["session", "fixed"]
              ],
              rows: [
                ["17", "99"],
                ["18", "4712"]
              ]
            }
          : {}
      )
      const detached = new Set(["99"])
      yield* Effect.scoped(open(config, detached))
      assert.deepStrictEqual(
        arrived.slice(2).map(({ sql }) => sql),
        ["SHOW TRANSACTIONS", "SELECT SYSTEM$ABORT_TRANSACTION(17)"]
      )
      assert.strictEqual(detached.size, 0)
    })
  )

  it.live("an interruption cancels the running statement and waits for its end", () =>
    Effect.gen(function* () {
      const { session, paths } = yield* scripted(({ sql }) => (sql === "SELECT slow" ? "never" : inserted))
      const fiber = yield* Effect.forkChild(session.query("SELECT slow"))
      yield* Effect.sleep("100 millis")
      yield* Fiber.interrupt(fiber)
      assert.isTrue(paths.includes("/queries/v1/abort-request"))
      assert.strictEqual(yield* session.execute("INSERT INTO t VALUES (1)"), 3)
    })
  )

  it.live("DDL in a transaction is refused before it commits it", () =>
    Effect.gen(function* () {
      const { session, arrived } = yield* scripted(() => ({}))
      const exit = yield* Effect.exit(session.transaction(session.execute("CREATE TEMPORARY TABLE t (a INT)")))
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(
        arrived.slice(2).map(({ sql }) => sql),
        ["BEGIN TRANSACTION", "ROLLBACK"]
      )
    })
  )

  it.live("a result beyond rowsMax is refused before its rows are fetched", () =>
    Effect.gen(function* () {
      const { session, paths } = yield* scripted(() => ({
        columns: [["A", "fixed"]],
        rows: [["1"]],
        returned: 1_000_001,
        chunk: "never"
      }))
      assert.strictEqual((yield* Effect.flip(session.query("SELECT a FROM t"))).reason._tag, "InvalidData")
      assert.isFalse(paths.some((path) => path.startsWith("/chunk")))
    })
  )

  it.live("rows of chunks follow those of the answer; a result with fewer rows than announced is an error", () =>
    Effect.gen(function* () {
      const columns = [["A", "fixed"]] as const
      const { session } = yield* scripted(({ sql }) => ({
        columns,
        rows: [["1"]],
        returned: sql === "whole" ? 3 : 4,
        chunk: [["2"], ["3"]]
      }))
      assert.deepStrictEqual(yield* session.query("whole"), [{ a: "1" }, { a: "2" }, { a: "3" }])
      const error = yield* Effect.flip(session.query("part"))
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.match(error.detail, /3 of 4 rows/)
    })
  )

  it.effect("a result that brings no further row is an error, not a hang", () =>
    Effect.gen(function* () {
      const { session, paths } = yield* scripted(() => ({
        columns: [["A", "fixed"]],
        rows: [["1"]],
        returned: 2,
        chunk: "never"
      }))
      const fiber = yield* Effect.forkChild(Effect.flip(session.query("SELECT a FROM t")))
      const isFetching = Effect.promise(
        () => new Promise<boolean>((done) => setImmediate(() => done(paths.includes("/chunk-never"))))
      )
      yield* Effect.repeat(isFetching, { until: (is) => is })
      yield* TestClock.adjust("5 minutes")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error.reason._tag, "Unavailable")
      assert.match(error.detail, /broke off after 1 of 2 rows/)
    })
  )

  it.effect("a key that cannot be read is Misconfigured, and says nothing of what is in it", () =>
    Effect.gen(function* () {
      const config = { account: "a", user: "u", role: "r", warehouse: "w", database: "d" }
      const broken = yield* Effect.flip(resolve({ ...config, privateKey: Redacted.make("-----BEGIN hunter2") }))
      const absent: ConnectorError = yield* Effect.flip(resolve({ ...config, privateKey: { file: "/nowhere/key.p8" } }))
      assert.deepStrictEqual([broken.reason._tag, absent.reason._tag], ["Misconfigured", "Misconfigured"])
      assert.notInclude(JSON.stringify(broken), "hunter2")
    })
  )
})
