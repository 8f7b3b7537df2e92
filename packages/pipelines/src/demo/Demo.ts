import { Effect } from "effect"
import * as Acts from "./Acts.ts"
import * as Conclusion from "./Conclusion.ts"
import * as Engines from "./Engines.ts"
import * as Late from "./Late.ts"
import * as Meter from "./Meter.ts"
import * as Outside from "./Outside.ts"
import type { Engine } from "./Place.ts"
import type * as Process from "./Process.ts"
import * as Proof from "./Proof.ts"
import * as Scene from "./Scene.ts"
import { begin, count, type Story, type StoryEvent } from "./Story.ts"
import * as Trade from "./Trade.ts"

/** How to run the demo. */
export interface DemoOptions {
  /** Everything is written below it; default `.northstar/demo`. Must be empty, missing, or of an earlier demo. */
  readonly folder?: string
  /** Where the curated tables live; default `duckdb`. */
  readonly warehouse?: Engine
  /** What goes wrong in the shop is drawn from it; default `northstar`. */
  readonly seed?: string
  /** Seconds in which the live days are replayed; default 32. */
  readonly liveSeconds?: number
  /** Command line that starts the CLI; default: the program that runs now. */
  readonly northstar?: ReadonlyArray<string>
  readonly onEvent: (event: StoryEvent) => Effect.Effect<void>
}

/** 1 December 2010, when the shop's books begin, and two days later, when we start to look. London midnights. */
const openedMs = Date.UTC(2010, 11, 1)
const liveFromMs = Date.UTC(2010, 11, 3)

/**
 * Runs a shop on a PostgreSQL of its own, with a Stripe account and partners who send files; ingests all three while it
 * sells and does to the ingester what happens in production; then compares the sources and the curated tables, and on
 * another engine than DuckDB what DuckDB makes of the same landing logs. Leaves its folder, and no process behind.
 */
export const run = Effect.fn("Demo.run")(function* (options: DemoOptions) {
  const story = yield* begin(options.onEvent)
  const folder = options.folder ?? ".northstar/demo"
  const northstar = options.northstar ?? [process.execPath, ...process.execArgv, process.argv[1] ?? ""]
  yield* story.chapter("A shop opens")
  const scene = yield* Scene.open({ folder, engine: options.warehouse ?? "duckdb", northstar, story })
  const seed = options.seed ?? "northstar"
  const past = yield* opening(story, scene, seed)
  const outside = yield* aboutToSell(story, scene, past, seed)
  const play = { scene, story, outside, meter: yield* Meter.make(scene) }
  const { ingester, restartedAtMs, ...trade } = yield* Trade.run(
    play,
    { ...past, liveFromMs },
    options.liveSeconds ?? 32
  )
  const measured = { ...(yield* play.meter.results), reading: yield* play.meter.reading }
  const late = yield* Acts.besides(ingester, comingLate(play))
  const { agreed, ...proof } = yield* Proof.run(play, ingester, restartedAtMs)
  const isStopped = yield* stopped(play, ingester)
  const engines = scene.twin === undefined ? undefined : yield* Engines.compare(play, scene.twin)
  const agree =
    agreed &&
    (engines === undefined || Engines.areEqual(engines)) &&
    isStopped &&
    trade.secondIngesterRefused &&
    trade.backfill.news === 0 &&
    trade.outage.wasTold &&
    Late.isRight(late)
  return yield* Conclusion.make(play, { ...trade, ...proof, late, engines, agree }, measured)
}, Effect.scoped)

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

/** What the shop's other systems know by now. */
const aboutToSell = Effect.fnUntraced(function* (story: Story, scene: Scene.Scene, { lives }: Past, seed: string) {
  const outside = yield* Outside.open(scene, lives, { seed, liveFromMs, openedMs })
  const { files, payments } = yield* outside.counts
  yield* story.step(
    "plain",
    `a Stripe account on port ${scene.stripe.port} holds its ${count(payments)} payments, and partners have dropped ${count(files)} files`,
    "The local Stripe answers the unmodified package. Fleetfoot ships, Rückweg takes returns, Stockwell counts shelves: each has its own format."
  )
  return outside
})

/** What comes late, again or broken, once the shop has closed. */
const comingLate = Effect.fnUntraced(function* (play: Acts.Play) {
  yield* play.story.chapter("What comes late")
  yield* Late.settled(play)
  const order = yield* Late.refund(play)
  return { order, ...(yield* Late.files(play, liveFromMs)) } satisfies Late.Late
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
