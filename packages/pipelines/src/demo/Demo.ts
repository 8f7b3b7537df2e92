import { Effect, Schedule } from "effect"
import * as Replay from "../shop/Replay.ts"
import * as Acts from "./Acts.ts"
import * as Comparison from "./Comparison.ts"
import * as Conclusion from "./Conclusion.ts"
import * as Marts from "./Marts.ts"
import * as Meter from "./Meter.ts"
import type * as Process from "./Process.ts"
import * as Report from "./Report.ts"
import * as Scene from "./Scene.ts"
import { begin, count, span, type Story, type StoryEvent } from "./Story.ts"

/** How to run the demo. */
export interface DemoOptions {
  /** Everything is written below it; default `.northstar/demo`. Must be empty, missing, or of an earlier demo. */
  readonly folder?: string
  /** What goes wrong in the shop is drawn from it; default `northstar`. */
  readonly seed?: string
  /** Seconds in which the live days are replayed; default 36. */
  readonly liveSeconds?: number
  /** Command line that starts the CLI; default: the program that runs now. */
  readonly northstar?: ReadonlyArray<string>
  readonly onEvent: (event: StoryEvent) => Effect.Effect<void>
}

/** 3 December 2010, when the shop has been open for two days. */
const liveFromMs = Date.UTC(2010, 11, 3)

/**
 * Runs a shop on a PostgreSQL of its own, ingests its orders while it sells and does to the ingester what happens in
 * production; then compares source and curated tables. Leaves its folder, and no process behind.
 */
export const run = Effect.fn("Demo.run")(function* (options: DemoOptions) {
  const story = yield* begin(options.onEvent)
  const folder = options.folder ?? ".northstar/demo"
  const northstar = options.northstar ?? [process.execPath, ...process.execArgv, process.argv[1] ?? ""]
  yield* story.chapter("A shop opens")
  const scene = yield* Scene.open({ folder, northstar })
  const past = yield* opening(story, scene, options.seed ?? "northstar")
  const play = { scene, story, meter: yield* Meter.make(scene) }
  const { ingester, restartedAtMs, ...trade } = yield* trading(play, past, options.liveSeconds ?? 36)
  const measured = { ...(yield* play.meter.results), reading: yield* play.meter.reading }
  const { agreed, ...proof } = yield* ending(play, ingester, restartedAtMs)
  const isStopped = yield* stopped(play, ingester)
  const agree = agreed && isStopped && trade.secondIngesterRefused && trade.backfill.news === 0
  return yield* Conclusion.make(play, { ...trade, ...proof, agree }, measured)
}, Effect.scoped)

/** The last transactions come by themselves when all others are visible: they make a small batch, to be taken back. */
const lastEvents = 20
const lastEventsPerSecond = 50

type Past = Effect.Success<ReturnType<typeof Scene.fill>>

const opening = Effect.fnUntraced(function* (story: Story, scene: Scene.Scene, seed: string) {
  yield* story.step(
    "plain",
    `PostgreSQL ${scene.major} runs on port ${scene.port}`,
    "A real server out of node_modules: no Docker, nothing to install."
  )
  const past = yield* Scene.fill(scene, { seed, liveFromMs })
  yield* story.step(
    "plain",
    `the shop has been open for two days: ${count(past.orders)} orders with ${count(past.lines)} lines`,
    "Online Retail, December 2010: real orders of a British shop, with its credits and its write-offs."
  )
  const { steps } = yield* Scene.prepareSource(scene)
  yield* story.step(
    "plain",
    `northstar source apply: ${steps.map(({ description }) => description.split(";")[0]).join("; ")}`,
    "All that the source is asked for. It is read from its log: no polling, no long query, no lock."
  )
  return past
})

/** The live days: trade, and what is done to the ingester meanwhile. */
const trading = Effect.fnUntraced(function* (play: Acts.Play, past: Past, liveSeconds: number) {
  const { meter, scene, story } = play
  const { events } = past
  yield* story.chapter(`Five days of trade in ${liveSeconds} seconds, while things go wrong`)
  const trade = (part: Replay.Plan["events"], before: number, eventsPerSecond: number) =>
    Replay.run(scene.url, part, {
      eventsPerSecond,
      onProgress: ({ changed }) => meter.committed(before + changed)
    })
  const shop = trade(events.slice(0, -lastEvents), 0, events.length / liveSeconds)
  const at = (share: number) =>
    Acts.until(
      "the shop did not go on",
      Effect.map(meter.reading, ({ transactions }) => transactions >= share * events.length)
    )
  const acts = Effect.gen(function* () {
    const first = yield* started(play, past)
    yield* at(0.22)
    const { ingester, startedAtMs } = yield* Acts.kill(play, first)
    return yield* Acts.besides(
      ingester,
      Effect.gen(function* () {
        yield* at(0.36)
        const secondIngesterRefused = yield* Acts.rival(play)
        const backfill = yield* Acts.backfill(play)
        return { ingester, restartedAtMs: startedAtMs, backfill, secondIngesterRefused }
      })
    )
  })
  const all = Effect.gen(function* () {
    const [found, changed] = yield* Effect.all([acts, shop], { concurrency: 2 })
    yield* Acts.besides(found.ingester, Acts.caughtUp(play))
    yield* trade(events.slice(-lastEvents), changed, lastEventsPerSecond)
    yield* Acts.besides(found.ingester, Acts.caughtUp(play))
    yield* story.step(
      "plain",
      `the shop closes after ${count(events.length)} transactions, and readers see all of them`
    )
    return found
  })
  return yield* Effect.raceFirst(all, watching(play, events.length))
})

