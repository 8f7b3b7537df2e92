import { Effect, Option, Ref, Stream, SubscriptionRef } from "effect"
import * as Batch from "./Batch.ts"
import type { Change } from "./Change.ts"
import { ConnectorError, InvalidData, Misconfigured } from "./ConnectorError.ts"
import * as Failpoint from "./Failpoint.ts"
import * as Fold from "./Fold.ts"
import { decode, encode, isWithin, type PositionType, type Range, type StreamKey } from "./Position.ts"
import { fit, type Receipt, type Sink, type Writer } from "./Sink.ts"
import type { Source } from "./Source.ts"
import { type WatermarkConflict, WatermarkStore } from "./WatermarkStore.ts"

const step = Failpoint.declare("memory", [
  "source.opened",
  "source.batch",
  "sink.opened",
  "sink.pulled",
  "sink.written",
  "sink.committed",
  "source.released"
])

/** What a source committed at one position: rows that only ever travel together, perhaps none. */
export interface Commit<out A, out P> {
  readonly at: P
  readonly rows: ReadonlyArray<A>
  /** Unix milliseconds. */
  readonly committedAtMs?: number
}

/** A source in this process's memory that can be written to and read again from anywhere. */
export interface MemorySource<in out A, in out P> extends Source<A, P> {
  /** Adds commits, in order, after those that are there; open reads see them. */
  readonly append: (commits: ReadonlyArray<Commit<A, P>>) => Effect.Effect<void>
  /** The furthest position that a reader has released. */
  readonly released: Effect.Effect<Option.Option<P>>
}

/**
 * A source of commits in ascending order of position. A batch ends with the first commit that fills it to `batchRows`
 * rows (default 1), or with the last one there is; a closed range ends at exactly its `through`.
 */
export const source = Effect.fnUntraced(function* <A, P>(options: {
  readonly name: string
  readonly position: PositionType<P>
  readonly commits: ReadonlyArray<Commit<A, P>>
  readonly batchRows?: number
}): Effect.fn.Return<MemorySource<A, P>> {
  const { position } = options
  const log = yield* SubscriptionRef.make(options.commits)
  const released = yield* Ref.make(Option.none<P>())
  const next = Effect.fnUntraced(function* (range: Range<P>) {
    if (isEmpty(position, range)) return undefined
    const commits = yield* arrived(log, position, range)
    yield* step("source.batch")
    const batch = take(commits, range, options.batchRows ?? 1)
    const rest: Range<P> = { after: Option.some(batch.through), through: range.through }
    return [batch, rest] as const
  })
  return {
    name: options.name,
    position,
    open: Effect.as(step("source.opened"), {
      read: (range) => Stream.unfold(range, next),
      head: Effect.map(SubscriptionRef.get(log), (commits) => Option.fromUndefinedOr(commits.at(-1)?.at)),
      release: (through) => Effect.andThen(Ref.set(released, Option.some(through)), step("source.released"))
    }),
    append: (commits) => SubscriptionRef.update(log, (all) => [...all, ...commits]),
    released: Ref.get(released)
  }
})

/** A sink in this process's memory. */
export interface MemorySink<in out Row extends Fold.Columns> extends Sink<Change<Row>, WatermarkStore> {
  /** Every change committed, in order of arrival. */
  readonly history: Effect.Effect<ReadonlyArray<Change<Row>>>
  /** The current rows by table and key. */
  readonly contents: Effect.Effect<ReturnType<typeof Fold.foldTables<Row>>>
}

/**
 * A sink whose rows are the fold of all it was given: the executable model of laws K5 to K7. Watermarks live in the
 * `WatermarkStore`. Two different changes of one key and version are refused with `InvalidData`.
 */
export const sink = Effect.fnUntraced(function* <Row extends Fold.Columns>(
  name: string
): Effect.fn.Return<MemorySink<Row>> {
  const history = yield* Ref.make<ReadonlyArray<Change<Row>>>([])
  return {
    name,
    history: Ref.get(history),
    contents: Effect.map(Ref.get(history), Fold.foldTables),
    open: Effect.fnUntraced(function* <P>(key: StreamKey, position: PositionType<P>) {
      const store = yield* WatermarkStore
      const watermark = yield* standing(name, store, key, position)
      yield* step("sink.opened")
      const writer: Writer<Change<Row>, P> = {
        watermark,
        commit: (batch) => commit({ name, store, key, position, history }, batch)
      }
      return writer
    })
  }
})

