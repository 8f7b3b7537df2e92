import * as Batch from "@northstar/core/Batch"
import * as Pipeline from "@northstar/core/Pipeline"
import { sequence } from "@northstar/core/Position"
import { RunLedger } from "@northstar/core/RunLedger"
import type { Sink } from "@northstar/core/Sink"
import type { Source } from "@northstar/core/Source"
import * as Stage from "@northstar/core/Stage"
import { Effect, Option, Schedule, Stream } from "effect"
import type { Line } from "./Line.ts"
import { type Cost, median } from "./Measure.ts"
import * as Runner from "./Runner.ts"

const batchRows = 1_000
const turns = 3
const askedRowsPerSecond = 1_000_000

interface Row {
  readonly id: number
  readonly amount: number
}

/** Stages that do nothing, between a source and a sink of arrays, beside a loop over the same arrays. */
export const run = Effect.fnUntraced(function* (folder: string, rows: number) {
  const options = { changes: rows }
  const loops: Array<Cost> = []
  const engines: Array<Cost> = []
  for (let turn = 0; turn < turns; turn++) {
    loops.push((yield* Runner.run({ url: "", folder }, "engine-loop", options)) as Cost)
    engines.push((yield* Runner.run({ url: "", folder }, "engine", options)) as Cost)
  }
  const rate = (costs: ReadonlyArray<Cost>) => median(costs.map(({ changes, seconds }) => changes / seconds))
  const millions = (costs: ReadonlyArray<Cost>) => `${(rate(costs) / 1e6).toFixed(1)} M rows/s`
  return [
    {
      what: `engine: three empty stages, batches of ${batchRows} rows, against 1 M rows/s (a plain loop: ${millions(loops)})`,
      measured: millions(engines),
      baseline: "1 M rows/s",
      ratio: rate(engines) / askedRowsPerSecond,
      asked: { atLeast: 1 }
    }
  ] satisfies ReadonlyArray<Line>
})

const arrays = (rows: number): ReadonlyArray<ReadonlyArray<Row>> =>
  Array.from({ length: rows / batchRows }, (_, batch) =>
    Array.from({ length: batchRows }, (_, row) => ({ id: batch * batchRows + row, amount: row % 100 }))
  )

/** Sum of the rows' amounts: proof that each was looked at. */
const amountOf = (rows: number): number => (rows / 100) * 4950

/** Adds up all arrays; the time of making them counts as little as with the engine. */
export const loop = (rows: number) => {
  const all = arrays(rows)
  return Effect.sync(() => {
    let amount = 0
    for (const batch of all) for (const row of batch) amount += row.amount
    return check(rows, amount)
  })
}

/** The same sum behind three stages that leave every row as it is. */
export const engine = (rows: number) => {
  const all = arrays(rows)
  const position = sequence("bench/array")
  const source: Source<Row, bigint> = {
    name: "arrays",
    position,
    open: Effect.succeed({
      read: ({ after }) =>
        Stream.unfold(
          Option.getOrElse(after, () => 0n),
          (at) =>
            Effect.succeed(
              at === BigInt(all.length)
                ? undefined
                : ([
                    Batch.make(
                      { after: at === 0n ? Option.none() : Option.some(at), through: at + 1n },
                      all[Number(at)] ?? []
                    ),
                    at + 1n
                  ] as const)
            )
        ),
      head: Effect.succeed(Option.some(BigInt(all.length))),
      release: () => Effect.void
    })
  }
  let amount = 0
  const sink: Sink<Row> = {
    name: "sum",
    open: () =>
      Effect.succeed({
        watermark: Option.none(),
        commit: (batch) =>
          Effect.map(
            Stream.runForEach(batch.chunks, (chunk) =>
              Effect.sync(() => {
                for (const row of chunk) amount += row.amount
              })
            ),
            () => ({ through: batch.through, rows: batchRows, replayed: false })
          )
      })
  }
  const stage = Stage.compose(
    Stage.map((row: Row) => row),
    Stage.compose(
      Stage.filter(() => true),
      Stage.tapChunks(() => Effect.void)
    )
  )
  const key = { pipeline: "bench", stream: "arrays" }
  return Pipeline.run(Pipeline.make({ key, source, stage, sink, retry: Schedule.recurs(0) }), {
    program: "bench",
    untilCaughtUp: true
  }).pipe(
    Effect.map(() => check(rows, amount)),
    Effect.provide(RunLedger.layerMemory)
  )
}

const check = (rows: number, amount: number): number => (amount === amountOf(rows) ? rows : -1)
