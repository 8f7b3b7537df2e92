import { Clock, type Duration, Effect, Exit, Fiber, Option, Queue, Ref, Schedule } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import { type RunEntry, RunLedger, type RunSummary } from "@northstar/core/RunLedger"
import type { Receipt } from "@northstar/core/Sink"
import * as Contract from "../warehouse/Contract.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import * as Capture from "./Capture.ts"
import * as Housekeeping from "./Housekeeping.ts"
import { type Feed, feeds, type Project } from "./Project.ts"
import { schedule, statementTries } from "./Retry.ts"
import * as Services from "./Services.ts"
import { load, loadKey } from "./Streams.ts"

/** What an ingest has done so far in one of the two lanes of a source. */
export interface Progress {
  readonly source: string
  readonly stage: "capture" | "load"
  /** Changes and batches since the program started. */
  readonly rows: number
  readonly batches: number
  /** Age of the newest change that became durable (capture) or visible (load), milliseconds; `null` without changes. */
  readonly lagMs: number | null
}

/** How to ingest. */
export interface IngestOptions {
  /** `true` ends when everything that was at the sources when it started is visible; else it goes on until interrupted. */
  readonly untilCaughtUp: boolean
  /** Names of the sources to ingest; default all. */
  readonly sources?: ReadonlyArray<string>
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

/** What an ingest did with one source. */
export interface SourceSummary {
  readonly source: string
  readonly captured: RunSummary
  readonly loaded: RunSummary
}

/** What an ingest did. */
export interface IngestSummary {
  readonly sources: ReadonlyArray<SourceSummary>
  /** Tables that land but are not loaded, and why. */
  readonly parked: ReadonlyArray<{ readonly table: string; readonly reason: string }>
}

/**
 * Captures a project's sources into their landing logs and loads the logs into its warehouse, all side by side. A source
 * that fails does not stop the others: they go on, or end caught up, before the failure is told. A defect, of any lane,
 * ends all of them.
 */
export const ingest = (project: Project, options: IngestOptions) =>
  // The loading fibers end before the warehouse that they work on is closed.
  program(project, options).pipe(Effect.scoped, Effect.provide(Services.layer(project)))

const program = Effect.fn("Ingest.ingest")(function* (project: Project, options: IngestOptions) {
  const wanted = yield* select(project, options.sources)
  const exits = yield* Effect.forEach(wanted, (feed) => ended(feed, untilItEnds(feed, options, wanted.length)), {
    concurrency: "unbounded"
  })
  const failures = exits.flatMap((exit) => (Exit.isFailure(exit) ? [exit] : []))
  if (failures[0] !== undefined) return yield* Effect.failCause(failures[0].cause)
  const sources = exits.flatMap((exit) => (Exit.isSuccess(exit) ? [exit.value] : []))
  const parked = yield* Effect.forEach(wanted, parkedTables)
  return { sources, parked: parked.flat() } satisfies IngestSummary
})

/** How a source ended. A defect is no failure of the source's: it ends them all at once. */
const ended = <A, E, R>(feed: Feed, lane: Effect.Effect<A, E, R>) =>
  lane.pipe(
    Effect.tapDefect(() => Effect.logError(`source ${feed.source.name} stopped by a bug: all sources stop`)),
    Effect.exit,
    Effect.flatMap((exit) =>
      Exit.isFailure(exit) && Exit.hasDies(exit) ? Effect.failCause(exit.cause) : Effect.succeed(exit)
    )
  )

/** Among several sources one that fails is heard of at once, and in an ingest without end tried again. */
const untilItEnds = (feed: Feed, options: IngestOptions, sources: number) => {
  const once = ingestSource(feed, options)
  if (sources === 1) return once
  const heard = once.pipe(
    Effect.tapError((error) => Effect.logError(`source ${feed.source.name} failed; the others go on: ${error.message}`))
  )
  return options.untilCaughtUp ? heard : Effect.retry(heard, Schedule.spaced("1 minute"))
}

const ingestSource = Effect.fnUntraced(function* (feed: Feed, options: IngestOptions) {
  yield* catchUpParked(feed)
  const onCapture = yield* reporter(feed, "capture", options)
  const onLoad = yield* reporter(feed, "load", options)
  const capturing = Capture.run(feed, { untilCaughtUp: options.untilCaughtUp, onCommit: onCapture.count }).pipe(
    Effect.provideServiceEffect(RunLedger, unhurriedLedger)
  )
  const loading = (untilCaughtUp: boolean) =>
    Pipeline.run(load(feed, loadKey(feed), { untilCaughtUp }), {
      program: "ingest",
      untilCaughtUp,
      onCommit: onLoad.count
    })
  // A load that fails does not end capture: the source must not keep its WAL for the warehouse's sake.
  const loadFiber = yield* loading(false).pipe(
    Effect.tapError((error) => Effect.logError(`loading stopped, and tries again in a minute: ${error.message}`)),
    Effect.retry(Schedule.spaced("1 minute")),
    Effect.forkScoped
  )
  const tidying = yield* Effect.forkScoped(Housekeeping.run(feed))
  const captured = yield* Effect.raceAllFirst([capturing, defectOf(loadFiber), defectOf(tidying)])
  yield* Fiber.interrupt(loadFiber)
  const loaded = { ...(yield* loading(true)), ...(yield* onLoad.total) }
  return { source: feed.source.name, captured, loaded } satisfies SourceSummary
}, Effect.scoped)

/** A lane beside capture does not end; a defect in one would leave capture going on alone, and nobody the wiser. */
const defectOf = <A, E>(lane: Fiber.Fiber<A, E>): Effect.Effect<never, E> =>
  Effect.andThen(Fiber.join(lane), Effect.never)

/** The project's sources of these names. */
const select = (project: Project, names: ReadonlyArray<string> | undefined) => {
  const all = feeds(project)
  const unknown = (names ?? []).filter((name) => !all.some(({ source }) => source.name === name))
  if (unknown.length === 0) return Effect.succeed(all.filter(({ source }) => names?.includes(source.name) ?? true))
  const detail = `project ${project.name} has no source ${unknown.join(", ")}`
  const action = `Its sources are ${all.map(({ source }) => source.name).join(", ")}`
  return Effect.fail(
    new ConnectorError({
      connector: "project",
      operation: "ingest",
      detail,
      action,
      reason: new Misconfigured({ detail })
    })
  )
}

/** Facts of a capture that wait to be written, at most: beyond, the oldest are left out. */
const factsMax = 1000

/**
 * Facts of a capture are written to the warehouse's ledger beside it: capture waits for nobody but the log, and a publish
 * that is under way, or a warehouse that has to start, makes even a small statement wait. At the end not much is waited for.
 */
const unhurriedLedger = Effect.gen(function* () {
  const ledger = yield* RunLedger
  const waiting = yield* Queue.sliding<RunEntry>(factsMax)
  const write = (within: Duration.Input) => (entry: RunEntry) =>
    ledger.append(entry).pipe(Effect.timeoutOption(within), Effect.ignore)
  yield* Effect.addFinalizer(() =>
    Queue.clear(waiting).pipe(
      Effect.flatMap((rest) => Effect.forEach(rest, write("2 seconds"), { discard: true })),
      Effect.interruptible,
      Effect.timeoutOption("5 seconds"),
      Effect.ignore
    )
  )
  // Looked at, written, and only then taken: one that an end cuts short is written again, and is there once.
  yield* Queue.peek(waiting).pipe(
    Effect.flatMap(write("1 minute")),
    Effect.andThen(Queue.take(waiting)),
    Effect.forever,
    Effect.forkScoped
  )
  return RunLedger.of({ ...ledger, append: (entry) => Effect.asVoid(Queue.offer(waiting, entry)) })
})

/** Loads the tables that were left behind and whose contracts have changed since, until they stand where the others do. */
const catchUpParked = Effect.fnUntraced(function* (feed: Feed) {
  for (const { table, parked } of yield* standingTables(feed)) {
    if (Option.isNone(parked)) continue
    const contract = feed.tables.find(({ name }) => name === table)!
    if (parked.value.contract === Contract.fingerprint(contract)) continue
    yield* Effect.logInfo(`table ${table} has a new contract: it catches up with the others`)
    // Another task may move the others meanwhile.
    yield* Effect.repeat(catchUp(feed, table), { until: (rejoined) => rejoined })
  }
})

/** Loads one table up to where the others stand, all of the log if none does, and lets it rejoin if they still do. */
const catchUp = Effect.fnUntraced(function* (feed: Feed, table: string) {
  const key = loadKey(feed)
  const standing = yield* standingTables(feed)
  const main = Watermarks.furthest(standing.filter(({ parked }) => Option.isNone(parked)))
  const upTo = Option.match(main, {
    onNone: () => ({ untilCaughtUp: true }),
    onSome: (at) => ({ through: BigInt(at) })
  })
  yield* Pipeline.run(load(feed, key, { catchUp: table }), { program: "catch-up", ...upTo })
  const tables = feed.tables.map(({ name }) => name)
  return yield* withSession((session) => Watermarks.rejoin(session, key, table, tables))
})

const standingTables = (feed: Feed) =>
  withSession((session) =>
    Watermarks.load(
      session,
      loadKey(feed),
      feed.tables.map(({ name }) => name)
    )
  )

const parkedTables = Effect.fnUntraced(function* (feed: Feed) {
  const standing = yield* standingTables(feed)
  return standing.flatMap(({ table, parked }) =>
    Option.isSome(parked) ? [{ table, reason: parked.value.reason }] : []
  )
})

const withSession = <A, R>(
  use: (session: Effect.Success<Warehouse["Service"]["session"]>) => Effect.Effect<A, ConnectorError, R>
) =>
  Effect.flatMap(Warehouse, ({ session }) => Effect.scoped(Effect.flatMap(session, use))).pipe(
    Effect.retry(schedule(statementTries))
  )

/** Counts a lane's commits and passes them on with the age of the newest change. */
const reporter = Effect.fnUntraced(function* (
  { source }: Feed,
  stage: Progress["stage"],
  { onProgress }: IngestOptions
) {
  const total = yield* Ref.make({ rows: 0, batches: 0 })
  return {
    total: Ref.get(total),
    count: Effect.fnUntraced(function* (receipt: Receipt<unknown>, committedAtMs: Option.Option<number>) {
      const sofar = yield* Ref.updateAndGet(total, ({ rows, batches }) => ({
        rows: rows + receipt.rows,
        batches: batches + 1
      }))
      if (onProgress === undefined) return
      const now = yield* Clock.currentTimeMillis
      const lagMs = Option.match(committedAtMs, { onNone: () => null, onSome: (at) => Math.max(0, now - at) })
      yield* onProgress({ source: source.name, stage, ...sofar, lagMs })
    })
  }
})
