import * as Backfill from "@northstar/connectors/project/Backfill"
import * as Ingest from "@northstar/connectors/project/Ingest"
import { Effect } from "effect"
import * as Backlog from "./Backlog.ts"
import type { Line } from "./Line.ts"
import { offer } from "./Freshness.ts"
import { type Freshness, say } from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Source from "./Source.ts"
import { shop } from "./Subject.ts"

/** What is measured. */
interface Settings {
  readonly changes: number
  readonly curated: number
  readonly rate: number
  readonly seconds: number
}

/** Freshness of an ingest at a rate, alone and while another process reads the landing log again. */
export const run = Effect.fnUntraced(function* (folder: string, { changes, curated, rate, seconds }: Settings) {
  const runner = yield* Source.prepared(folder, curated)
  const options = { folder: Runner.template(runner), seconds: seconds + 15 }
  yield* say(`backfill: landing and loading ${changes} changes, to be read again`)
  yield* Backlog.fill(runner.url, changes)
  yield* Ingest.ingest(shop(runner.url, options.folder).project, { untilCaughtUp: true })
  const measure = Effect.fnUntraced(function* (run: number, beside: Effect.Effect<unknown>) {
    const [seen, reached, read] = yield* Effect.all(
      [
        Runner.run(runner, "freshness", { ...options, run }),
        Effect.delay(offer(runner.url, rate, seconds, run), "4 seconds"),
        Effect.delay(beside, "4 seconds")
      ],
      { concurrency: 3 }
    )
    const found = { ...(seen as Omit<Freshness, "reached">), reached }
    yield* say(`p50 ${found.p50.toFixed(2)} s, p99 ${found.p99.toFixed(2)} s at ${reached.toFixed(0)}/s`)
    return { found, read: Number(read ?? 0) }
  })
  const alone = yield* measure(0, Effect.void)
  const beside = yield* measure(1, Runner.run(runner, "backfill", { folder: options.folder, seconds }))
  const words = ({ p50, p99, reached }: Freshness) =>
    `p50 ${p50.toFixed(2)} s, p99 ${p99.toFixed(2)} s at ${reached.toFixed(0)} changes/s`
  return [
    {
      what: `freshness (p99) while a backfill reads ${(beside.read / seconds / 1000).toFixed(0)} k changes/s of landing`,
      measured: words(beside.found),
      baseline: `alone: ${words(alone.found)}`,
      ratio: beside.found.p99 / alone.found.p99,
      asked: { atMost: 1.5 }
    }
  ] satisfies ReadonlyArray<Line>
}, Effect.scoped)

/** Reads the whole log again, time after time; answers the changes read in these seconds. */
export const backfill = Effect.fnUntraced(function* (url: string, folder: string, seconds: number) {
  let rows = 0
  let finished = 0
  yield* Backfill.fromLog(shop(url, folder), {
    onProgress: (progress) =>
      Effect.sync(() => {
        rows = progress.rows
      })
  }).pipe(
    Effect.tap(() =>
      Effect.sync(() => {
        finished += rows
        rows = 0
      })
    ),
    Effect.forever,
    Effect.timeoutOption(`${seconds} seconds`)
  )
  return finished + rows
})
