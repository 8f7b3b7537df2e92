import { Effect } from "effect"
import * as Backlog from "./Backlog.ts"
import * as Check from "./Check.ts"
import type { Line } from "./Line.ts"
import { type Cost, inWords } from "./Measure.ts"
import { say } from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Source from "./Source.ts"

/** What a process may hold, MB. */
export const rssMax = 500

/** Largest resident memory of an ingest into an empty warehouse: of one transaction, or of a backlog of many. */
export const run = Effect.fnUntraced(function* (folder: string, kind: "transaction" | "backlog", changes: number) {
  const runner = yield* Source.prepared(folder, 0)
  yield* say(`memory: filling ${changes} changes`)
  const filled = yield* Backlog.fill(
    runner.url,
    changes,
    kind === "transaction" ? { ordersAtOnce: changes / (1 + Backlog.linesPerOrder) } : {}
  )
  const sums = yield* Effect.scoped(Backlog.sums(runner.url))
  const measure = (what: "capture" | "ingest", check: (copied: string) => ReturnType<typeof Check.landed>) =>
    Runner.onCopy(runner, (copied) =>
      Effect.gen(function* () {
        const cost = (yield* Runner.run(runner, what, { folder: copied })) as Cost
        yield* Check.same(`${what}: changes`, cost.changes, filled)
        yield* check(copied)
        const of = kind === "transaction" ? `one transaction of ${filled} changes` : `a backlog of ${filled} changes`
        return {
          what: `resident memory: ${what} of ${of}`,
          measured: inWords([cost]),
          baseline: `${rssMax} MB`,
          ratio: cost.rssMb / rssMax,
          asked: { atMost: 1 }
        } satisfies Line
      })
    )
  const capture = yield* measure("capture", (copied) => Check.landed(copied, sums))
  yield* Backlog.rewind(runner.url)
  return [capture, yield* measure("ingest", (copied) => Check.curated(copied, sums, 0))]
}, Effect.scoped)
