import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import { unbounded } from "@northstar/core/Position"
import * as Batch from "@northstar/core/Batch"
import * as Connection from "../../src/postgres/Connection.ts"
import * as Heartbeat from "../../src/postgres/Heartbeat.ts"
import type { PostgresPosition } from "../../src/postgres/Position.ts"
import { orders, rowsOf, source, start } from "./Fixture.ts"

describe("a requested snapshot", () => {
  it.live("waits for transactions that were open before it, and then wins over what there was", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders select n, 'old' from generate_series(1, 1000) n")
      const snapshot = { id: "first", tables: [orders], chunkRows: 100, rowsPerSecondMax: 1e6 }
      const reader = yield* source(server.url, { snapshot }).open
      const positions: Array<bigint> = []
      const end = yield* Deferred.make<void>()
      const until =
        (id: string) =>
        ({ through }: { readonly through: PostgresPosition }) =>
          through.snapshots["public.orders"]?.id === id && through.snapshots["public.orders"].done
      const first = yield* reader.read(unbounded).pipe(
        Stream.mapEffect((batch) => Effect.as(Batch.rows(batch), batch)),
        Stream.takeUntil(until("first")),
        Stream.runCollect
      )
      const last = first.at(-1)!.through
      const other = yield* Connection.open({ url: server.url })
      yield* other.query("begin; insert into public.unrelated values (1)")
      yield* Heartbeat.request(sql, { slot: "northstar", id: "again", tables: ["public.orders"] })
      const reading = yield* reader.read({ ...unbounded, after: Option.some(last) }).pipe(
        Stream.takeUntil(until("again")),
        Stream.runForEach((batch) =>
          Effect.map(Batch.rows(batch), (blocks) => {
            for (const { position } of rowsOf(blocks)) positions.push(position)
          })
        ),
        Effect.andThen(Deferred.succeed(end, undefined)),
        Effect.forkChild
      )
      yield* Effect.sleep("1 second")
      assert.deepStrictEqual(positions, [])
      yield* other.query("commit")
      yield* Deferred.await(end)
      yield* Fiber.join(reading)
      assert.isAtLeast(positions.length, 1001)
      assert.deepStrictEqual(
        positions.filter((position) => position < last.lsn),
        []
      )
    }).pipe(Effect.scoped)
  )

  it.live(
    "is taken by the stream that runs, once, and goes on after a restart",
    () =>
      Effect.gen(function* () {
        const { server, sql } = yield* start()
        yield* sql.query("insert into public.orders select n, 'old' from generate_series(1, 100) n")
        const pace = { id: "first", tables: [], chunkRows: 10, rowsPerSecondMax: 1e6 }
        const request = { slot: "northstar", id: "again", tables: ["public.orders", "public.unrelated"] }
        yield* Heartbeat.request(sql, request)
        yield* Heartbeat.request(sql, request)
        let after = Option.none<PostgresPosition>()
        const rows: Array<number> = []
        // Each read is cut off after a few batches, as a kill would.
        for (let attempt = 0; attempt < 50; attempt++) {
          const reader = yield* source(server.url, { snapshot: pace }).open
          const batches = yield* reader.read({ ...unbounded, after }).pipe(
            Stream.mapEffect((batch) => Effect.map(Batch.rows(batch), (blocks) => ({ batch, blocks }))),
            Stream.take(1),
            Stream.runCollect
          )
          for (const { blocks } of batches) for (const block of blocks) rows.push(block.rows)
          const last = batches.at(-1)!.batch.through
          after = Option.some(last)
          const progress = last.snapshots["public.orders"]
          if (progress?.done ?? false) {
            assert.isAbove(attempt, 0, "it went on after a restart")
            assert.strictEqual(progress?.id, "again")
            assert.isUndefined(last.snapshots["public.unrelated"])
            break
          }
        }
        // The rows of the stream, those of the snapshot, and its floor.
        assert.strictEqual(
          rows.reduce((sum, n) => sum + n, 0),
          201
        )
      }).pipe(Effect.scoped),
    60_000
  )
})