const commit = Effect.fnUntraced(function* <Row extends Fold.Columns, P>(
  {
    name,
    store,
    key,
    position,
    history
  }: {
    readonly name: string
    readonly store: WatermarkStore["Service"]
    readonly key: StreamKey
    readonly position: PositionType<P>
    readonly history: Ref.Ref<ReadonlyArray<Change<Row>>>
  },
  batch: Batch.Batch<Change<Row>, P>
): Effect.fn.Return<Receipt<P>, Batch.BatchError | WatermarkConflict> {
  const stands = yield* standing(name, store, key, position)
  if ((yield* fit(key, position, stands, batch)) === "replayed") {
    return { through: batch.through, rows: 0, replayed: true }
  }
  const rows = yield* Batch.rows(batch)
  yield* step("sink.pulled")
  const write = Effect.gen(function* () {
    const all = [...(yield* Ref.get(history)), ...rows]
    const [conflict] = Fold.conflicts(all)
    if (conflict !== undefined) return yield* ambiguous(name, conflict.table)
    yield* step("sink.written")
    yield* Ref.set(history, all)
  })
  const text = (at: P) => encode(position, at)
  const to = {
    positionType: position.name,
    through: text(batch.through),
    committedAtMs: Option.getOrElse(batch.committedAtMs, () => 0)
  }
  yield* store.commit({ key, after: Option.map(batch.after, text), to }, write)
  yield* step("sink.committed")
  return { through: batch.through, rows: rows.length, replayed: false }
})

/** The stored watermark as a position, refused if another type of position wrote it. */
const standing = Effect.fnUntraced(function* <P>(
  name: string,
  store: WatermarkStore["Service"],
  key: StreamKey,
  position: PositionType<P>
): Effect.fn.Return<Option.Option<P>, ConnectorError> {
  const stored = yield* store.load(key)
  if (Option.isNone(stored)) return Option.none()
  const { positionType, through } = stored.value
  const foreign = (detail: string) =>
    new ConnectorError({
      connector: "memory",
      operation: `open ${name}`,
      detail: `the watermark of ${key.pipeline}/${key.stream} is not a ${position.name} position`,
      action: "Give the pipeline another key, or the source it was started with",
      reason: new Misconfigured({ detail })
    })
  if (positionType !== position.name) return yield* foreign(`written as ${positionType}`)
  return Option.some(yield* Effect.mapError(decode(position, through), () => foreign("not decodable")))
})

const ambiguous = (name: string, table: string) =>
  new ConnectorError({
    connector: "memory",
    operation: `commit to ${name}`,
    detail: `two different changes of one key of ${table} have the same version`,
    action: "Correct the source: a version names one change",
    reason: new InvalidData({ detail: "equal versions with different content" })
  })

const isEmpty = <P>(position: PositionType<P>, { after, through }: Range<P>): boolean =>
  Option.isSome(after) && Option.isSome(through) && position.order(after.value, through.value) >= 0

/** The commits of a range that are there now, once there is one or none can come any more. */
const arrived = <A, P>(
  log: SubscriptionRef.SubscriptionRef<ReadonlyArray<Commit<A, P>>>,
  position: PositionType<P>,
  range: Range<P>
): Effect.Effect<ReadonlyArray<Commit<A, P>>> => {
  const within = (commits: ReadonlyArray<Commit<A, P>>) =>
    commits.filter((commit) => isWithin(position, range, commit.at))
  const isOver = (last: Commit<A, P> | undefined) =>
    last !== undefined && Option.isSome(range.through) && position.order(last.at, range.through.value) >= 0
  return SubscriptionRef.changes(log).pipe(
    Stream.filter((commits) => isOver(commits.at(-1)) || within(commits).length > 0),
    Stream.runHead,
    Effect.map((commits) => within(Option.getOrElse(commits, () => [])))
  )
}

/** The first batch of a range: up to the commit that fills it, or empty up to the range's end. */
const take = <A, P>(commits: ReadonlyArray<Commit<A, P>>, range: Range<P>, batchRows: number): Batch.Batch<A, P> => {
  const rows: Array<A> = []
  let last: Commit<A, P> | undefined
  for (const commit of commits) {
    for (const row of commit.rows) rows.push(row)
    last = commit
    if (rows.length >= batchRows) break
  }
  // `arrived` returns no commits only for a closed range.
  const through = last === undefined ? Option.getOrThrow(range.through) : last.at
  const committedAtMs = last?.committedAtMs
  return Batch.make({ after: range.after, through }, rows, committedAtMs === undefined ? {} : { committedAtMs })
}