const started = Effect.fnUntraced(function* (play: Acts.Play, past: Past) {
  const { meter, scene, story } = play
  const ingester = yield* scene.northstar("ingest-1", "ingest")
  yield* story.step(
    "plain",
    `northstar ingest starts, as process ${ingester.pid}; customers do not wait for it`,
    "It reads what is there in short chunks, and the changes that happen meanwhile from the log."
  )
  const isThere = Effect.flatMap(meter.reading, ({ visible }) =>
    visible === 0 ? Effect.succeed(false) : Acts.hasHistory(play, past, liveFromMs)
  )
  yield* Acts.besides(ingester, Acts.until("the history did not become visible", isThere))
  yield* story.step(
    "good",
    `all ${count(past.orders)} orders and ${count(past.lines)} lines of history are in the analytics tables, and what came since`
  )
  return ingester
})

/** Samples and says how far the shop is, for ever. */
const watching = ({ meter, story }: Acts.Play, total: number) =>
  Effect.gen(function* () {
    yield* meter.look
    const { changes, lagMs, transactions } = yield* meter.reading
    const fresh = lagMs === undefined ? "" : ` · newest visible change ${span(lagMs)} old`
    yield* story.progress(
      `${count(transactions)} of ${count(total)} transactions · ${count(changes)} row changes${fresh}`
    )
  }).pipe(
    Effect.retry({ times: 20, while: (error) => error.isRetryable, schedule: Schedule.spaced("200 millis") }),
    Effect.repeat(Schedule.spaced("200 millis")),
    Effect.andThen(Effect.never)
  )

/** The comparison, and once more after a batch was taken back and read again. */
const ending = Effect.fnUntraced(function* (play: Acts.Play, ingester: Process.Process, restartedAtMs: number) {
  const { scene, story } = play
  return yield* Acts.besides(
    ingester,
    Effect.gen(function* () {
      yield* story.chapter("The proof")
      const first = yield* compared(play, "northstar reconcile")
      const taken = yield* Acts.rollback(play, restartedAtMs)
      const broken = yield* Comparison.make(scene)
      const differing = Comparison.differing(broken)
      const gap = Comparison.gap(broken)
      const money = gap === undefined ? "" : `, and the books are ${Report.money(gap.minor, gap.currency)} apart`
      yield* story.step(
        differing > 0 ? "good" : "bad",
        `northstar reconcile finds it: ${count(differing)} rows differ${money}`,
        "A check that cannot fail proves nothing: this one names each of the rows."
      )
      const again = yield* Acts.reread(play, taken)
      yield* story.step(
        "plain",
        `northstar backfill reads batch ${BigInt(taken.through)} again: ${count(again.news)} changes come back`
      )
      const tables = yield* compared(play, "northstar reconcile once more")
      return {
        tables,
        agreed: Comparison.agrees(first) && differing > 0 && Comparison.agrees(tables),
        rollback: { batch: taken.batch, changes: taken.changes, differing, broughtBack: again.news },
        marts: yield* Marts.read(scene.project)
      }
    })
  )
})

/** Ends the ingester as a deployment does. */
const stopped = Effect.fnUntraced(function* ({ story }: Acts.Play, ingester: Process.Process) {
  const code = yield* ingester.stop
  const isClean = code === terminatedCode
  yield* story.step(
    isClean ? "good" : "bad",
    `SIGTERM: the ingester ${isClean ? "ends cleanly" : "does not end as it must"}, exit code ${code}`
  )
  return isClean
})

/** The exit code of a command that was stopped by SIGTERM. */
const terminatedCode = 143

const compared = Effect.fnUntraced(function* ({ scene, story }: Acts.Play, name: string) {
  const tables = yield* Comparison.make(scene)
  const rows = tables.reduce((sum, { sourceRows }) => sum + sourceRows, 0)
  const agrees = Comparison.agrees(tables)
  yield* story.step(
    agrees ? "good" : "bad",
    agrees
      ? `${name}: all ${count(rows)} rows agree, to the penny`
      : `${name}: ${count(Comparison.differing(tables))} of ${count(rows)} rows differ`
  )
  return tables
})
