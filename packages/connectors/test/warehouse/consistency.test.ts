import { mkdtempSync, rmSync } from "node:fs"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Ref } from "effect"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import { Failpoint } from "@northstar/core/Failpoint"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { changesOf } from "./Changes.ts"
import { contents, fresh, heldOpen, over, scene, segmentsOf } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-consistency-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const orders = Table.make("orders", { columns: { id: Column.int64, lines: Column.int32 }, key: ["id"] })
const lines = Table.make("lines", { columns: { id: Column.int64, order_id: Column.int64 }, key: ["id"] })
const tables = [orders, lines]
const order = changesOf("orders")
const line = changesOf("lines")

/** An order with three lines, committed at once. */
const sale = (at: number) => [
  order.put(at, { id: `${at}`, lines: "3" }),
  ...[0, 1, 2].map((n) => line.put(at, { id: `${at * 10 + n}`, order_id: `${at}` }, { ordinal: n + 1 }))
]

const torn = `SELECT count(*) AS n FROM curated.orders AS o
  WHERE o.lines <> (SELECT count(*) FROM curated.lines AS l WHERE l.order_id = o.id)`

describe("consistency", () => {
  it.live(
    "X1 consistent cut: a reader sees no order without its lines while batches are published",
    Effect.fnUntraced(function* () {
      yield* Effect.gen(function* () {
        const { publish, query } = yield* scene(tables)
        const isDone = yield* Ref.make(false)
        const looks = yield* Ref.make(0)
        const { session: open } = yield* Warehouse
        const reader = Effect.gen(function* () {
          const session = yield* open
          while (!(yield* Ref.get(isDone))) {
            const [row] = yield* session.query(torn)
            assert.strictEqual(Number(row?.["n"]), 0)
            yield* Ref.update(looks, (n) => n + 1)
          }
        }).pipe(Effect.scoped)
        const reading = yield* Effect.forkChild(reader)
        for (let at = 1; at <= 15; at++) yield* publish(sale(at))
        yield* Ref.set(isDone, true)
        yield* Fiber.join(reading)
        assert.isAbove(yield* Ref.get(looks), 15)
        assert.deepStrictEqual(yield* query("SELECT CAST(count(*) AS INTEGER) AS n FROM curated.lines"), [{ n: 45 }])
      }).pipe(Effect.provide(fresh(tables, root)))
    })
  )

  it.live(
    "K4 fence: of two sessions that publish at one time one commits and the other writes nothing",
    Effect.fnUntraced(function* () {
      yield* Effect.gen(function* () {
        const { publish, query } = yield* scene(tables)
        yield* publish(sale(1))
        const attempts = [
          { id: 2, writer: yield* heldOpen(tables), segments: yield* segmentsOf(tables, sale(2)) },
          { id: 3, writer: yield* heldOpen(tables), segments: yield* segmentsOf(tables, sale(3)) }
        ]
        // Both are past their compare-and-set before either may go on.
        const both = yield* Deferred.make<void>()
        const waiting = yield* Ref.make(0)
        const meet = (step: string) =>
          step !== "load.staged"
            ? Effect.void
            : Effect.flatMap(
                Ref.updateAndGet(waiting, (n) => n + 1),
                (n) => (n === 2 ? Effect.asVoid(Deferred.succeed(both, undefined)) : Deferred.await(both))
              )
        const winners = yield* Effect.forEach(
          attempts,
          ({ id, writer, segments }) =>
            Effect.map(Effect.exit(writer.commit(segments)), (exit) => (Exit.isSuccess(exit) ? [id] : [])),
          { concurrency: 2 }
        ).pipe(
          Effect.provideService(Failpoint, meet),
          Effect.map((ids) => ids.flat())
        )
        assert.strictEqual(winners.length, 1)
        const found = yield* query("SELECT CAST(id AS INTEGER) AS id FROM curated.orders ORDER BY 1")
        assert.deepStrictEqual(found, [{ id: 1 }, ...winners.map((id) => ({ id }))])
        assert.deepStrictEqual(yield* query("SELECT CAST(count(*) AS INTEGER) AS n FROM northstar.batches"), [{ n: 4 }])
      }).pipe(Effect.provide(fresh(tables, root)), Effect.scoped)
    })
  )

  it.live(
    "K1 atomic: after a commit whose answer was lost the reopened file stands at its end with its rows",
    Effect.fnUntraced(function* () {
      const file = join(root, `${randomUUID()}.duckdb`)
      const process = <A, E>(effect: Effect.Effect<A, E, Layer.Success<ReturnType<typeof over>>>) =>
        effect.pipe(Effect.provide(Layer.fresh(over(file, tables, root))))
      const lost = (step: string) => (step === "duckdb.commit.done" ? Effect.fail(silence) : Effect.void)
      const publish = Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* heldOpen(tables)
          return yield* writer.commit(yield* segmentsOf(tables, sale(1)))
        })
      )
      const failure = yield* process(Effect.flip(Effect.provideService(publish, Failpoint, lost)))
      // Only a new session can tell what became of it.
      assert.strictEqual(failure, silence)
      const found = yield* process(contents(tables))
      assert.deepStrictEqual(
        [...found].map(([table, rows]) => [table, rows.size]),
        [
          ["orders", 1],
          ["lines", 3]
        ]
      )
    })
  )
})

const silence = new ConnectorError({
  connector: "testing",
  operation: "commit",
  detail: "the answer was lost",
  action: "Run again",
  reason: new Unavailable({ cause: "injected" })
})
