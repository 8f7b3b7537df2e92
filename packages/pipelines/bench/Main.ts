/** `npm run bench`: what the road can do, as ratios to baselines of the same run. `-- --help` lists the flags. */
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as Ingest from "@northstar/connectors/project/Ingest"
import { Clock, Effect } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { cpus, tmpdir, totalmem } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Backlog from "./Backlog.ts"
import * as Pairs from "./Pairs.ts"
import * as Report from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Seed from "./Seed.ts"
import { startUp } from "./StartUp.ts"
import { offer } from "./Freshness.ts"
import { shop } from "./Subject.ts"

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    changes: { type: "string" },
    curated: { type: "string" },
    pairs: { type: "string" },
    rate: { type: "string" },
    seconds: { type: "string" },
    only: { type: "string", default: "pairs,publish,freshness,startup" },
    folder: { type: "string", default: tmpdir() },
    help: { type: "boolean", default: false }
  }
})

const usage = `npm run bench -- [flags]
  --quick            small sizes, two to three minutes; its ratios say little
  --changes N        changes in the backlog (default 1,000,000)
  --curated N        order lines in curated before (default 10,000,000)
  --pairs N          times that drain, capture and ingest run in turn (default 5)
  --rate N           changes a second offered for freshness (default 8,000)
  --seconds N        how long they are offered (default 60)
  --only a,b         of pairs, publish, freshness, startup
  --folder PATH      where databases live meanwhile (default: the system's temporary folder)
`

const number = (text: string | undefined, normal: number, quick: number): number =>
  text === undefined ? (flags.quick ? quick : normal) : Number(text)

const settings = {
  changes: number(flags.changes, 1_000_000, 200_000),
  curated: number(flags.curated, 10_000_000, 400_000),
  pairs: number(flags.pairs, 5, 1),
  rate: number(flags.rate, 8_000, 4_000),
  seconds: number(flags.seconds, 60, 10)
}
/** Publishing is measured before a history of this part of `curated`, too. */
const smallerBy = 5

const program = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(flags.folder, "northstar-bench-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const wanted = new Set(flags.only.split(","))
  const report: Report.Report = { machine: machine(), date: yield* today, settings }
  if (wanted.has("startup")) report.startUp = yield* startUp
  if (wanted.has("pairs")) report.pairs = yield* Effect.scoped(pairs(join(folder, "pairs")))
  if (wanted.has("publish")) report.publish = yield* publish(join(folder, "publish"))
  if (wanted.has("freshness")) report.freshness = yield* Effect.scoped(freshness(join(folder, "freshness")))
  yield* Effect.sync(() => process.stdout.write(`${Report.render(report)}\n${JSON.stringify(report)}\n`))
})

/** A server with the shop's empty tables, ingested once, and curated filled with older rows. */
const prepared = Effect.fnUntraced(function* (folder: string) {
  yield* say("preparing: the shop's empty tables are ingested once, then curated is filled")
  const { url } = yield* Postgres.start({ settings: { max_wal_size: "8GB", checkpoint_timeout: "1h" } })
  const runner = { url, folder }
  yield* Backlog.prepare(url)
  yield* Ingest.ingest(shop(url, Runner.template(runner)).project, { untilCaughtUp: true })
  yield* Backlog.mark(url)
  yield* Seed.fill(shop(url, Runner.template(runner)).project, settings.curated)
  return runner
})

const pairs = Effect.fnUntraced(function* (folder: string) {
  return yield* Pairs.run(yield* prepared(folder), settings)
})

const publish = Effect.fnUntraced(function* (folder: string) {
  const measure = Effect.fnUntraced(function* (name: string, lines: number) {
    const runner = { url: "", folder: join(folder, name) }
    yield* say(`publishing batches of 100,000 recent inserts into ${lines} rows`)
    yield* Seed.fill(shop("", runner.folder).project, lines)
    return (yield* Runner.run(runner, "publish", { folder: runner.folder })) as Report.Batches
  })
  const small = yield* measure("small", settings.curated / smallerBy)
  return { smallerBy, small, large: yield* measure("large", settings.curated) }
})

const freshness = Effect.fnUntraced(function* (folder: string) {
  const runner = yield* prepared(folder)
  yield* say(`offering ${settings.rate} changes a second for ${settings.seconds} s`)
  const [seen, reached] = yield* Effect.all(
    [
      Runner.run(runner, "freshness", { folder: Runner.template(runner), seconds: settings.seconds + 15 }),
      Effect.delay(offer(runner.url, settings.rate, settings.seconds), "4 seconds")
    ],
    { concurrency: 2 }
  )
  return { ...(seen as Omit<Report.Freshness, "reached">), reached }
})

const say = (text: string) => Effect.sync(() => process.stderr.write(`${text}\n`))

const today = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms).toISOString().slice(0, 10))

const machine = () => ({
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node
})

if (flags.help) process.stdout.write(usage)
else await Effect.runPromise(Effect.scoped(program))
