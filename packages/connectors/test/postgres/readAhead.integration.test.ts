import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as TestClock from "effect/testing/TestClock"
import { type Block, opTruncate } from "../../src/landing/Block.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import type { PostgresPosition } from "../../src/postgres/Position.ts"
import * as Snapshot from "../../src/postgres/Snapshot.ts"
import { Visibility } from "../../src/postgres/Visibility.ts"
import { orders, rowsOf, start } from "./Fixture.ts"

const source = orders.source
const fast: Snapshot.Pace = { chunkRows: 10, rowsPerSecondMax: 1e6 }

/** A snapshot of the orders whose messages come back when the test says so. */
const laneOf = (connection: Connection.Connection, pace: Snapshot.Pace, from?: PostgresPosition["snapshots"]) => {
  const visibility = new Visibility()
  const lane = {
    snapshots: from ?? { [source]: Snapshot.begin("first", undefined) },
    emitted: [] as Array<number>,
    landed: [] as Array<Block>
  }
  const running = Snapshot.make({
    pace,
    tables: [orders],
    connection,
    visibility: () => visibility,
    undoubted: Effect.void,
    emit: (id) => Effect.sync(() => void lane.emitted.push(id)),
    progress: () => lane.snapshots,
    deliver: ({ blocks, snapshots }) => {
      lane.landed.push(...blocks)
      lane.snapshots = snapshots
    }
  })
  const isEmitted = (id: number) => Effect.repeat(Effect.sleep("5 millis"), { until: () => lane.emitted.includes(id) })
  /** Every message comes back, until all is read. */
  const answered = (run: Fiber.Fiber<void, unknown>) =>
    Effect.raceFirst(
      Fiber.join(run),
      Effect.forever(
        Effect.andThen(
          Effect.sleep("5 millis"),
          Effect.sync(() => running.arrived(lane.emitted.at(-1) ?? 0, 1000n))
        )
      )
    )
  return Object.assign(lane, { running, isEmitted, answered })
}

const landedRows = (blocks: ReadonlyArray<Block>) =>
  rowsOf(blocks)
    .filter((row) => row.op !== opTruncate)
    .toSorted((a, b) => Number(a.values["id"]) - Number(b.values["id"]))

const ids = (blocks: ReadonlyArray<Block>) => landedRows(blocks).map((row) => Number(row.values["id"]))
const numbers = (n: number) => Array.from({ length: n }, (_, index) => index + 1)

