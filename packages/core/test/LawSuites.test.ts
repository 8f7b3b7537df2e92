/** The law suites catch what they are there to catch. */
import { assert, describe, it } from "@effect/vitest"
import * as Batch from "@northstar/core/Batch"
import type { Change } from "@northstar/core/Change"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { everyRow } from "@northstar/core/Expectation"
import * as Failpoint from "@northstar/core/Failpoint"
import * as Memory from "@northstar/core/Memory"
import { type Range, sequence } from "@northstar/core/Position"
import type { Writer } from "@northstar/core/Sink"
import type { Reader, Source } from "@northstar/core/Source"
import type { Stage } from "@northstar/core/Stage"
import {
  ChangeLaws,
  ExpectationLaws,
  Histories,
  type Law,
  SinkLaws,
  SourceLaws,
  StageLaws
} from "@northstar/core/testing"
import { Arbitrary, Effect, Option, Ref, Schema, Stream } from "effect"

const position = sequence("test/sequence")

/** Registers the test that a subject breaks these of its laws, perhaps with others; none at all if none are named. */
const breaks = (what: string, laws: ReadonlyArray<Law.Law>, ids: ReadonlyArray<string>) =>
  it.effect(`${what} breaks ${ids.join(", ") || "no law"}`, () =>
    Effect.gen(function* () {
      const broken: Array<string> = []
      for (const { name, check } of laws) {
        if ((yield* Effect.exit(check))._tag === "Failure") broken.push(name.slice(0, 2))
      }
      if (ids.length === 0) assert.deepStrictEqual(broken, [])
      else assert.includeMembers(broken, [...ids])
    })
  )

describe("SourceLaws", () => {
  const commits = [1n, 2n, 3n, 4n].map((at) => ({ at, rows: [`${at}`] }))
  const sourceLaws = (change: (reader: Reader<string, bigint>) => Reader<string, bigint>) => {
    const make = Effect.map(
      Memory.source({ name: "letters", position, commits }),
      (source): Source<string, bigint> => ({ ...source, open: Effect.map(source.open, change) })
    )
    return SourceLaws.laws({ name: "it", make, live: false })
  }
  type Read = Reader<string, bigint>["read"]
  const reading = (f: (batches: ReturnType<Read>, range: Range<bigint>) => ReturnType<Read>) =>
    sourceLaws((reader) => ({ ...reader, read: (range) => f(reader.read(range), range) }))

  let time = 0
  breaks(
    "the memory source",
    reading((batches) => batches),
    []
  )
  breaks("a source that loses a batch", reading(Stream.drop(1)), ["S1"])
  breaks(
    "a source that loses its first rows when it resumes",
    reading((batches, { after }) =>
      Option.isNone(after) ? batches : Stream.map(batches, (batch) => ({ ...batch, chunks: Stream.empty }))
    ),
    ["S2"]
  )
  breaks(
    "a source that stands still",
    reading((batches) =>
      Stream.flatMap(batches, (batch) => Stream.make(batch, { ...batch, after: Option.some(batch.through) }))
    ),
    ["S3"]
  )
  breaks(
    "a source that never reads the same again",
    reading((batches) => Stream.map(batches, (batch) => Batch.mapChunks(batch, () => Stream.succeed([`${time++}`])))),
    ["S2", "S4"]
  )
})

/** How a sink of letters may be wrong. */
type Flaw = "none" | "torn" | "repeats" | "unfenced" | "per batch"

const step = Failpoint.declare("flawed", ["written", "moved"])

const flawedStore = (flaw: Flaw) =>
  Effect.gen(function* () {
    const rows = yield* Ref.make<ReadonlyArray<string>>([])
    const stands = yield* Ref.make(Option.none<bigint>())
    const open: Effect.Effect<Writer<string, bigint>, ConnectorError> = Effect.map(Ref.get(stands), (watermark) => ({
      watermark,
      commit: Effect.fnUntraced(function* (batch) {
        const now = flaw === "unfenced" ? watermark : yield* Ref.get(stands)
        const isReplay =
          Option.isSome(yield* Ref.get(stands)) && Option.getOrThrow(yield* Ref.get(stands)) >= batch.through
        if (isReplay && flaw !== "repeats" && flaw !== "unfenced")
          return { through: batch.through, rows: 0, replayed: true }
        if (!isReplay && Option.getOrUndefined(now) !== Option.getOrUndefined(batch.after)) {
          return { through: batch.through, rows: 0, replayed: true }
        }
        const added = yield* Batch.rows(batch)
        yield* step("written")
        yield* Ref.update(rows, (all) => [...all, ...added, ...(flaw === "per batch" ? ["|"] : [])])
        if (flaw === "torn") yield* step("moved")
        yield* Ref.set(stands, Option.some(batch.through))
        return { through: batch.through, rows: added.length, replayed: isReplay && flaw !== "unfenced" }
      })
    }))
    return { open, contents: Ref.get(rows) }
  })

