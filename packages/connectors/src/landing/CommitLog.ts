import { createHash } from "node:crypto"
import { Effect, Latch, Option, Schema, type Scope, Stream } from "effect"
import { ConnectorError, HistoryLost, InvalidData } from "@northstar/core/ConnectorError"
import { encode, type Range, sequence } from "@northstar/core/Position"
import { ObjectStore } from "./ObjectStore.ts"
import { CommitRecord } from "./Segment.ts"

/** Positions of a landing log: sequence numbers of its records, from 1, without gaps. */
export const position = sequence("landing/sequence")

/** Folder of a stream's records, with its slash. */
export const recordsFolder = (stream: string): string => `${stream}/log/`

/** Folder of the data of one record, and of attempts at it that did not win, with its slash. */
export const dataFolder = (stream: string, at: bigint): string => `${stream}/data/${encode(position, at)}/`

/** Key of one record. */
export const recordKey = (stream: string, at: bigint): string => `${recordsFolder(stream)}${encode(position, at)}.json`

/** One record, or `none` where it is not written yet or no longer kept. A damaged one is `InvalidData`. */
export const record = Effect.fn("CommitLog.record")(function* (
  stream: string,
  at: bigint
): Effect.fn.Return<Option.Option<CommitRecord>, ConnectorError, ObjectStore> {
  const bytes = yield* read(stream, at)
  if (Option.isNone(bytes)) return Option.none()
  const sealed = new TextDecoder().decode(bytes.value)
  const text = unsealed(sealed)
  if (text === undefined) return yield* damaged(stream, at, "does not have the checksum that it was written with")
  const found = yield* decodeRecord(text).pipe(Effect.mapError(() => damaged(stream, at, "is not a commit record")))
  if (found.sequence !== encode(position, at)) return yield* damaged(stream, at, "is the record of another sequence")
  return Option.some(found)
})

/**
 * The newest record, or `none` for an empty log. Reads O(log n) records: doubling steps from the oldest, then halves;
 * the oldest is 1, or where retention has removed it, the first name listed. One listing behind the result proves that
 * nothing lies beyond it: a page of the bucket, or on a disk the names in the log's folder. A gap is `InvalidData`.
 */
export const tail = Effect.fn("CommitLog.tail")(function* (
  stream: string
): Effect.fn.Return<Option.Option<CommitRecord>, ConnectorError, ObjectStore> {
  let last = (yield* exists(stream, 1n)) ? 1n : yield* sequenceAfter(stream, 0n)
  while (last !== undefined) {
    const end: bigint = yield* lastFrom(stream, last)
    const beyond = yield* sequenceAfter(stream, end)
    if (beyond === undefined) {
      const newest = yield* record(stream, end)
      if (Option.isSome(newest)) return newest
    } else if (beyond !== end + 1n && !(yield* exists(stream, end + 1n)) && (yield* exists(stream, end))) {
      return yield* gap(stream, end + 1n, beyond)
    }
    // Another writer went on, or retention removed what the search stood on: from what is there now.
    last = beyond
  }
  return Option.none()
})

/** Records within `(after, through]` that are kept now, oldest first; ends at the newest. For status and for backfill by time. */
export const records = (
  stream: string,
  range: Range<bigint>
): Stream.Stream<CommitRecord, ConnectorError, ObjectStore> =>
  sequences(
    stream,
    Option.getOrElse(range.after, () => 0n)
  ).pipe(
    Stream.takeWhile((at) => Option.isNone(range.through) || at <= range.through.value),
    Stream.mapEffect((at) => record(stream, at), { concurrency: 8 }),
    Stream.flatMap((found) => Stream.fromIterable(Option.toArray(found)))
  )

/** Sequences of the records after `after`, ascending. Other files of the folder are ignored. */
const sequences = (stream: string, after: bigint): Stream.Stream<bigint, ConnectorError, ObjectStore> =>
  Stream.unwrap(
    Effect.map(ObjectStore, (store) =>
      store.list(recordsFolder(stream), recordKey(stream, after)).pipe(
        Stream.map(({ key }) => /^(\d{20})\.json$/.exec(key.slice(recordsFolder(stream).length))?.[1]),
        Stream.filter((digits) => digits !== undefined),
        Stream.map((digits) => BigInt(digits))
      )
    )
  )

/** The first record after `after`, or `undefined`. */
const sequenceAfter = (stream: string, after: bigint): Effect.Effect<bigint | undefined, ConnectorError, ObjectStore> =>
  Effect.map(Stream.runHead(sequences(stream, after)), Option.getOrUndefined)

/**
 * Creates the record, which is the log's compare-and-set. `"created"` also when an earlier answer was lost and the
 * record in its place has our commit id; `"exists"` when it is another's.
 */
