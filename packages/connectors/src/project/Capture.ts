import { Clock, Duration, Effect, type Option } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import { RunId, RunLedger } from "@northstar/core/RunLedger"
import type { Receipt } from "@northstar/core/Sink"
import * as CardGuard from "../cards/CardGuard.ts"
import { maskText } from "../cards/Tripwire.ts"
import type { Feed, FilesConfig, PostgresFeed, StripeConfig } from "./Project.ts"
import { capture, captureKey, cards, noUrl } from "./Streams.ts"

/** How a capture runs. */
export interface Options {
  /** `true` ends at the source's head of the start; else it goes on until interrupted. */
  readonly untilCaughtUp: boolean
  /** Called after each durable commit, with its time in Unix milliseconds if it held rows. */
  readonly onCommit: (receipt: Receipt<unknown>, committedAtMs: Option.Option<number>) => Effect.Effect<void>
}

/** Captures one source into its landing log. Its driver is loaded only now. */
export const run = (feed: Feed, options: Options) => {
  const { source } = feed
  const how = { program: "capture", ...options }
  switch (source.kind) {
    case "postgres":
      return postgres({ ...feed, source }).pipe(
        Effect.flatMap((from) => capture(feed, from, options)),
        Effect.tapError(unready(feed)),
        Effect.flatMap((pipeline) => Pipeline.run(pipeline, how))
      )
    case "stripe":
      return stripe({ ...feed, source }).pipe(
        Effect.flatMap((from) => capture(feed, from, options)),
        Effect.tapError(unready(feed)),
        Effect.flatMap((pipeline) => Pipeline.run(pipeline, how))
      )
    case "files":
      return files({ ...feed, source }).pipe(
        Effect.flatMap((from) => capture(feed, from, options)),
        Effect.tapError(unready(feed)),
        Effect.flatMap((pipeline) => Pipeline.run(pipeline, how))
      )
  }
}

/** Records that a capture could not even begin, as the pipeline records how one ends: status tells of it. */
const unready =
  (feed: Feed) =>
  ({ message }: ConnectorError) =>
    Effect.gen(function* () {
      const ledger = yield* RunLedger
      const atMs = yield* Clock.currentTimeMillis
      const run = RunId.make(`capture-${atMs.toString(36)}-${feed.source.name}`)
      const entry = { run, key: captureKey(feed), atMs }
      yield* ledger.append({ ...entry, fact: { _tag: "Started", program: "capture" } })
      yield* ledger.append({ ...entry, fact: { _tag: "Ended", outcome: "failed", detail: message } })
    }).pipe(Effect.ignore)

/** A configured value that came from an environment variable which is not set. */
const unset = (what: string, variable: string) => {
  const detail = `the ${what} is not set`
  return new ConnectorError({
    connector: "stripe",
    operation: "connect",
    detail,
    action: `Set the environment variable that northstar.config.ts takes it from, such as ${variable}`,
    reason: new Misconfigured({ detail })
  })
}

const stripe = Effect.fnUntraced(function* ({ source }: Feed<StripeConfig>) {
  if (source.apiKey === undefined) return yield* unset("Stripe key", "STRIPE_API_KEY")
  const driver = yield* Effect.promise(() => import("../stripe/Source.ts"))
  return driver.make({
    apiKey: source.apiKey,
    tables: source.tables,
    epoch: source.epoch,
    pollEvery: Duration.seconds(source.pollSeconds),
    overlap: Duration.minutes(source.overlapMinutes),
    sweepEvery: Duration.hours(source.sweep.everyHours),
    relist: Duration.days(source.sweep.daysBack),
    ...(source.account === undefined ? {} : { account: source.account }),
    ...(source.from === undefined ? {} : { from: source.from }),
    ...(source.backfill === undefined ? {} : { backfill: source.backfill }),
    ...(source.endpoint === undefined ? {} : { server: serverOf(new URL(source.endpoint)) })
  })
})

const serverOf = ({ hostname, port, protocol }: URL) => {
  const isPlain = protocol === "http:"
  return { host: hostname, port: Number(port || (isPlain ? 80 : 443)), protocol: isPlain ? "http" : "https" } as const
}

const files = Effect.fnUntraced(function* (feed: Feed<FilesConfig>) {
  const { log, source } = feed
  const driver = yield* Effect.promise(() => import("../files/FilesSource.ts"))
  const protect = yield* CardGuard.protector(cards(feed))
  return driver.make({
    stream: log,
    epoch: source.epoch,
    contracts: source.contracts,
    drop: driver.open(source.from),
    pollInterval: `${source.pollSeconds} seconds`,
    cards: { maskName: maskText, protect: (block) => protect(block).block }
  })
})

const postgres = Effect.fnUntraced(function* (feed: PostgresFeed) {
  const { source } = feed
  if (source.url === undefined) return yield* noUrl(feed)
  const driver = yield* Effect.promise(() => import("../postgres/Source.ts"))
  return driver.make({
    url: source.url,
    slot: source.slot,
    publication: source.publication,
    tables: feed.tables,
    epoch: source.epoch,
    heartbeatEvery: `${source.heartbeatSeconds} seconds`,
    guard: source.guard,
    snapshot: { id: `initial-${source.epoch}`, tables: feed.tables, ...source.snapshot }
  })
})
