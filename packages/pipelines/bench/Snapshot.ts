import { Effect } from "effect"
import { mkdirSync } from "node:fs"
import * as Backlog from "./Backlog.ts"
import * as Check from "./Check.ts"
import type { Line } from "./Line.ts"
import { type Cost, inWords, median } from "./Measure.ts"
import { say } from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Source from "./Source.ts"

/** Turns of COPY and snapshot. */
const turns = 2

/** The first snapshot of the shop's tables into an empty landing log, beside COPY of the same tables to the same client. */
export const run = Effect.fnUntraced(function* (folder: string, rows: number) {
  const runner = yield* Source.server(folder)
  mkdirSync(Runner.template(runner), { recursive: true })
  yield* say(`snapshot: filling ${rows} rows`)
  yield* Backlog.tables(runner.url)
  const filled = yield* Backlog.fill(runner.url, rows)
  yield* Backlog.script(runner.url, "vacuum analyze orders")
  yield* Backlog.script(runner.url, "vacuum analyze order_lines")
  yield* Backlog.begin(runner.url)
  yield* Backlog.mark(runner.url)
  const sums = yield* Effect.scoped(Backlog.sums(runner.url))
  const copies: Array<Cost> = []
  const snapshots: Array<Cost> = []
  for (let turn = 0; turn < turns; turn++) {
    const copy = (yield* Runner.run(runner, "copy", {})) as Cost
    yield* Check.same("rows copied", copy.changes, filled)
    yield* Backlog.rewind(runner.url)
    const snapshot = yield* Runner.onCopy(runner, (copied) =>
      Effect.gen(function* () {
        const cost = (yield* Runner.run(runner, "capture", { folder: copied })) as Cost
        yield* Check.landed(copied, sums)
        return { ...cost, changes: filled }
      })
    )
    copies.push(copy)
    snapshots.push(snapshot)
    yield* say(`turn ${turn + 1}: ${copy.seconds.toFixed(1)} s, ${snapshot.seconds.toFixed(1)} s`)
  }
  return [
    {
      what: `snapshot of ${filled} rows into the landing log`,
      measured: inWords(snapshots),
      baseline: `COPY TO STDOUT drained: ${inWords(copies)}`,
      ratio: median(copies.map(({ seconds }, turn) => seconds / (snapshots[turn]?.seconds ?? 0))),
      asked: { atLeast: 0.5 }
    }
  ] satisfies ReadonlyArray<Line>
}, Effect.scoped)