describe("reading ahead", () => {
  it.live("a migration that rewrites the table in the middle of a snapshot hides no row of it", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders select n, 'old' from generate_series(1, 1000) n")
      const connection = yield* Connection.open({ url: server.url })
      const lane = laneOf(connection, { chunkRows: 100, rowsPerSecondMax: 1000 })
      const run = yield* Effect.forkChild(lane.running.run)
      const answering = yield* Effect.forkChild(lane.answered(run))
      yield* Effect.repeat(Effect.sleep("5 millis"), { until: () => lane.landed.length > 1 })
      yield* sql.query("begin; alter table public.orders add column tag uuid default gen_random_uuid()")
      // Longer than the pause between two chunks: one waits for the lock.
      yield* Effect.sleep("400 millis")
      yield* sql.query("commit")
      yield* Fiber.join(answering)
      assert.deepStrictEqual(ids(lane.landed), numbers(1000))
    }).pipe(Effect.scoped)
  )

  it.live("goes on while no message comes back, until enough bytes wait; one message serves all that wait", () =>
    Effect.gen(function* () {
      const { sql } = yield* start()
      yield* sql.query("insert into public.orders select g, 'old', repeat('x', 100000) from generate_series(1, 300) g")
      const lane = laneOf(sql, fast)
      const fiber = yield* Effect.forkScoped(lane.running.run)
      // A chunk holds 1 MB of values.
      yield* lane.isEmitted(13)
      yield* Effect.sleep("300 millis")
      assert.strictEqual(lane.emitted.at(-1), 13)
      assert.deepStrictEqual(lane.landed, [])
      lane.running.arrived(13, 500n)
      assert.deepStrictEqual(ids(lane.landed), numbers(130))
      assert.deepStrictEqual(lane.snapshots[source]?.after, ["130"])
      lane.running.arrived(13, 501n)
      assert.strictEqual(lane.landed.length, 13, "a message that comes twice places nothing twice")
      yield* lane.answered(fiber)
      assert.deepStrictEqual(ids(lane.landed), numbers(300))
    }).pipe(Effect.scoped)
  )

  it.live(
    "killed while chunks wait, it goes on behind the last that was placed, and reads what changed meanwhile",
    () =>
      Effect.gen(function* () {
        const { sql } = yield* start()
        yield* sql.query("insert into public.orders select g, 'old' from generate_series(1, 100) g")
        const killed = laneOf(sql, fast)
        const fiber = yield* Effect.forkScoped(killed.running.run)
        yield* killed.isEmitted(11)
        killed.running.arrived(3, 500n)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(killed.snapshots[source]?.after, ["30"])
        yield* sql.query(
          "update public.orders set status = 'new' where id in (25, 35); delete from public.orders where id = 45"
        )
        const next = laneOf(sql, fast, killed.snapshots)
        yield* next.answered(yield* Effect.forkScoped(next.running.run))
        const rows = landedRows([...killed.landed, ...next.landed])
        assert.deepStrictEqual(
          rows.map((row) => Number(row.values["id"])),
          numbers(100).filter((id) => id !== 45)
        )
        // The change of 25 is behind its chunk, which the stream knows.
        assert.deepStrictEqual(
          rows.filter((row) => row.values["status"] === "new").map((row) => row.values["id"]),
          ["35"]
        )
        assert.strictEqual(next.snapshots[source]?.done, true)
      }).pipe(Effect.scoped)
  )

  it.live("a chunk that cannot be read ends the run; those that wait may still be placed", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      const connection = yield* Connection.open({ url: server.url })
      yield* sql.query("insert into public.orders select g, 'old' from generate_series(1, 100) g")
      const lane = laneOf(connection, { chunkRows: 10, rowsPerSecondMax: 40 })
      const fiber = yield* Effect.forkScoped(lane.running.run)
      yield* lane.isEmitted(2)
      yield* sql.query(`select pg_terminate_backend(${connection.processId})`)
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(error.reason._tag, "Unavailable")
      lane.running.arrived(lane.emitted.at(-1) ?? 0, 500n)
      assert.deepStrictEqual(ids(lane.landed), numbers(lane.landed.length * 10))
      assert.strictEqual(lane.snapshots[source]?.done, false)
    }).pipe(Effect.scoped)
  )

  it.live(
    "a snapshot that is asked for while the same table is read starts over, and nothing of the former moves it on",
    () =>
      Effect.gen(function* () {
        const { sql } = yield* start()
        yield* sql.query("insert into public.orders select g, 'old' from generate_series(1, 100) g")
        const lane = laneOf(sql, fast)
        const fiber = yield* Effect.forkScoped(lane.running.run)
        yield* lane.isEmitted(11)
        lane.running.arrived(5, 500n)
        const begun = Snapshot.begin("again", lane.snapshots[source])
        lane.snapshots = { [source]: begun }
        lane.landed.length = 0
        lane.running.arrived(11, 600n)
        assert.deepStrictEqual(lane.landed, [])
        assert.strictEqual(lane.snapshots[source], begun)
        yield* lane.answered(fiber)
        assert.deepStrictEqual(ids(lane.landed), numbers(100))
        const { chunks, done, id } = lane.snapshots[source] ?? begun
        assert.deepStrictEqual({ chunks, done, id }, { chunks: 5 + 11, done: true, id: "again" })
      }).pipe(Effect.scoped)
  )

  it.live("a message that does not come back is written again", () =>
    Effect.gen(function* () {
      const { sql } = yield* start()
      yield* sql.query("insert into public.orders values (1, 'old')")
      const lane = laneOf(sql, fast)
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkScoped(lane.running.run)
        for (const times of [1, 2, 3]) {
          while (lane.emitted.length < times) {
            yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          }
          yield* TestClock.adjust(times < 3 ? "20 seconds" : 0)
        }
        lane.running.arrived(1, 500n)
        yield* Fiber.join(fiber)
      }).pipe(Effect.provide(TestClock.layer()))
      assert.deepStrictEqual(lane.emitted, [1, 1, 1])
      assert.deepStrictEqual(ids(lane.landed), [1])
    }).pipe(Effect.scoped)
  )
})
