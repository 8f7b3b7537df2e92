import { start as startServer } from "@northstar/connectors/local/Postgres"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Effect, Fiber, Random, Ref } from "effect"
import * as Traffic from "../../src/shop/Traffic.ts"
import * as Tables from "../../src/Tables.ts"
import * as Cuts from "./Cuts.ts"
import * as Oracle from "./Oracle.ts"
import * as Process from "./Process.ts"
import * as Proxy from "./Proxy.ts"
import * as Stand from "./Stand.ts"
import * as Trouble from "./Trouble.ts"
import { fullText } from "./World.ts"

/** How much happens in a round. */
export interface Options {
  readonly seed: string
  /** Committed changes of the source, at least. */
  readonly changes: number
  /** Processes killed at random moments, at least. */
  readonly kills: number
  /** Crashes of PostgreSQL on top. */
  readonly crashes: number
  /** Whether the slot is lost once: its loss must be refused, and an accepted epoch take all by snapshot. */
  readonly losesSlot: boolean
}

/** What happened in a round. */
export interface Outcome extends Options {
  /** Consistent cuts read while everything was running. */
  readonly cuts: number
  /** How often what was done to the network and to the machines of ingests, by name. */
  readonly faults: ReadonlyMap<string, number>
  /** Rows that the oracle compared at the end, and changes in their histories. */
  readonly rows: number
  readonly history: number
  readonly seconds: number
  /** What is wrong, in words; empty when nothing is. */
  readonly problems: ReadonlyArray<string>
}

/** What an ingest is left to do before its last moments, drawn at even odds. */
const lasts = ["start", "capture", "load", "load"] as const
/** Longest last moments, milliseconds. */
const lastMsMax = 2000
/** Longest wait for an ingest to do it, when there is nothing to do or the machine is slow. */
const waitMax = "8 seconds"
/** Seconds of a life on a machine with nothing else to do, by which the traffic is paced. */
const lifeSeconds = 2.5
/** Share of lives in which two ingests run at once. */
const pairs = 0.25
/** Changes after which traffic begins anew, partly among the orders it made before. */
const changesPerRun = 5000

/** The server believes this long in a reader that it does not hear: less than the lives of a round, so that they come to read. */
const settings = { wal_sender_timeout: "3s" }

/**
 * A random history of the shop while ingest processes are killed at random moments and their network and machines fail,
 * until one has caught up; then the oracle judges, and again where the slot was lost after it. The seed determines
 * statements, lives and faults; how they interleave is up to the machine.
 */
export const run = (options: Options): Effect.Effect<Outcome, ConnectorError> =>
  Effect.gen(function* () {
    const startMs = yield* Clock.currentTimeMillis
    const server = yield* startServer({ settings })
    const stand = yield* Stand.make(server.url, "round")
    const proxy = yield* Proxy.make(stand.url)
    const ground: Trouble.Ground = { server, stand, proxy, faults: new Map() }
    yield* Traffic.run(stand.url, { ...traffic, seed: options.seed, changes: options.changes / 20 })
    yield* Stand.publish(stand)
    const seen = yield* Ref.make(Cuts.none)
    const watching = yield* Effect.forkScoped(Cuts.watch(stand, seen))
    const trading = yield* Effect.forkScoped(trade(stand, options))
    const { kills, problems } = yield* killAndCrash(ground, options, trading)
    const changes = yield* Fiber.join(trading)
    yield* Process.catchUp(stand)
    // Time for a last look at a warehouse that stands at the end.
    yield* Effect.sleep("1 second")
    yield* Fiber.interrupt(watching)
    const first = yield* Oracle.judge(stand, Tables.all)
    const loss = options.losesSlot ? yield* Trouble.loseSlot(ground, options.seed) : undefined
    if (loss !== undefined) yield* Process.catchUp(loss.stand)
    const verdict = loss === undefined ? first : yield* Oracle.judge(stand, Tables.all)
    const cuts = yield* Ref.get(seen)
    return {
      ...options,
      changes,
      kills,
      cuts: cuts.whole,
      faults: ground.faults,
      rows: verdict.rows,
      history: verdict.changes,
      seconds: Math.round(((yield* Clock.currentTimeMillis) - startMs) / 1000),
      problems: [...problems, ...cuts.problems, ...first.problems, ...(loss?.problems ?? []), ...verdict.problems]
    }
  }).pipe(Effect.scoped, Random.withSeed(options.seed))

