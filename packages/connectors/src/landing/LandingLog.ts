import { randomUUID } from "node:crypto"
import { Clock, type Duration, Effect, type Latch, Option, Ref, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { decode, encode, type PositionType, type Range, type StreamKey } from "@northstar/core/Position"
import { fit, type Receipt, type Sink, type Writer } from "@northstar/core/Sink"
import type { Source } from "@northstar/core/Source"
import { WatermarkConflict } from "@northstar/core/WatermarkStore"
import type { ProtectedBlock } from "./Block.ts"
import * as CommitLog from "./CommitLog.ts"
import * as ObjectKey from "./ObjectKey.ts"
import { ObjectStore } from "./ObjectStore.ts"
import type { CommitRecord, Segment } from "./Segment.ts"
import * as SegmentWriter from "./SegmentWriter.ts"

export { position, record, records, tail } from "./CommitLog.ts"

/** How a stream is captured into its log. */
export interface SinkOptions {
  /** Folder of the log in the store, such as `shop`. */
  readonly stream: string
  /** Contract and tokenisation under which the changes are captured: part of their version. */
  readonly revision: number
  /** Accepted incarnation of the source that a batch's end belongs to; 1 by default. Called with the source's own position. */
  readonly epochOf?: (through: unknown) => number
}

/** How a log is read. */
export interface SourceOptions {
  /** Folder of the log in the store. */
  readonly stream: string
  /** Time between looks for a record that another process may write; 200 ms by default. This process's own are seen at once. */
  readonly pollInterval?: Duration.Input
  /**
   * For a consumer that costs money while it works: least time between two batches of an open range; what is written
   * meanwhile is joined, and records without rows wait for the next with some, at most an hour. By default a batch is read
   * as soon as it is there.
   */
  readonly cadence?: Duration.Input
  /**
   * A batch that holds so many rows is not joined with further records: for a consumer that must not hold for long what it
   * shares with another one.
   */
  readonly joinedRowsMax?: number
}

const step = Failpoint.declare("landing", ["record.ready", "record.created"])

/**
 * Lands blocks as immutable segments plus one record per batch, whose creation is the compare-and-set. Memory is
 * bounded for a batch of any size, and a batch without rows writes a record without files. Segments of a commit that
 * fails or loses stay unnamed, until `Retention` sweeps them. A log of another position type is `Misconfigured`.
 */
export const sink = (options: SinkOptions): Sink<ProtectedBlock, ObjectStore> => ({
  name: `landing/${options.stream}`,
  open: Effect.fn("LandingLog.open")(function* <P>(key: StreamKey, type: PositionType<P>) {
    yield* ObjectKey.check(options.stream)
    const services = yield* Effect.context<ObjectStore>()
    const standing = yield* Ref.make(Option.some(yield* standingOf(options.stream, type)))
    return {
      watermark: Option.flatMap(yield* Ref.get(standing), ({ through }) => through),
      commit: (batch) => Effect.provideContext(commit({ ...options, key, type, standing }, batch), services)
    } satisfies Writer<ProtectedBlock, P>
  })
})

/** Where a writer stands: the newest sequence (0 in an empty log) and its end. */
interface Standing<P> {
  readonly sequence: bigint
  readonly through: Option.Option<P>
}

interface Open<P> extends SinkOptions {
  readonly key: StreamKey
  readonly type: PositionType<P>
  /** `none` after a commit of unknown outcome: the next one asks the log. */
  readonly standing: Ref.Ref<Option.Option<Standing<P>>>
}

const commit = Effect.fn("LandingLog.commit")(function* <P>(
  open: Open<P>,
  batch: Batch.Batch<ProtectedBlock, P>
): Effect.fn.Return<Receipt<P>, Batch.BatchError | WatermarkConflict, ObjectStore> {
  const known = yield* Ref.getAndSet(open.standing, Option.none())
  const standing = Option.isSome(known) ? known.value : yield* standingOf(open.stream, open.type)
  const verdict = yield* fit(open.key, open.type, standing.through, batch).pipe(
    Effect.tapError(() => Ref.set(open.standing, Option.some(standing)))
  )
  if (verdict === "replayed") {
    yield* Ref.set(open.standing, Option.some(standing))
    return { through: batch.through, rows: 0, replayed: true }
  }
  const commitId = randomUUID()
  const at = standing.sequence + 1n
  const contents = yield* SegmentWriter.write(`${CommitLog.dataFolder(open.stream, at)}${commitId}/`, batch.chunks)
  yield* step("record.ready")
  const outcome = yield* CommitLog.append(open.stream, {
    format: 1,
    commitId,
    sequence: encode(CommitLog.position, at),
    positionType: open.type.name,
    after: Option.getOrNull(Option.map(batch.after, (after) => encode(open.type, after))),
    through: encode(open.type, batch.through),
    epoch: open.epochOf?.(batch.through) ?? 1,
    revision: open.revision,
    writtenAtMs: yield* Clock.currentTimeMillis,
    committedAtMs: Option.getOrNull(batch.committedAtMs),
    completeThroughMs: Option.getOrNull(batch.completeThroughMs),
    ...contents
  })
  if (outcome === "exists") return yield* conflict(open, batch)
  yield* step("record.created")
  yield* Ref.set(open.standing, Option.some({ sequence: at, through: Option.some(batch.through) }))
  return { through: batch.through, rows: contents.files.reduce((sum, file) => sum + file.rows, 0), replayed: false }
})

/** Another writer took the sequence: says where the log stands now. */
const conflict = Effect.fnUntraced(function* <P>(open: Open<P>, batch: Batch.Batch<ProtectedBlock, P>) {
  const now = yield* standingOf(open.stream, open.type)
  const text = Option.map((at: P) => encode(open.type, at))
  return yield* new WatermarkConflict({ key: open.key, batchAfter: text(batch.after), watermark: text(now.through) })
})

const standingOf = Effect.fnUntraced(function* <P>(
  stream: string,
  type: PositionType<P>
): Effect.fn.Return<Standing<P>, ConnectorError, ObjectStore> {
  const newest = yield* CommitLog.tail(stream)
  if (Option.isNone(newest)) return { sequence: 0n, through: Option.none() }
  const { positionType, through } = newest.value
  const sequence = BigInt(newest.value.sequence)
  if (positionType !== type.name) {
    const detail = `${stream} holds positions of ${positionType}, not of ${type.name}`
    return yield* new ConnectorError({
      connector: "landing",
      operation: "open log",
      detail,
      action: "Capture another kind of source into a stream of its own",
      reason: new Misconfigured({ detail })
    })
  }
  const decoded = yield* Effect.mapError(decode(type, through), () =>
    CommitLog.damaged(stream, sequence, "holds a position that cannot be read")
  )
  return { sequence, through: Option.some(decoded) }
})

/**
 * Reads a log's records as batches of segments; records that wait are joined. An open range follows the log. A damaged record or a gap
 * is `InvalidData`; a range whose next record retention has removed, or that starts beyond the log's end, is
 * `HistoryLost`. Segments are checked where their bytes are read, by `ObjectStore.local`. Nothing is released: what a
 * consumer has not read is kept for it by `Retention`.
 */
export const source = (options: SourceOptions): Source<Segment, bigint, ObjectStore> => ({
  name: `landing/${options.stream}`,
  position: CommitLog.position,
  open: Effect.gen(function* () {
    yield* ObjectKey.check(options.stream)
    const services = yield* Effect.context<ObjectStore>()
    return {
      read: (range) => Stream.provideContext(follow(options, range), services),
      head: CommitLog.tail(options.stream).pipe(
        Effect.map(Option.map((newest) => BigInt(newest.sequence))),
        Effect.provideContext(services)
      ),
      release: () => Effect.void
    }
  })
})

/** Looks for the next record between two checks why it is missing: 30 s at the default interval. */
const looksPerCheck = 150

const follow = (
  options: SourceOptions,
  range: Range<bigint>
): Stream.Stream<Batch.Batch<Segment, bigint>, ConnectorError, ObjectStore> =>
  Stream.unwrap(
    Effect.map(CommitLog.arrivals, (arrivals) =>
      Stream.unfold(
        { at: Option.getOrElse(range.after, () => 0n) + 1n, through: Option.none<string>() },
        Effect.fnUntraced(function* ({ at, through }) {
          if (Option.isSome(range.through) && at > range.through.value) return
          if (Option.isSome(through) && Option.isNone(range.through) && options.cadence !== undefined) {
            yield* Effect.sleep(options.cadence)
          }
          const found = yield* awaitRecord(options, at, arrivals)
          yield* checkChain(options, through, found)
          let { batch, last, rows } = yield* joinReady(options, range, found)
          while (options.cadence !== undefined && rows === 0 && last.writtenAtMs - found.writtenAtMs < emptyMaxMs) {
            if (Option.isSome(range.through) && batch.through >= range.through.value) return
            const next = yield* awaitRecord(options, batch.through + 1n, arrivals)
            yield* checkChain(options, Option.some(last.through), next)
            const more = yield* joinReady(options, range, next)
            batch = Batch.concat(batch, more.batch)
            last = more.last
            rows = more.rows
          }
          return [batch, { at: batch.through + 1n, through: Option.some(last.through) }] as const
        })
      )
    )
  )

/** How long records without rows wait for some, by the times they were written, milliseconds. */
const emptyMaxMs = 3_600_000

/** Records that wait to be read are joined into one batch, up to so many and so many rows: one publish costs as much as many. */
const joined = {
  soon: { records: 16, rows: 400_000 },
  /** Of a consumer with a cadence: some minutes of the peak. */
  cadence: { records: 500, rows: 10_000_000 }
}

const rowsOf = ({ files }: CommitRecord): number => files.reduce((sum, { rows }) => sum + rows, 0)

/** A record's batch, with those of the records that are already there behind it. */
const joinReady = Effect.fnUntraced(function* (options: SourceOptions, range: Range<bigint>, first: CommitRecord) {
  let batch = batchOf(first)
  let last = first
  let rows = rowsOf(first)
  const max = options.cadence === undefined ? joined.soon : joined.cadence
  const rowsMax = options.joinedRowsMax ?? max.rows
  for (let records = 1; records < max.records && rows < rowsMax; records++) {
    const at = batch.through + 1n
    if (Option.isSome(range.through) && at > range.through.value) break
    const next = yield* CommitLog.record(options.stream, at)
    if (Option.isNone(next)) break
    yield* checkChain(options, Option.some(last.through), next.value)
    batch = Batch.concat(batch, batchOf(next.value))
    last = next.value
    rows += rowsOf(last)
  }
  return { batch, last, rows }
})

/** A record must start where the one before it ends. */
const checkChain = (options: SourceOptions, through: Option.Option<string>, found: CommitRecord) =>
  Option.isSome(through) && found.after !== through.value
    ? Effect.fail(
        CommitLog.damaged(options.stream, BigInt(found.sequence), "does not start where the record before it ends")
      )
    : Effect.void

/** The record once it is written. A miss is explained at once, and again from time to time while waiting. */
const awaitRecord = Effect.fnUntraced(function* (options: SourceOptions, at: bigint, arrivals: Latch.Latch) {
  for (let look = 0; ; look++) {
    yield* arrivals.close
    const found = yield* CommitLog.record(options.stream, at)
    if (Option.isSome(found)) return found.value
    if (look % looksPerCheck === 0) {
      const why = yield* CommitLog.whyMissing(options.stream, at)
      if (Option.isSome(why)) return yield* why.value
    }
    yield* Effect.raceFirst(arrivals.await, Effect.sleep(options.pollInterval ?? "200 millis"))
  }
})

const batchOf = (found: CommitRecord): Batch.Batch<Segment, bigint> => {
  const sequence = BigInt(found.sequence)
  const { epoch, revision, writtenAtMs, completeThroughMs, committedAtMs } = found
  const segments = found.files.map((file) => ({
    file,
    columns: found.relations[file.fingerprint]?.columns ?? [],
    sequence,
    epoch,
    revision,
    writtenAtMs,
    completeThroughMs
  }))
  return {
    after: sequence === 1n ? Option.none() : Option.some(sequence - 1n),
    through: sequence,
    chunks: segments.length === 0 ? Stream.empty : Stream.succeed(segments),
    committedAtMs: Option.fromNullOr(committedAtMs),
    completeThroughMs: Option.fromNullOr(completeThroughMs)
  }
}
