/** `npm run bench`: what the road can do, as ratios to baselines of the same run. `-- --help` lists the flags. */
import { Cause, Clock, Effect, Exit } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { cpus, tmpdir, totalmem } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import * as Audit from "./Audit.ts"
import * as Engine from "./Engine.ts"
import { offer } from "./Freshness.ts"
import * as Growth from "./Growth.ts"
import type { Line } from "./Line.ts"
import * as Memory from "./Memory.ts"
import * as Pairs from "./Pairs.ts"
import * as PartnerFile from "./PartnerFile.ts"
import * as Replay from "./Replay.ts"
import * as Report from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Seed from "./Seed.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Source from "./Source.ts"
import { startUp } from "./StartUp.ts"
import { shop } from "./Subject.ts"

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    changes: { type: "string" },
    curated: { type: "string" },
    pairs: { type: "string" },
    rate: { type: "string" },
    seconds: { type: "string" },
    rows: { type: "string" },
    megabytes: { type: "string" },
    only: { type: "string" },
    folder: { type: "string", default: tmpdir() },
    help: { type: "boolean", default: false }
  }
})

const number = (text: string | undefined, normal: number, quick: number): number =>
  text === undefined ? (flags.quick ? quick : normal) : Number(text)

const settings = {
  changes: number(flags.changes, 1_000_000, 200_000),
  curated: number(flags.curated, 10_000_000, 400_000),
  pairs: number(flags.pairs, 5, 1),
  rate: number(flags.rate, 8_000, 4_000),
  seconds: number(flags.seconds, 60, 10),
  rows: number(flags.rows, 5_000_000, 300_000),
  megabytes: number(flags.megabytes, 1_000, 40)
}
/** Publishing is measured before a history of this part of `curated`, too. */
const smallerBy = 5
const engineRows = 5_000_000

const publish = Effect.fnUntraced(function* (folder: string) {
  const measure = Effect.fnUntraced(function* (name: string, lines: number) {
    const runner = { url: "", folder: join(folder, name) }
    yield* Report.say(`publishing batches of 100,000 recent inserts into ${lines} rows`)
    yield* Seed.fill(shop("", runner.folder).project, lines)
    return (yield* Runner.run(runner, "publish", { folder: runner.folder })) as Report.Batches
  })
  const small = yield* measure("small", settings.curated / smallerBy)
  return { smallerBy, small, large: yield* measure("large", settings.curated) }
})

const freshness = Effect.fnUntraced(function* (folder: string) {
  const runner = yield* Source.prepared(folder, settings.curated)
  yield* Report.say(`offering ${settings.rate} changes a second for ${settings.seconds} s`)
  const options = { folder: Runner.template(runner), seconds: settings.seconds + 15, run: 0 }
  const [seen, reached] = yield* Effect.all(
    [
      Runner.run(runner, "freshness", options),
      Effect.scoped(Effect.delay(offer(runner.url, settings.rate, settings.seconds), "4 seconds"))
    ],
    { concurrency: 2 }
  )
  return { ...(seen as Omit<Report.Freshness, "reached">), reached }
}, Effect.scoped)

const pairs = Effect.fnUntraced(function* (folder: string) {
  return yield* Pairs.run(yield* Source.prepared(folder, settings.curated), settings)
}, Effect.scoped)

const ofLines = <E, R>(lines: Effect.Effect<ReadonlyArray<Line>, E, R>) => Effect.map(lines, (lines) => ({ lines }))

/** Every bench by the name that `--only` takes, in the order in which they run. */
const benches = {
  startup: () => Effect.map(startUp, (startUp) => ({ startUp })),
  engine: (folder: string) => ofLines(Engine.run(folder, engineRows)),
  pairs: (folder: string) => Effect.map(pairs(folder), (pairs) => ({ pairs })),
  publish: (folder: string) => Effect.map(publish(folder), (publish) => ({ publish })),
  freshness: (folder: string) => Effect.map(freshness(folder), (freshness) => ({ freshness })),
  snapshot: (folder: string) => ofLines(Snapshot.run(folder, settings.rows)),
  csv: (folder: string) => ofLines(PartnerFile.run(folder, settings.megabytes)),
  reconcile: (folder: string) => ofLines(Audit.run(folder, settings.curated)),
  backfill: (folder: string) => ofLines(Replay.run(folder, settings)),
  growth: (folder: string) => ofLines(Growth.run(folder, settings.changes, settings.curated)),
  transaction: (folder: string) => ofLines(Memory.run(folder, "transaction", settings.rows)),
  backlog: (folder: string) => ofLines(Memory.run(folder, "backlog", settings.rows * 2))
}

const names = Object.keys(benches) as ReadonlyArray<keyof typeof benches>

const usage = `npm run bench -- [flags]
  --quick            small sizes, a few minutes; its ratios say little
  --only a,b         of ${names.join(", ")}
  --changes N        changes in the backlog of pairs, growth and backfill (default 1,000,000)
  --curated N        order lines in curated before, and rows to reconcile (default 10,000,000)
  --pairs N          times that drain, capture and ingest run in turn (default 5)
  --rate N           changes a second offered for freshness and backfill (default 8,000)
  --seconds N        how long they are offered (default 60)
  --rows N           rows of the snapshot and of the one transaction, half of the memory's backlog (default 5,000,000)
  --megabytes N      size of the partner's file (default 1,000)
  --folder PATH      where databases live meanwhile (default: the system's temporary folder)
`

const program = Effect.gen(function* () {
  const wanted = new Set(flags.only?.split(",") ?? names)
  const report: Report.Report = { machine: machine(), date: yield* today, settings }
  const lines: Array<Line> = []
  for (const name of names.filter((name) => wanted.has(name))) {
    const startMs = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(inFolder(benches[name]))
    const seconds = Math.round(((yield* Clock.currentTimeMillis) - startMs) / 1000)
    if (Exit.isFailure(exit)) {
      // What the others found in the last half hour is still worth telling.
      yield* Report.say(`${name} failed after ${seconds} s: ${Cause.pretty(exit.cause)}`)
      process.exitCode = 1
      continue
    }
    const { lines: found = [], ...part } = exit.value
    lines.push(...found)
    Object.assign(report, part)
    yield* Report.say(`${name} took ${seconds} s`)
  }
  if (lines.length > 0) report.lines = lines
  yield* Effect.sync(() => process.stdout.write(`${Report.render(report)}\n${JSON.stringify(report)}\n`))
})

/** A bench leaves nothing on the disk. */
const inFolder = (bench: (folder: string) => Effect.Effect<Partial<Report.Report>, unknown>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(flags.folder, "northstar-bench-"))),
    bench,
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const today = Effect.map(Clock.currentTimeMillis, (ms) => new Date(ms).toISOString().slice(0, 10))

const machine = () => ({
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node
})

if (flags.help) process.stdout.write(usage)
else await Effect.runPromise(program)
