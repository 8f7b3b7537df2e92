import { Deferred, Effect, Schedule } from "effect"
import * as Replay from "../shop/Replay.ts"
import * as Acts from "./Acts.ts"
import * as Outage from "./Outage.ts"
import { count, span } from "./Story.ts"

/** The shop before it goes live, and what happens then. */
export interface Past {
  readonly orders: number
  readonly lines: number
  readonly events: Replay.Plan["events"]
  readonly liveFromMs: number
}

/** The last transactions come by themselves when all others are visible: they make a small batch, to be taken back. */
const lastEvents = 20
const lastEventsPerSecond = 50

/** The shop does not get beyond this share of its transactions before Stripe is down: orders must come in meanwhile. */
const shareBeforeOutage = 0.45

/** The live days: trade, and what is done to the ingester meanwhile. */
export const run = Effect.fn("Trade.run")(function* (play: Acts.Play, past: Past, liveSeconds: number) {
  const { meter, outside, scene, story } = play
  const { events } = past
  yield* story.chapter(`Five days of trade in ${liveSeconds} seconds, while things go wrong`)
  const trade = (part: Replay.Plan["events"], before: number, eventsPerSecond: number) =>
    Replay.run(scene.url, part, {
      eventsPerSecond,
      onProgress: ({ atMs, changed }) => Effect.andThen(meter.committed(before + changed), outside.passed(atMs))
    })
  const isDown = yield* Deferred.make<void>()
  const shop = Effect.gen(function* () {
    const [half, rate] = [Math.round(shareBeforeOutage * events.length), events.length / liveSeconds]
    const changed = yield* trade(events.slice(0, half), 0, rate)
    yield* Deferred.await(isDown)
    return changed + (yield* trade(events.slice(half, -lastEvents), changed, rate))
  })
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
        yield* at(0.3)
        yield* Deferred.succeed(isDown, undefined)
        const outage = yield* Outage.stripe(play)
        const backfill = yield* Acts.backfill(play)
        const secondIngesterRefused = yield* Acts.rival(play)
        return { ingester, restartedAtMs: startedAtMs, backfill, outage, secondIngesterRefused }
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
    visible === 0 ? Effect.succeed(false) : Acts.hasHistory(play, past, past.liveFromMs)
  )
  yield* Acts.besides(ingester, Acts.until("the history did not become visible", isThere))
  yield* story.step(
    "good",
    `all ${count(past.orders)} orders and ${count(past.lines)} lines of history are in the analytics tables, and what came since`
  )
  return ingester
})

/** Samples and says how far the shop is, for ever. */
const watching = ({ meter, outside, story }: Acts.Play, total: number) =>
  Effect.gen(function* () {
    yield* meter.look
    yield* outside.now
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