describe("SinkLaws", () => {
  const letters = Arbitrary.schema(Schema.Literals(["a", "b", "c"]))
  const batches = Arbitrary.array(Arbitrary.array(letters, { minLength: 1 }), { minLength: 3, maxLength: 5 })
  const sinkLaws = (flaw: Flaw) =>
    SinkLaws.laws({ name: "it", position, at: BigInt, batches, make: flawedStore(flaw), runs: 20 })

  breaks("a sound sink", sinkLaws("none"), [])
  breaks("a sink that moves its watermark apart from its rows", sinkLaws("torn"), ["K1"])
  breaks("a sink that stores a repeated batch again", sinkLaws("repeats"), ["K2"])
  breaks("a sink that compares with the watermark it opened at", sinkLaws("unfenced"), ["K2", "K4"])
  breaks("a sink whose contents depend on batches", sinkLaws("per batch"), ["K3"])
})

describe("ChangeLaws", () => {
  type Fold = (rows: ReadonlyArray<Change<Histories.Row>>) => ChangeLaws.Rows
  const changeLaws = (fold: Fold) => {
    const make = Effect.gen(function* () {
      const all = yield* Ref.make<ReadonlyArray<Change<Histories.Row>>>([])
      const writer: Writer<Change<Histories.Row>, bigint> = {
        watermark: Option.none(),
        commit: (batch) =>
          Effect.flatMap(Batch.rows(batch), (rows) =>
            Effect.as(
              Ref.update(all, (before) => [...before, ...rows]),
              { through: batch.through, rows: 0, replayed: false }
            )
          )
      }
      return {
        open: Effect.succeed(writer),
        contents: Ref.get(all),
        encode: (changes: ReadonlyArray<Change<Histories.Row>>) => Effect.succeed(changes),
        rows: Effect.map(Ref.get(all), fold)
      }
    })
    return ChangeLaws.laws({ name: "it", position, at: BigInt, make, runs: 100 })
  }
  /** Last arrival wins, whatever its version; partial changes overwrite with NULL. */
  const lastArrival: Fold = (changes) => {
    const tables = new Map<string, Map<string, Histories.Row>>()
    for (const change of changes) {
      const rows = tables.get(change.table) ?? new Map<string, Histories.Row>()
      tables.set(change.table, rows)
      if (change.op === "upsert") rows.set(change.key, { note: null, memo: null, ...change.row })
      else if (change.op === "delete") rows.delete(change.key)
      else rows.clear()
    }
    return new Map([...tables].filter(([, rows]) => rows.size > 0))
  }
  breaks("a sink in which the last arrival wins", changeLaws(lastArrival), ["K5", "K6", "K7"])
})

describe("StageLaws", () => {
  const stageLaws = (stage: Stage<number, number>) =>
    StageLaws.laws({ name: "it", stage, rows: Arbitrary.schema(Schema.Int) })

  breaks("a stage that drops a batch", stageLaws(Stream.drop(1)), ["T1"])
  breaks(
    "a stage that joins batches",
    stageLaws((batches) => {
      const joined = batches.pipe(Stream.grouped(2))
      return Stream.map(joined, ([first, ...rest]) => rest.reduce(Batch.concat, first))
    }),
    ["T1"]
  )
})

describe("ExpectationLaws", () => {
  const even = everyRow<number>({
    name: "even",
    holds: (row) => row % 2 === 0,
    locate: () => ({ table: "numbers", version: { epoch: 1, position: 1n, ordinal: 0, revision: 1 } })
  })
  const rows = Arbitrary.schema(Schema.Int)
  const countsBatches = {
    ...even,
    observe: (rows: ReadonlyArray<number>) => (rows.length > 3 ? even.observe(rows) : even)
  }
  breaks(
    "an expectation that looks at large batches only",
    ExpectationLaws.laws({ expectation: countsBatches, rows }),
    ["E1"]
  )
})
