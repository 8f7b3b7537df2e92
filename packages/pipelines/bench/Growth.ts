import { Effect } from "effect"
import { globSync, statSync } from "node:fs"
import { join } from "node:path"
import * as Backlog from "./Backlog.ts"
import * as Check from "./Check.ts"
import type { Line } from "./Line.ts"
import { type Cost, median } from "./Measure.ts"
import { measured } from "./Pairs.ts"
import { say } from "./Report.ts"
import type * as Runner from "./Runner.ts"
import * as Seed from "./Seed.ts"
import * as Source from "./Source.ts"
import { shop } from "./Subject.ts"
import { template } from "./Runner.ts"

/** Turns of each measurement. */
const turns = 2

/** One size's figures. */
interface Point {
  readonly size: number
  readonly costs: ReadonlyArray<Cost>
  /** Bytes written per change. */
  readonly bytes: number
}

/**
 * Capture of three sizes of backlog, and ingest of one backlog (a quarter of `changes`) before three sizes of curated
 * tables: microseconds and bytes a change, against the smallest.
 */
export const run = Effect.fnUntraced(function* (folder: string, changes: number, lines: number) {
  const runner = yield* Source.prepared(folder, 0)
  const { project } = shop(runner.url, template(runner))
  const captures: Array<Point> = []
  const ingests: Array<Point> = []
  let filled = 0
  for (const size of [changes / 16, changes / 4, changes]) {
    filled = yield* Backlog.fill(runner.url, size, { before: filled })
    yield* say(`growth: capture of ${filled} changes`)
    captures.push(yield* point(runner, "capture", { changes: filled, size: filled, lines: 0 }))
    if (size !== changes / 4) continue
    let before = 0
    for (const curated of [lines / 10, lines / 3, lines].map((size) => Math.ceil(size / 1000) * 1000)) {
      yield* Seed.fill(project, curated, before)
      before = curated
      yield* say(`growth: ingest of ${filled} changes before ${curated} order lines`)
      ingests.push(yield* point(runner, "ingest", { changes: filled, size: curated, lines: curated }))
    }
  }
  return [
    ...linesOf("capture, by changes in the backlog", captures),
    ...linesOf("ingest, by order lines in curated", ingests)
  ]
}, Effect.scoped)

const point = Effect.fnUntraced(function* (
  runner: Runner.Runner,
  what: "capture" | "ingest",
  { changes, lines, size }: { readonly changes: number; readonly lines: number; readonly size: number }
) {
  const sums = yield* Effect.scoped(Backlog.sums(runner.url))
  const before = bytesOf(template(runner))
  const costs: Array<Cost> = []
  let bytes = 0
  for (let turn = 0; turn < turns; turn++) {
    const check = (folder: string) => {
      bytes = bytesOf(folder) - before
      return what === "capture" ? Check.landed(folder, sums) : Check.curated(folder, sums, lines)
    }
    costs.push(yield* measured(runner, what, changes, check))
  }
  return { size, costs, bytes: bytes / changes } satisfies Point
})

/** Bytes of landing log and warehouse. */
const bytesOf = (folder: string): number =>
  globSync("**/*.{parquet,json,duckdb,wal}", { cwd: folder })
    .map((path) => statSync(join(folder, path)).size)
    .reduce((sum, bytes) => sum + bytes, 0)

const linesOf = (what: string, points: ReadonlyArray<Point>): ReadonlyArray<Line> => {
  const micros = ({ costs }: Point) => median(costs.map(({ changes, seconds }) => (seconds / changes) * 1e6))
  const words = (of: Point) =>
    `${micros(of).toFixed(1)} µs, ${median(of.costs.map(({ cpuMicros }) => cpuMicros)).toFixed(1)} µs of CPU, ${of.bytes.toFixed(0)} bytes a change`
  const [smallest] = points
  if (smallest === undefined) return []
  return points.map((of) => ({
    what: `growth: ${what}: ${of.size}`,
    measured: words(of),
    baseline: `at ${smallest.size}: ${words(smallest)}`,
    ratio: micros(of) / micros(smallest),
    asked: undefined
  }))
}
