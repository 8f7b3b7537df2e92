import { type Server, start as startServer } from "@northstar/connectors/local/Postgres"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Effect, Fiber, Random } from "effect"
import * as Traffic from "../../src/shop/Traffic.ts"
import * as Tables from "../../src/Tables.ts"
import * as Cuts from "./Cuts.ts"
import * as Oracle from "./Oracle.ts"
import * as Process from "./Process.ts"
import * as Stand from "./Stand.ts"

/** How much happens in a round. */
export interface Options {
  readonly seed: string
  /** Committed changes of the source, at least. */
  readonly changes: number
  /** Kills at random moments. */
  readonly kills: number
  /** Crashes of PostgreSQL on top. */
  readonly crashes: number
}

/** What happened in a round. */
export interface Outcome extends Options {
  /** Consistent cuts read while everything was running. */
  readonly cuts: number
  /** Rows that the oracle compared at the end, and changes in their histories. */
  readonly rows: number
  readonly history: number
  readonly seconds: number
  /** What is wrong, in words; empty when nothing is. */
  readonly problems: ReadonlyArray<string>
}

/** Longest life of an ingest process, milliseconds; the shortest ones die while they start. */
const lifeMsMax = 4500
/** Share of lives in which two ingests run at once. */
const pairs = 0.25
/** Changes after which traffic begins anew, among the orders it made before. */
const changesPerRun = 25_000

/**
 * A random history of the shop while ingest processes are killed at random moments, until one has caught up; then the
 * oracle judges. The seed determines statements and lives; how they interleave is up to the machine.
 */
export const run = (options: Options): Effect.Effect<Outcome, ConnectorError> =>
  Effect.gen(function* () {
    const startMs = yield* Clock.currentTimeMillis
    const server = yield* startServer()
    const stand = yield* Stand.make(server.url, "round")
    yield* Traffic.run(stand.url, { ...traffic, seed: options.seed, changes: options.changes / 20 })
    yield* Stand.publish(stand)
    const cuts = yield* Effect.forkScoped(Cuts.watch(stand))
    const trading = yield* Effect.forkScoped(trade(stand, options))
    const { kills, ended } = yield* killAndCrash(server, stand, options, () => trading.pollUnsafe() !== undefined)
    const changes = yield* Fiber.join(trading)
    yield* Process.catchUp(stand)
    yield* Effect.sleep("1 second")
    yield* Fiber.interrupt(cuts)
    const seen = yield* Cuts.seen(stand)
    const verdict = yield* Oracle.judge(stand, Tables.all)
    return {
      ...options,
      kills,
      changes,
      cuts: seen.whole,
      rows: verdict.rows,
      history: verdict.changes,
      seconds: Math.round(((yield* Clock.currentTimeMillis) - startMs) / 1000),
      problems: [...verdict.problems, ...ended, ...seen.problems]
    }
  }).pipe(Effect.scoped, Random.withSeed(options.seed))
