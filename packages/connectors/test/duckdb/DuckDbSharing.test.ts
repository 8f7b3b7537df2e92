import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import * as DuckDb from "@northstar/connectors/duckdb/DuckDb"
import { folder, start } from "./Process.ts"

const warehouse = (file: string) =>
  Effect.map(Layer.build(DuckDb.layer({ file, threads: 1 })), (context) => Context.get(context, Warehouse))

/** A new file with a counter at 0. */
const counter = Effect.gen(function* () {
  const file = join(yield* folder, "warehouse.duckdb")
  yield* Effect.scoped(
    Effect.gen(function* () {
      const session = yield* (yield* warehouse(file)).session
      yield* session.execute("CREATE TABLE counter AS SELECT 0 AS value")
      yield* session.execute("CREATE TABLE done (id VARCHAR)")
    })
  )
  return file
})

const state = (file: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const session = yield* (yield* warehouse(file)).session
      const [row] = yield* session.query(
        "SELECT (SELECT value FROM counter) AS value, count(*)::INTEGER AS n, count(DISTINCT id)::INTEGER AS ids FROM done"
      )
      return row
    })
  )

describe("two processes", () => {
  it.live("write one file together and the sum is exact", () =>
    Effect.gen(function* () {
      const file = yield* counter
      const one = yield* start("increment", file, "100")
      const two = yield* start("increment", file, "100")
      expect([yield* one.ended, yield* two.ended]).toStrictEqual([0, 0])
      expect(yield* state(file)).toStrictEqual({ value: 200, n: 200, ids: 200 })
      expect(existsSync(`${file}.sock`)).toBe(false)
    })
  )

  it.live("the owner is killed in the middle: the other takes over and nothing committed is lost or done twice", () =>
    Effect.gen(function* () {
      const file = yield* counter
      const owner = yield* start("increment", file, "100000")
      yield* owner.said("done")
      const other = yield* start("increment", file, "150")
      yield* other.said("done", 20)
      yield* owner.kill
      expect(yield* other.ended).toBe(0)
      const after = yield* state(file)
      expect(after?.["ids"]).toBe(after?.["n"])
      expect(after?.["value"]).toBe(after?.["n"])
      const session = yield* (yield* warehouse(file)).session
      const mine = yield* session.query("SELECT id FROM done WHERE starts_with(id, ?)", [`${other.pid}-`])
      expect(mine.length).toBe(150)
    })
  )

  it.live("a client killed in a transaction is rolled back and blocks nobody", () =>
    Effect.gen(function* () {
      const file = yield* counter
      const here = yield* warehouse(file)
      const client = yield* start("insideTransaction", file)
      yield* client.said("inside")
      yield* client.kill
      const session = yield* here.session
      yield* Effect.eventually(session.execute("UPDATE counter SET value = value + 1"))
      expect(yield* session.query("SELECT value FROM counter")).toStrictEqual([{ value: 1 }])
    })
  )

  it.live("a session whose owner dies says so, and the next session finds what was committed", () =>
    Effect.gen(function* () {
      const file = yield* counter
      const owner = yield* start("open", file)
      yield* owner.said("open")
      const here = yield* warehouse(file)
      const session = yield* here.session
      yield* session.execute("UPDATE counter SET value = 7")
      const commit = yield* session
        .transaction(
          Effect.andThen(
            session.execute("UPDATE counter SET value = 8"),
            Effect.andThen(owner.kill, Effect.sleep("50 millis"))
          )
        )
        .pipe(Effect.flip)
      expect([commit.reason._tag, commit.isRetryable]).toStrictEqual(["Unavailable", true])
      expect(commit.detail).toContain("unknown")
      expect((yield* Effect.flip(session.execute("SELECT 1"))).reason._tag).toBe("Unavailable")
      expect(yield* (yield* here.session).query("SELECT value FROM counter")).toStrictEqual([{ value: 7 }])
    })
  )

  it.live("a socket file left behind, or in the way, is replaced", () =>
    Effect.gen(function* () {
      const file = yield* counter
      const dead = yield* start("open", file)
      yield* dead.said("open")
      yield* dead.kill
      expect(existsSync(`${file}.sock`)).toBe(true)
      expect((yield* state(file))?.["value"]).toBe(0)
      writeFileSync(`${file}.sock`, "")
      yield* warehouse(file)
      const other = yield* start("increment", file, "5")
      expect(yield* other.ended).toBe(0)
    })
  )

  it.live("an owner that closes frees the file and lets another process go on", () =>
    Effect.gen(function* () {
      const file = yield* counter
      const scope = yield* Scope.make()
      const here = yield* Scope.provide(warehouse(file), scope)
      const left = yield* Scope.provide(here.session, yield* Scope.make())
      yield* left.execute("BEGIN TRANSACTION")
      yield* left.execute("INSERT INTO done VALUES ('left open')")
      const other = yield* start("increment", file, "100")
      yield* other.said("done", 20)
      yield* Scope.close(scope, Exit.void)
      expect((yield* Effect.flip(left.execute("SELECT 1"))).reason._tag).toBe("Unavailable")
      expect(yield* other.ended).toBe(0)
      expect(yield* state(file)).toStrictEqual({ value: 100, n: 100, ids: 100 })
    })
  )

  it.effect("a process that holds the file without serving it is named after 20 seconds", () =>
    Effect.gen(function* () {
      const file = join(yield* folder, "warehouse.duckdb")
      const holder = yield* start("lock", file)
      yield* holder.said("locked")
      const opening = yield* Effect.forkChild(Effect.flip(Effect.scoped(warehouse(file))), { startImmediately: true })
      while (opening.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise((resolve) => void setTimeout(resolve, 5)))
        yield* TestClock.adjust("1 second")
      }
      const error = yield* Fiber.join(opening)
      expect(error.reason).toMatchObject({ _tag: "Busy", holder: `process ${holder.pid}` })
    })
  )
})
