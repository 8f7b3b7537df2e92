import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Context, Effect, Fiber, Layer, Option, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import type { Change, Version } from "@northstar/core/Change"
import * as Memory from "@northstar/core/Memory"
import { sequence, unbounded } from "@northstar/core/Position"
import { ChangeLaws, Histories, SinkLaws, SourceLaws } from "@northstar/core/testing"
import { WatermarkStore } from "@northstar/core/WatermarkStore"

const position = sequence("memory/sequence")
const key = { pipeline: "test", stream: "parcels" }

const commits = [
  { at: 1n, rows: ["a", "b"] },
  { at: 2n, rows: [] },
  { at: 5n, rows: ["c"] },
  { at: 6n, rows: ["d"], committedAtMs: 1_000 },
  { at: 9n, rows: [] }
]

describe("source", () => {
  for (const batchRows of [1, 2, 100]) {
    const make = Memory.source({ name: "letters", position, commits, batchRows })
    for (const law of SourceLaws.laws({ name: `memory in batches of ${batchRows} rows`, make, live: false })) {
      it.effect(law.name, () => law.check)
    }
  }

  it.effect("an open read sees commits that are appended later", () =>
    Effect.gen(function* () {
      const source = yield* Memory.source({ name: "letters", position, commits: [{ at: 1n, rows: ["a"] }] })
      const reader = yield* source.open
      const reading = yield* reader
        .read(unbounded)
        .pipe(Stream.take(2), Stream.mapEffect(Batch.rows), Stream.runCollect, Effect.forkChild)
      yield* source.append([{ at: 2n, rows: ["b"] }])
      assert.deepStrictEqual(yield* Fiber.join(reading), [["a"], ["b"]])
    })
  )

  it.effect("a closed range ends at exactly its end, though nothing was committed there", () =>
    Effect.gen(function* () {
      const source = yield* Memory.source({ name: "letters", position, commits })
      const reader = yield* source.open
      const range = { after: Option.some(2n), through: Option.some(8n) }
      const ends = yield* reader.read(range).pipe(
        Stream.map(({ through }) => through),
        Stream.runCollect
      )
      assert.deepStrictEqual(ends, [5n, 6n, 8n])
    })
  )
})

/** A fresh memory sink with a watermark store of its own. */
const store = Effect.gen(function* () {
  const sink = yield* Memory.sink<Histories.Row>("memory")
  const watermarks = Context.get(yield* Layer.build(WatermarkStore.layerMemory), WatermarkStore)
  const rows = Effect.map(sink.contents, (tables) => {
    const all = new Map<string, Map<string, Histories.Row | "held">>()
    for (const [table, ofTable] of tables) {
      const current = [...ofTable].map(([id, row]) => [id, row._tag === "Live" ? row.row : "held"] as const)
      all.set(table, new Map(current))
    }
    return all
  })
  return {
    open: Effect.provideService(sink.open(key, position), WatermarkStore, watermarks),
    contents: sink.contents,
    encode: (changes: ReadonlyArray<Change<Histories.Row>>) => Effect.succeed(changes),
    rows
  }
})

const at = (n: number) => BigInt(n)

describe("sink", () => {
  const batches = Histories.deliveries({ partial: true, truncates: true, losses: true }).pipe(
    Arbitrary.map((delivery) => delivery.batches)
  )
  const subject = { name: "memory", position, at, make: store, runs: 30 }
  for (const law of [...SinkLaws.laws({ ...subject, batches }), ...ChangeLaws.laws(subject)]) {
    it.effect(law.name, () => law.check)
  }

  const version: Version = { epoch: 1, position: 8n, ordinal: 0, revision: 1 }
  const upsert = (id: string, note: string): Change<Histories.Row> => ({
    op: "upsert",
    table: "parcels",
    key: id,
    version,
    row: { id, note },
    unchanged: []
  })

  it.effect("two different changes of one key and version are refused, of two keys they are not", () =>
    Effect.gen(function* () {
      const writer = yield* (yield* store).open
      const first = Batch.make({ after: Option.none(), through: 1n }, [upsert("1", "a"), upsert("2", "b")])
      assert.strictEqual((yield* writer.commit(first)).rows, 2)
      const second = Batch.make({ after: Option.some(1n), through: 2n }, [upsert("1", "another")])
      const error = yield* Effect.flip(writer.commit(second))
      assert.strictEqual(error._tag === "ConnectorError" ? error.reason._tag : error._tag, "InvalidData")
    })
  )

  it.effect("a watermark written by another type of position is refused", () =>
    Effect.gen(function* () {
      const sink = yield* Memory.sink<Histories.Row>("memory")
      const writer = yield* sink.open(key, position)
      yield* writer.commit(Batch.make({ after: Option.none(), through: 1n }, []))
      const error = yield* Effect.flip(sink.open(key, sequence("another/sequence")))
      assert.strictEqual(error.reason._tag, "Misconfigured")
    }).pipe(Effect.provide(WatermarkStore.layerMemory))
  )
})

it.effect("a sample of the histories holds what the laws are about", () =>
  Effect.gen(function* () {
    const shape = { partial: true, truncates: true, losses: true }
    const sample = yield* Arbitrary.sampleEffect(Histories.histories(shape), { count: 50, size: 40, seed: 1 })
    const changes = sample.flatMap((history) => history.changes)
    const counts = Map.groupBy(changes, (change) => change.op)
    for (const op of ["upsert", "delete", "truncate"] as const) assert.isAbove(counts.get(op)?.length ?? 0, 20)
    const upserts = changes.filter((change) => change.op === "upsert")
    assert.isAbove(upserts.filter(({ unchanged }) => unchanged.length > 0).length, 20)
    assert.isAbove(
      upserts.filter(({ movedFrom, unchanged }) => movedFrom !== undefined && unchanged.length > 0).length,
      5
    )
  })
)
