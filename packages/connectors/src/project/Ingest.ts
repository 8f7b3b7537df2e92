import { Clock, Effect, Fiber, Option, Ref, Schedule } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import { RunLedger, type RunSummary } from "@northstar/core/RunLedger"
import type { Receipt } from "@northstar/core/Sink"
import * as Contract from "../warehouse/Contract.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import * as Housekeeping from "./Housekeeping.ts"
import type { Project } from "./Project.ts"
import { schedule, statementTries } from "./Retry.ts"
import * as Services from "./Services.ts"
import { capture, load, loadKey } from "./Streams.ts"

/** What an ingest has done so far in one of its two lanes. */
export interface Progress {
  readonly stage: "capture" | "load"
  /** Changes and batches since the program started. */
  readonly rows: number
  readonly batches: number
  /** Age of the newest change that became durable (capture) or visible (load), milliseconds; `null` without changes. */
  readonly lagMs: number | null
}

/** How to ingest. */
export interface IngestOptions {
  /** `true` ends when everything that was committed at the source when it started is visible; else it goes on until interrupted. */
  readonly untilCaughtUp: boolean
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

/** What an ingest did. */
export interface IngestSummary {
  readonly captured: RunSummary
  readonly loaded: RunSummary
  /** Tables that land but are not loaded, and why. */
  readonly parked: ReadonlyArray<{ readonly table: string; readonly reason: string }>
}

/** Captures a project's source into its landing log and loads the log into its warehouse, side by side. */
export const ingest = (project: Project, options: IngestOptions) =>
  // The loading fiber ends before the warehouse that it works on is closed.
  program(project, options).pipe(Effect.scoped, Effect.provide(Services.layer(project)))

const program = Effect.fn("Ingest.ingest")(function* (project: Project, options: IngestOptions) {
  yield* catchUpParked(project)
  const onCapture = yield* reporter("capture", options)
  const onLoad = yield* reporter("load", options)
  const lane = yield* capture(project)
  const capturing = Pipeline.run(lane, {
    program: "capture",
    untilCaughtUp: options.untilCaughtUp,
    onCommit: onCapture.count
  }).pipe(Effect.provideServiceEffect(RunLedger, unhurriedLedger))
  const loading = (untilCaughtUp: boolean) =>
    Pipeline.run(load(project, loadKey(project)), { program: "ingest", untilCaughtUp, onCommit: onLoad.count })
  // A load that fails does not end capture: the source must not keep its WAL for the warehouse's sake.
  const loadFiber = yield* loading(false).pipe(
    Effect.tapError((error) => Effect.logError(`loading stopped, and tries again in a minute: ${error.message}`)),
    Effect.retry(Schedule.spaced("1 minute")),
    Effect.forkScoped
  )
  yield* Effect.forkScoped(Housekeeping.run(project))
  const captured = yield* capturing
  yield* Fiber.interrupt(loadFiber)
  const loaded = { ...(yield* loading(true)), ...(yield* onLoad.total) }
  return { captured, loaded, parked: yield* parkedTables(project) } satisfies IngestSummary
})

/** Facts of a capture are written to the warehouse's ledger if it answers soon: capture waits for nobody but the log. */
const unhurriedLedger = Effect.map(RunLedger, (ledger) =>
  RunLedger.of({
    ...ledger,
    append: (entry) => ledger.append(entry).pipe(Effect.timeoutOption("2 seconds"), Effect.ignore)
  })
)

/** Loads the tables that were left behind and whose contracts have changed since, until they stand where the others do. */
const catchUpParked = Effect.fnUntraced(function* (project: Project) {
  for (const { table, parked } of yield* standingTables(project)) {
    if (Option.isNone(parked)) continue
    const contract = project.tables.find(({ name }) => name === table)!
    if (parked.value.contract === Contract.fingerprint(contract)) continue
    yield* Effect.logInfo(`table ${table} has a new contract: it catches up with the others`)
    // Another task may move the others meanwhile.
    yield* Effect.repeat(catchUp(project, table), { until: (rejoined) => rejoined })
  }
})

/** Loads one table up to where the others stand, all of the log if none does, and lets it rejoin if they still do. */
const catchUp = Effect.fnUntraced(function* (project: Project, table: string) {
  const key = loadKey(project)
  const standing = yield* standingTables(project)
  const main = Watermarks.furthest(standing.filter(({ parked }) => Option.isNone(parked)))
  const upTo = Option.match(main, {
    onNone: () => ({ untilCaughtUp: true }),
    onSome: (at) => ({ through: BigInt(at) })
  })
  yield* Pipeline.run(load(project, key, table), { program: "catch-up", ...upTo })
  const tables = project.tables.map(({ name }) => name)
  return yield* withSession((session) => Watermarks.rejoin(session, key, table, tables))
})

const standingTables = (project: Project) =>
  withSession((session) =>
    Watermarks.load(
      session,
      loadKey(project),
      project.tables.map(({ name }) => name)
    )
  )

const parkedTables = Effect.fnUntraced(function* (project: Project) {
  const standing = yield* standingTables(project)
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
const reporter = Effect.fnUntraced(function* (stage: Progress["stage"], { onProgress }: IngestOptions) {
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
      yield* onProgress({ stage, ...sofar, lagMs })
    })
  }
})
