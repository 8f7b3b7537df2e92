import { Duration, Effect, Option, Queue, type Redacted, type Scope } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Range } from "@northstar/core/Position"
import type { Table } from "@northstar/core/Table"
import * as Connection from "./Connection.ts"
import { misconfigured } from "./Failure.ts"
import type { BatchLimits } from "./Feed.ts"
import * as Heartbeat from "./Heartbeat.ts"
import type { PostgresPosition } from "./Position.ts"
import * as Replication from "./Replication.ts"
import * as Slot from "./Slot.ts"
import * as Snapshot from "./Snapshot.ts"
import { inProgress, Visibility } from "./Visibility.ts"

/** What to capture, from where. */
export interface Options {
  readonly url: Redacted.Redacted | string
  readonly slot: string
  readonly publication: string
  readonly tables: ReadonlyArray<Table>
  /** Raised by a person who accepts a new incarnation of the source; from 1. */
  readonly epoch: number
  /** Default: 50,000 rows, 16 MiB, 200 ms; without rows one batch in 10 s. */
  readonly limits?: Partial<BatchLimits>
  /** Default: 10 s. */
  readonly heartbeatEvery?: Duration.Input
  /** Default: warn from 8 GiB on. */
  readonly guard?: Heartbeat.WalGuard
  /** Tables that are read whole once, along with the stream. */
  readonly snapshot?: Snapshot.SnapshotOptions
}

/** What an open source holds. */
export interface Opened {
  readonly options: Options
  /** For everything that is no stream. */
  readonly control: Connection.Connection
  readonly major: number
  /** The last walsender that streamed for this source, over all its openings. */
  readonly walsender: { processId: number | undefined }
}

/** Snapshots along with one stream. */
interface Lane {
  readonly requests: Queue.Queue<void>
  readonly session: string
  /** Kept from the moment a snapshot is wanted until it is done. */
  visibility: Visibility | undefined
  running: Snapshot.Running | undefined
}

/** One read under way. */
export interface Session {
  readonly replication: Replication.Replication
  readonly system: Slot.System
}

const limitsDefault = { rowsMax: 50_000, bytesMax: 16 * 1024 * 1024, lingerMs: 200 }
const heartbeatDefault: Duration.Input = "10 seconds"
const paceDefault: Snapshot.Pace = { chunkRows: 50_000, rowsPerSecondMax: 100_000 }
const guardDefault: Heartbeat.WalGuard = { warnBytes: 8 * 1024 ** 3, stopBytes: 64 * 1024 ** 3, policy: "warn" }

/**
 * Starts the stream of a range, with heartbeats and unfinished snapshots, until the scope closes. A position of an
 * earlier epoch is where the accepted new incarnation takes over: the slot is read from its own start.
 */
export const start = Effect.fn("Session.start")(function* (
  opened: Opened,
  range: Range<PostgresPosition>
): Effect.fn.Return<Session, ConnectorError, Scope.Scope> {
  const { options, control, major } = opened
  const walsender = yield* Connection.open({ url: options.url, replication: true, statementTimeout: 0 })
  const system = yield* Slot.identify(walsender)
  // Before its position is judged: a reader at work has moved it beyond what a second one knows.
  const slot = yield* Slot.free(control, options.slot, { major, own: opened.walsender.processId })
  opened.walsender.processId = walsender.processId
  const resumed = yield* resumable(walsender, range.after, { system, slot, name: options.slot }, options.epoch)
  const snapshots = Snapshot.withInitial(
    Option.match(resumed, { onNone: () => ({}), onSome: (after) => after.snapshots }),
    options.snapshot
  )
  const isUnfinished = Snapshot.unfinished(options.tables, snapshots).length > 0
  // Distinguishes this read's messages from those of one before it.
  const session = `${walsender.processId}-${system.flushed}`
  const lane: Lane = { requests: yield* Queue.unbounded<void>(), visibility: undefined, running: undefined, session }
  if (isUnfinished) lane.visibility = new Visibility()
  const replication = yield* stream(opened, walsender, {
    after: Option.match(resumed, { onNone: () => slot.confirmed, onSome: (after) => after.lsn }),
    snapshots,
    through: Option.getOrUndefined(Option.map(range.through, (through) => through.lsn)),
    isBoundLater: isUnfinished,
    onCommit: (xid, commitLsn) => lane.visibility?.committed(xid, commitLsn),
    onMessage: (text, lsn, feed) => {
      const content = Option.getOrUndefined(Heartbeat.parse(text))
      if (content?.kind === "heartbeat") feed.completeThrough(content.atMs - Heartbeat.commitDelayMaxMs)
      if (content?.kind === "snapshot" && content.slot === options.slot) {
        feed.add([], requested(options.tables, feed.snapshots, content))
        lane.visibility ??= new Visibility()
        Queue.offerUnsafe(lane.requests, undefined)
      }
      if (content?.kind === "chunk" && content.session === session) lane.running?.arrived(content.id, lsn)
    }
  })
  yield* Heartbeat.run(control, {
    slot: options.slot,
    major,
    every: options.heartbeatEvery ?? heartbeatDefault,
    guard: options.guard ?? guardDefault,
    end: replication.fail
  }).pipe(Effect.forkScoped)
  yield* (isUnfinished ? Effect.void : Queue.take(lane.requests)).pipe(
    Effect.andThen(takeSnapshots(opened, lane, replication)),
    Effect.catch(replication.fail),
    Effect.forkScoped
  )
  return { replication, system }
})

