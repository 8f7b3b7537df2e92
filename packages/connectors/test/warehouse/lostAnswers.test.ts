import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Clock, Config, Console, Duration, Effect, Option, Random, Schedule } from "effect"
import * as Batch from "@northstar/core/Batch"
import type { Change } from "@northstar/core/Change"
import * as Column from "@northstar/core/Column"
import * as Fold from "@northstar/core/Fold"
import * as Table from "@northstar/core/Table"
import type { Histories } from "@northstar/core/testing"
import * as WarehouseSink from "../../src/warehouse/WarehouseSink.ts"
import { changesOf } from "./Changes.ts"
import { shared } from "./SnowflakeSubject.ts"
import { contents, key, position, scene, segmentsOf } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-lost-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const boxes = Table.make("boxes", {
  columns: { id: Column.int64, note: Column.nullable(Column.text), memo: Column.nullable(Column.text) },
  key: ["id"]
})
const { put, remove } = changesOf("boxes")
const snowflake = shared({ seed: 20_261_123 })

/** The waits between two tries of the client, a fiftieth as long: a thousand cycles have ten thousand of them. */
const hasty = Effect.map(Clock.Clock, (clock) => {
  const sleep = (duration: Duration.Duration) => clock.sleep(Duration.times(duration, 1 / 50))
  // Sound: in everything else it is the clock that it inherits from.
  return Object.assign(Object.create(clock), { sleep }) as Clock.Clock
})

const below = (n: number) => Effect.map(Random.next, (next) => Math.floor(next * n))

/** A few changes of a few hundred keys: whole and partial rows, deletes; a fifth of them late. */
const anyBatch = Effect.fnUntraced(function* (cycle: number, live: ReadonlySet<string>) {
  const changes: Array<Change<Histories.Row>> = []
  const size = 1 + (yield* below(5))
  for (let ordinal = 0; ordinal < size; ordinal++) {
    const id = `${yield* below(200)}`
    const what = yield* below(10)
    const at = what < 8 || cycle < 10 ? cycle * 10 : cycle * 10 - 95 + (yield* below(9))
    const note = `note ${cycle} ${ordinal}`
    if (what === 0) changes.push(remove(at, id, ordinal))
    else if (what < 4 && live.has(id)) changes.push(put(at, { id, note }, { leavesOut: ["memo"], ordinal }))
    else changes.push(put(at, { id, note, memo: `memo ${cycle}` }, { ordinal }))
  }
  return changes
})

/** What the faults of a run have done to it. */
interface Toll {
  reopened: number
  replays: number
}

/** Publishes one cycle's batch by a writer of its own, which is opened again as often as its session is lost. */
const cycle = Effect.fnUntraced(function* (at: number, changes: ReadonlyArray<Change<Histories.Row>>, toll: Toll) {
  const segments = yield* segmentsOf([boxes], changes)
  const once = Effect.gen(function* () {
    const writer = yield* WarehouseSink.make({ tables: [boxes] }).open(key, position)
    const stands = Option.getOrElse(writer.watermark, () => 0n)
    const after = stands === 0n ? Option.none<bigint>() : Option.some(stands)
    assert.isTrue(stands === BigInt(at - 1) || stands === BigInt(at), `cycle ${at} found the watermark at ${stands}`)
    if (stands === BigInt(at)) return
    const batch = Batch.make({ after, through: BigInt(at) }, segments)
    yield* writer.commit(batch)
    toll.replays += (yield* writer.commit(batch)).replayed ? 1 : 0
  }).pipe(Effect.scoped)
  yield* once.pipe(
    Effect.tapError(() => Effect.sync(() => toll.reopened++)),
    Effect.retry({
      schedule: Schedule.spaced("1 second"),
      times: 20,
      while: (error) => error._tag === "ConnectorError" && error.isRetryable
    })
  )
})

layer(snowflake.fresh([boxes], root), { excludeTestServices: true, timeout: 60_000 })("lost answers", (it) => {
  it.effect(
    "K1 atomic, K2 idempotent: with one answer in five lost after execution, nothing is lost and nothing is there twice",
    Effect.fnUntraced(function* () {
      const cycles = yield* Config.Int("NORTHSTAR_CYCLES").pipe(Config.withDefault(50))
      const seed = yield* Config.String("NORTHSTAR_SEED").pipe(Config.withDefault("lost answers"))
      const { run, query } = yield* scene([boxes])
      const { faults } = yield* snowflake.server
      const all: Array<Change<Histories.Row>> = []
      const toll: Toll = { reopened: 0, replays: 0 }
      yield* Effect.gen(function* () {
        faults.add({ kind: "status", when: "after", status: 400, probability: 0.2 })
        // The driver itself sends these again, after a second or more.
        faults.add({
          kind: "drop",
          when: "after",
          matches: /^(COMMIT|MERGE)/,
          probability: 0.05,
          times: 2 + cycles / 100
        })
        // A session that is lost with its transaction and locks, before the statement: in one cycle of fifteen.
        faults.add({ kind: "gone", detached: true, matches: /^(COMMIT|MERGE|UPDATE northstar)/, probability: 0.01 })
        for (let at = 1; at <= cycles; at++) {
          const live = new Set(all.flatMap((change) => (change.op === "upsert" ? [change.key] : [])))
          const changes = yield* anyBatch(at, live)
          all.push(...changes)
          yield* run(cycle(at, changes, toll))
        }
        faults.clear()
      }).pipe(Effect.provideServiceEffect(Clock.Clock, hasty), Random.withSeed(seed))
      yield* Console.log(
        `lost answers: NORTHSTAR_SEED=${seed}, ${cycles} cycles, ${all.length} changes; lost: ${JSON.stringify(faults.struck)}; ` +
          `writers opened again: ${toll.reopened}, replays told: ${toll.replays}`
      )
      const folded = Fold.foldTables(all).get("boxes") ?? new Map()
      const expected = new Map(
        [...folded].map(([id, current]) => [id, current._tag === "Live" ? current.row : "held"] as const)
      )
      assert.deepStrictEqual((yield* run(contents([boxes]))).get("boxes"), expected)
      const [books] = yield* query(`SELECT (SELECT count(*) FROM curated.boxes__history) AS changes,
        (SELECT count(*) FROM (SELECT DISTINCT id, _version FROM curated.boxes__history) AS h) AS different,
        (SELECT count(*) FROM northstar.batches) AS batches, (SELECT sum(rows_in) FROM northstar.batches) AS rows_in,
        (SELECT count(*) FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held) AS wrong`)
      const n = `${all.length}`
      assert.deepStrictEqual(books, { changes: n, different: n, batches: `${cycles}`, rows_in: n, wrong: "0" })
      assert.isAbove(faults.struck.status, (10 * cycles) / 2)
    }),
    3_600_000
  )
})
