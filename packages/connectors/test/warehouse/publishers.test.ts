import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Deferred, Effect, Result } from "effect"
import type { Change } from "@northstar/core/Change"
import * as Column from "@northstar/core/Column"
import { Failpoint } from "@northstar/core/Failpoint"
import * as Fold from "@northstar/core/Fold"
import * as Table from "@northstar/core/Table"
import type { Histories } from "@northstar/core/testing"
import * as Rollback from "../../src/warehouse/Rollback.ts"
import * as Watermarks from "../../src/warehouse/Watermarks.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { changesOf } from "./Changes.ts"
import { shared } from "./SnowflakeSubject.ts"
import { contents, heldOpen, key, scene, segmentsOf } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-publishers-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const columns = { id: Column.int64, note: Column.nullable(Column.text), memo: Column.nullable(Column.text) }
const bills = Table.make("bills", { columns, key: ["id"] })
const notes = Table.make("notes", { columns, key: ["id"] })
const tables = [bills, notes]
const bill = changesOf("bills")
const note = changesOf("notes")

/** Publishers wait for each other, the longer the fewer cores there are. */
const timeoutMs = 300_000

/** Publishers at once, and how often they race. */
const publishers = 4
const rounds = 3

/** A whole row of each table and a partial change of an earlier one, so that races meet every kind of publishing. */
const batchOf = (at: number, by: number): ReadonlyArray<Change<Histories.Row>> => [
  bill.put(at, { id: `${by}`, note: `${at} by ${by}`, memo: "m" }),
  at === 1
    ? bill.put(at, { id: "0", note: "first", memo: `by ${by}` }, { ordinal: 1 })
    : bill.put(at, { id: "0", note: `${at} by ${by}` }, { ordinal: 1, leavesOut: ["memo"] }),
  note.put(at, { id: `${at}`, note: `by ${by}`, memo: "m" })
]

/** A publisher that rests, between its comparison and its first change, long enough for the others to come. */
const resting = <A, E, R>(publish: Effect.Effect<A, E, R>, compared: Effect.Effect<unknown> = Effect.void) =>
  Effect.provideService(publish, Failpoint, (step) =>
    step === "load.locked" ? Effect.andThen(compared, Effect.sleep("200 millis")) : Effect.void
  )

const live = (changes: ReadonlyArray<Change<Histories.Row>>) =>
  new Map(
    [...Fold.foldTables(changes)].map(([table, rows]) => [
      table,
      new Map([...rows].map(([id, current]) => [id, current._tag === "Live" ? current.row : "held"]))
    ])
  )