export const append = Effect.fn("CommitLog.append")(function* (
  stream: string,
  next: CommitRecord
): Effect.fn.Return<"created" | "exists", ConnectorError, ObjectStore> {
  const store = yield* ObjectStore
  const at = BigInt(next.sequence)
  const bytes = new TextEncoder().encode(seal(JSON.stringify(next)))
  // After a lost answer only a second attempt tells: its "exists" is as durable as a "created".
  const attempt = store.create(recordKey(stream, at), bytes)
  const outcome = yield* Effect.retry(attempt, { times: 1, while: (error) => error.isRetryable })
  if (outcome === "exists") {
    const winner = yield* record(stream, at)
    if (Option.isNone(winner) || winner.value.commitId !== next.commitId) return "exists"
  }
  for (const reader of readers) reader.openUnsafe()
  return "created"
})

/** Readers of this process that follow a log; a record appended here wakes them at once. */
const readers = new Set<Latch.Latch>()

/** A latch that every later `append` of this process opens; close it before looking. */
export const arrivals: Effect.Effect<Latch.Latch, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const latch = Latch.makeUnsafe()
    readers.add(latch)
    return latch
  }),
  (latch) => Effect.sync(() => readers.delete(latch))
)

/** Why a reader that stands after `at - 1` finds no record `at`: `none` when it is simply not written yet. */
export const whyMissing = Effect.fn("CommitLog.whyMissing")(function* (
  stream: string,
  at: bigint
): Effect.fn.Return<Option.Option<ConnectorError>, ConnectorError, ObjectStore> {
  const beyond = yield* sequenceAfter(stream, at)
  if (beyond !== undefined) {
    if (yield* exists(stream, at)) return Option.none()
    const isGap = (yield* sequenceAfter(stream, 0n)) !== beyond
    return Option.some(isGap ? gap(stream, at, beyond) : lost(stream, at, `the oldest record kept is ${beyond}`))
  }
  if (at === 1n || (yield* exists(stream, at - 1n)) || (yield* exists(stream, at))) return Option.none()
  return Option.some(lost(stream, at, "the log ends before it"))
})

/** A record or what it names is not what was written. */
export const damaged = (stream: string, at: bigint, how: string): ConnectorError => {
  const detail = `${recordKey(stream, at)} ${how}`
  return new ConnectorError({
    connector: "landing",
    operation: "read log",
    detail,
    action: "Restore it from a backup of the landing log, or capture from here on into a new stream",
    reason: new InvalidData({ detail })
  })
}

/** The last of the records that follow `from`, which exists, without a gap as far as a search by halves can tell. */
const lastFrom = Effect.fnUntraced(function* (stream: string, from: bigint) {
  let last = from
  let step = 1n
  while (yield* exists(stream, last + step)) {
    last += step
    step *= 2n
  }
  for (; step > 1n; step /= 2n) {
    if (yield* exists(stream, last + step / 2n)) last += step / 2n
  }
  return last
})

const exists = (stream: string, at: bigint) => Effect.map(read(stream, at), Option.isSome)

/** The bytes of a record; the store's only `InvalidData` is an absent object. */
const read = (stream: string, at: bigint): Effect.Effect<Option.Option<Uint8Array>, ConnectorError, ObjectStore> =>
  Effect.flatMap(ObjectStore, (store) => store.get(recordKey(stream, at))).pipe(
    Effect.map(Option.some),
    Effect.catchReason("ConnectorError", "InvalidData", () => Effect.succeedNone)
  )

/** A record's text with a checksum of itself as its last field: nothing else would tell a digit that was changed. */
export const seal = (text: string): string => `${text.slice(0, -1)},"sha256":"${digestOf(text)}"}`

/** The text that was sealed, or `undefined` where the checksum is not its own. */
export const unsealed = (sealed: string): string | undefined => {
  const text = `${sealed.slice(0, -sealLength)}}`
  return sealed === seal(text) ? text : undefined
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/** Of the last field with the comma before it and the bracket behind it. */
const sealLength = `,"sha256":"${digestOf("")}"}`.length

const decodeRecord = Schema.decodeUnknownEffect(Schema.fromJsonString(CommitRecord))

const gap = (stream: string, at: bigint, next: bigint): ConnectorError => {
  const detail = `${recordKey(stream, at)} is missing although record ${next} exists`
  return new ConnectorError({
    connector: "landing",
    operation: "read log",
    detail,
    action: "Restore the record from a backup of the landing log: without it the changes in it would be lost silently",
    reason: new InvalidData({ detail })
  })
}

const lost = (stream: string, at: bigint, why: string): ConnectorError =>
  new ConnectorError({
    connector: "landing",
    operation: "read log",
    detail: `${stream} does not hold record ${at}, which comes next: ${why}`,
    action:
      "Load the missing time by a snapshot (northstar backfill --snapshot), then accept a new start of the stream",
    reason: new HistoryLost({ after: encode(position, at - 1n) })
  })