/** The position to resume from, if it is of this epoch and the slot still continues it. */
const resumable = Effect.fnUntraced(function* (
  walsender: Connection.Connection,
  position: Range<PostgresPosition>["after"],
  now: Parameters<typeof Slot.checkIncarnation>[2],
  epoch: number
): Effect.fn.Return<Range<PostgresPosition>["after"], ConnectorError> {
  if (Option.exists(position, (at) => at.epoch > epoch)) {
    const detail = "the position is of a later epoch than the source"
    return yield* misconfigured("resume", detail, "Set the source's epoch to the position's.")
  }
  if (Option.isSome(position) && position.value.epoch === epoch) {
    yield* Slot.checkIncarnation(walsender, position.value, now)
    return position
  }
  if (now.slot.walStatus === "lost") {
    const detail = `slot ${now.name} lost the WAL it needs (wal_status is lost)`
    return yield* misconfigured("start", detail, "Drop the slot and run `northstar source apply`.")
  }
  return Option.none()
})

/** A position of this incarnation. */
export const positionAt = (
  options: Options,
  system: Slot.System,
  lsn: bigint,
  snapshots: PostgresPosition["snapshots"]
): PostgresPosition => ({
  epoch: options.epoch,
  systemIdentifier: system.identifier,
  timeline: system.timeline,
  slot: options.slot,
  lsn,
  snapshots
})

const stream = (
  { options, control }: Opened,
  walsender: Connection.Connection,
  feed: Omit<Replication.Options["feed"], "decoder">
) => {
  const types = new Map<string, string>()
  return Replication.start(walsender, {
    slot: options.slot,
    publication: options.publication,
    // A batch without rows for each heartbeat: readers then know how far a source is complete that says nothing.
    limits: {
      ...limitsDefault,
      idleMs: Duration.toMillis(options.heartbeatEvery ?? heartbeatDefault),
      ...options.limits
    },
    lookUp: (oid, typmod) => lookUp(control, types, oid, typmod),
    feed: {
      ...feed,
      decoder: {
        tables: new Map(options.tables.map((table) => [table.source, table])),
        typeName: (oid, typmod) => types.get(`${oid} ${typmod}`)
      }
    }
  })
}

/** Progress with a requested snapshot begun; the same request again, and tables that are not captured, change nothing. */
const requested = (
  tables: ReadonlyArray<Table>,
  progress: PostgresPosition["snapshots"],
  request: { readonly id: string; readonly tables: ReadonlyArray<string> }
): PostgresPosition["snapshots"] => {
  const wanted = tables.filter(({ source }) => request.tables.includes(source) && progress[source]?.id !== request.id)
  return {
    ...progress,
    ...Object.fromEntries(wanted.map(({ source }) => [source, Snapshot.begin(request.id, progress[source])]))
  }
}

/** Reads what is unfinished, then waits for the next request, and so on. */
const takeSnapshots = Effect.fnUntraced(function* (
  { options, control, major }: Opened,
  lane: Lane,
  replication: Replication.Replication
) {
  const { feed } = replication
  const connection = yield* Connection.open({ url: options.url })
  const visibility = () => (lane.visibility ??= new Visibility())
  const running = Snapshot.make({
    pace: options.snapshot ?? paceDefault,
    tables: options.tables,
    connection,
    visibility,
    undoubted: undoubted(control, visibility),
    progress: () => feed.snapshots,
    deliver: ({ blocks, snapshots }) => feed.add(blocks, snapshots),
    emit: (id) => {
      const content: Heartbeat.Content = { kind: "chunk", slot: options.slot, id, session: lane.session }
      return Effect.asVoid(Heartbeat.emit(control, major, JSON.stringify(content)))
    }
  })
  lane.running = running
  while (true) {
    // Collects before the question is asked.
    const kept = visibility()
    kept.doubt(yield* inProgress(control))
    yield* running.run
    // Between snapshots nobody asks which commits are visible.
    lane.visibility = undefined
    feed.bind()
    yield* Queue.take(lane.requests)
  }
}, Effect.scoped)

/** Looks at transactions in doubt, and after how many of them somebody is told. */
const lookEvery = "200 millis"
const looksQuiet = 150

/** Waits for the transactions that were open when the snapshots began. */
const undoubted = Effect.fnUntraced(function* (control: Connection.Connection, visibility: () => Visibility) {
  for (let looks = 1; ; looks++) {
    const open = visibility().remaining(yield* inProgress(control))
    if (open === 0) return
    if (looks === looksQuiet) {
      yield* Effect.logWarning(`a snapshot waits for ${open} transactions at the source that were open before it`)
    }
    yield* Effect.sleep(lookEvery)
  }
})

/** The server's own name of a type; of one dropped since, a name that fits none. */
const lookUp = (control: Connection.Connection, types: Map<string, string>, oid: number, typmod: number) =>
  Effect.map(control.query(`select format_type(${oid}, ${typmod})`), (rows) => {
    types.set(`${oid} ${typmod}`, rows[0]?.[0] ?? "???")
  })