/** A round in one line, and a line for each problem. */
export const render = ({ problems, ...outcome }: Outcome): string =>
  [
    `seed ${outcome.seed}: ${outcome.changes} changes, ${outcome.kills} kills, ${outcome.crashes} crashes of PostgreSQL, ` +
      [...outcome.faults].map(([name, times]) => `${times} × ${name}, `).join("") +
      `${outcome.cuts} cuts read, ${outcome.rows} rows and ${outcome.history} changes compared, ` +
      `${problems.length} differences, ${outcome.seconds} s`,
    ...problems.map((problem) => `  ${problem}`)
  ].join("\n")

/** All rounds of a soak, in one line. */
export const renderAll = (outcomes: ReadonlyArray<Outcome>): string => {
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  const faults = sum(({ faults }) => [...faults.values()].reduce((total, times) => total + times, 0))
  return (
    `in all: ${outcomes.length} histories, ${sum(({ changes }) => changes)} changes, ${sum(({ kills }) => kills)} kills, ` +
    `${sum(({ crashes }) => crashes)} crashes of PostgreSQL, ${faults} faults of network and machine, ` +
    `${sum(({ cuts }) => cuts)} cuts read, ${sum(({ problems }) => problems.length)} differences, ${sum(({ seconds }) => seconds)} s`
  )
}

const traffic = { connections: 3, ordersMax: 60 } as const

/** Traffic at a pace that lasts as long as the kills, crashes of the database survived; returns its changes. */
const trade = (stand: Stand.Stand, options: Options): Effect.Effect<number> =>
  Effect.gen(function* () {
    const changesPerSecond = options.changes / (options.kills * lifeSeconds)
    let changes = 0
    for (let index = 1; changes < options.changes; index++) {
      const left = Math.min(changesPerRun, options.changes - changes)
      const seed = `${options.seed} ${index}`
      changes += yield* Traffic.run(stand.url, {
        ...traffic,
        seed,
        changes: left,
        changesPerSecond,
        run: index % 3
      }).pipe(
        Effect.map((counts) => counts.changes),
        // What it committed before the crash is not known, and not counted.
        Effect.catch(() => Effect.as(Effect.sleep("300 millis"), 0))
      )
    }
    return changes
  })

/** Starts and kills ingests until there were enough of them and the traffic is over. A process that ends by itself is a problem. */
const killAndCrash = (ground: Trouble.Ground, options: Options, trading: Fiber.Fiber<number>) =>
  Effect.gen(function* () {
    const every = Math.floor(options.kills / (options.crashes + 1))
    const problems: Array<string> = []
    let kills = 0
    let crashes = 0
    while (kills < options.kills || trading.pollUnsafe() === undefined) {
      const isCrash = crashes < options.crashes && kills >= every * (crashes + 1)
      const ended = yield* life(ground, isCrash)
      if (isCrash) crashes += 1
      kills += ended.filter(({ code }) => code === undefined).length
      for (const { code, said, world } of ended) {
        const isExpected = world?.kind === "disk full" && said.includes(fullText)
        if (code !== undefined && !isExpected) problems.push(`an ingest ended (${code}): ${said}`)
      }
    }
    return { kills, problems }
  })

/** One ingest, or two at once, from their start to their kill, with what happens to them. */
const life = (ground: Trouble.Ground, isCrash: boolean) =>
  Effect.gen(function* () {
    const { proxy } = ground
    const stand = { ...ground.stand, url: proxy.url }
    const count = (yield* Random.next) < pairs ? 2 : 1
    const last = lasts[Math.floor((yield* Random.next) * lasts.length)] ?? "start"
    const lastMs = (yield* Random.next) * lastMsMax
    const start = Effect.gen(function* () {
      const world = yield* Trouble.drawWorld(ground)
      const process = yield* Process.start(stand, ingest, undefined, world)
      return { world, process }
    })
    const lives = yield* Effect.all(Array.from({ length: count }, () => start))
    const disturbing = yield* Effect.forkScoped(Trouble.disturb(ground))
    if (last !== "start") {
      const first = Effect.raceAllFirst(lives.map(({ process }) => process.firstBatch(last)))
      yield* Effect.timeoutOption(first, waitMax)
    }
    yield* Effect.sleep(lastMs)
    if (isCrash) yield* Trouble.crash(ground)
    yield* Fiber.interrupt(disturbing)
    yield* proxy.restore
    return yield* Effect.forEach(lives, ({ process, world }) =>
      Effect.map(process.kill, (ended) => ({ ...ended, world }))
    )
  }).pipe(Effect.scoped)

const ingest = { program: "ingest", untilCaughtUp: false } as const