for (const blockedUpdate of ["reevaluate", "stale"] as const) {
  const snowflake = shared({ behaviour: { blockedUpdate } })

  layer(snowflake.fresh(tables, root), { excludeTestServices: true, timeout: 60_000 })(
    `publishers at once, a blocked UPDATE ${blockedUpdate === "stale" ? "going on as it began" : "looking again"}`,
    (it) => {
      it.effect(
        "K4 fence: of several writers at one watermark exactly one commits each arrow",
        Effect.fnUntraced(function* () {
          const { run, query } = yield* scene(tables)
          const waitsBefore = (yield* snowflake.server).lockWaits()
          const published: Array<Change<Histories.Row>> = []
          for (let at = 1; at <= rounds; at++) {
            const offers = yield* Effect.forEach(Array.from({ length: publishers }), (_, by) => {
              const changes = batchOf(at, by + 1)
              return Effect.map(run(segmentsOf(tables, changes)), (segments) => ({ changes, segments }))
            })
            const ends = yield* Effect.gen(function* () {
              const ready = yield* Effect.forEach(offers, (offer) =>
                Effect.map(heldOpen(tables), ({ commit }) => ({ ...offer, commit }))
              )
              return yield* Effect.forEach(
                ready,
                ({ changes, commit, segments }) =>
                  Effect.map(Effect.result(resting(commit(segments))), (result) => ({ changes, result })),
                { concurrency: "unbounded" }
              )
            }).pipe(Effect.scoped, run)
            const winners = ends.flatMap(({ changes, result }) => (Result.isSuccess(result) ? [changes] : []))
            const losers = ends.flatMap(({ result }) => (Result.isFailure(result) ? [result.failure._tag] : []))
            assert.strictEqual(winners.length, 1)
            assert.deepStrictEqual(
              losers,
              Array.from({ length: publishers - 1 }, () => "WatermarkConflict")
            )
            published.push(...winners.flat())
          }
          assert.deepStrictEqual(yield* run(contents(tables)), live(published))
          const counts = yield* query(
            "SELECT (SELECT count(*) FROM northstar.batches) AS b, (SELECT count(*) FROM curated.bills__history) AS h"
          )
          assert.deepStrictEqual(counts, [{ b: `${2 * rounds}`, h: `${2 * rounds}` }])
          assert.isAbove((yield* snowflake.server).lockWaits(), waitsBefore, "nobody waited for a lock")
        }),
        timeoutMs
      )

      it.effect(
        "K4 fence: a table that rejoins and a batch that leaves it out are not both committed",
        Effect.fnUntraced(function* () {
          for (let round = 0; round < rounds; round++) {
            const it = yield* scene(tables)
            const first = yield* it.run(segmentsOf(tables, batchOf(1, 1)))
            const second = yield* it.run(segmentsOf(tables, batchOf(2, 1)))
            yield* it.load(first)
            // Parked behind the others, then caught up with them.
            yield* it.query(`UPDATE northstar.watermarks SET parked_reason = 'r' WHERE table_name = 'bills'`)
            const [published, rejoined] = yield* Effect.gen(function* () {
              const writer = yield* heldOpen(tables)
              const rejoin = Effect.scoped(
                Effect.gen(function* () {
                  const { session } = yield* Warehouse
                  return yield* Watermarks.rejoin(yield* session, key, "bills", ["bills", "notes"])
                })
              )
              const compared = yield* Deferred.make<void>()
              const publish = resting(writer.commit(second), Deferred.succeed(compared, undefined))
              // In the first round it comes while the batch is being published.
              const late = round === 0 ? Effect.andThen(Deferred.await(compared), rejoin) : rejoin
              return yield* Effect.all([Effect.result(publish), Effect.result(late)], { concurrency: "unbounded" })
            }).pipe(Effect.scoped, it.run)
            const isIn = Result.isSuccess(rejoined) && rejoined.success
            assert.strictEqual(Result.isSuccess(published), !isIn, "one of the two")
            if (Result.isFailure(published)) assert.strictEqual(published.failure._tag, "WatermarkConflict")
            const standing = yield* it.query(
              "SELECT table_name AS t, CAST(CAST(through AS INTEGER) AS VARCHAR) AS at FROM northstar.watermarks ORDER BY 1"
            )
            assert.deepStrictEqual(
              standing.map(({ at }) => at),
              isIn ? ["1", "1"] : ["1", "2"]
            )
          }
        }),
        timeoutMs
      )

      it.effect(
        "P3 rollback: a batch taken back while the next is published leaves what the others say, in either order",
        Effect.fnUntraced(function* () {
          const { load, run, query } = yield* scene(tables)
          const [first, second, third] = [batchOf(1, 1), batchOf(2, 1), batchOf(3, 1)] as const
          const land = (changes: typeof first) => run(segmentsOf(tables, changes))
          const victims = yield* land(second)
          yield* load(yield* land(first))
          yield* load(victims)
          const next = yield* land(third)
          const victim = `${key.pipeline}/${key.stream}/${"2".padStart(20, "0")}`
          const both = [run(Rollback.apply(tables, victim)), load(next)] as const
          yield* Effect.all(both, { concurrency: "unbounded" })
          assert.deepStrictEqual(yield* run(contents(tables)), live([...first, ...third]))
          yield* load(victims, { tables, stream: "backfill/1" })
          assert.deepStrictEqual(yield* run(contents(tables)), live([...first, ...second, ...third]))
          const unbalanced = yield* query(
            "SELECT * FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held OR superseded < 0"
          )
          assert.deepStrictEqual(unbalanced, [])
        }),
        timeoutMs
      )
    }
  )
}
