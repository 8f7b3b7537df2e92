import { Clock, Duration, Effect, Option, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import * as CommitLog from "./CommitLog.ts"
import { ObjectStore } from "./ObjectStore.ts"

/** Somebody who reads the log, and the sequence through which it is done (0 when it has read nothing). */
export interface Consumer {
  readonly name: string
  readonly sequence: bigint
}

/** A recorded decision that a consumer may hold data beyond the retention, until an instant (Unix milliseconds). */
export interface Exception {
  readonly consumer: string
  readonly reason: string
  readonly expiresAtMs: number
}

/** Data that a consumer still needs although it is due. Never removed; from `overdue` on, somebody must act. */
export interface Hold {
  readonly consumer: string
  /** Sequence and time (Unix milliseconds) of the oldest record that the consumer has not read. */
  readonly oldest: bigint
  readonly writtenAtMs: number
  /** `"warning"` from day 60, then `"excepted"` with an exception that is in force, else `"overdue"`. */
  readonly state: "warning" | "excepted" | "overdue"
}

/** What would be removed, in this order, and what is kept for whom. Nothing has happened yet. */
export interface Plan {
  readonly stream: string
  readonly keys: ReadonlyArray<string>
  /** Bytes of `keys`. */
  readonly bytes: number
  /** Records among `keys`. */
  readonly records: number
  readonly holds: ReadonlyArray<Hold>
}

/** Age at which raw data is removed. */
const retention = Duration.days(90)

/** Age at which a consumer that still needs data is warned of. */
const warnAfter = Duration.days(60)

/** Records of one plan at most: a plan stays small and is made again after it was applied. */
const planRecordsMax = 10_000

const step = Failpoint.declare("landing", ["retention.removed"])

/**
 * Plans the removal of records written more than 90 days ago, with their data. Removes only from the oldest on, never
 * what a consumer has not read, and never the newest record, which the next commit compares with. The segments of a
 * record come before it and older records before newer ones, so that a crash at any moment leaves a log without a gap.
 */
export const plan = Effect.fn("Retention.plan")(function* (options: {
  readonly stream: string
  readonly consumers: ReadonlyArray<Consumer>
  readonly exceptions?: ReadonlyArray<Exception>
}): Effect.fn.Return<Plan, ConnectorError, ObjectStore> {
  const { stream, consumers } = options
  const nowMs = yield* Clock.currentTimeMillis
  const newest = yield* CommitLog.tail(stream)
  if (Option.isNone(newest)) return { stream, keys: [], bytes: 0, records: 0, holds: [] }
  const needed = consumers.map((consumer) => consumer.sequence + 1n)
  const floor = [BigInt(newest.value.sequence), ...needed].reduce((low, at) => (at < low ? at : low))
  const due = yield* CommitLog.records(stream, { after: Option.none(), through: Option.some(floor - 1n) }).pipe(
    Stream.takeWhile((record) => record.writtenAtMs < nowMs - Duration.toMillis(retention)),
    Stream.take(planRecordsMax),
    Stream.runCollect
  )
  const store = yield* ObjectStore
  const objects = yield* Stream.fromIterable(due).pipe(
    Stream.flatMap(({ sequence }) =>
      Stream.concat(
        store.list(CommitLog.dataFolder(stream, BigInt(sequence))),
        store.list(CommitLog.recordKey(stream, BigInt(sequence)))
      )
    ),
    Stream.runCollect
  )
  const holds = yield* Effect.forEach(consumers, (consumer) =>
    holdOf(stream, consumer, options.exceptions ?? [], nowMs)
  )
  return { stream, ...sum(objects), records: due.length, holds: holds.flat() }
})

/**
 * Plans the removal of data that no commit will ever name: files of attempts that lost or failed, in sequences whose
 * record exists. A writer that is still at work writes below a sequence without a record, and so is left alone however
 * slow it is. `after` skips sequences that an earlier sweep has seen.
 */
export const sweep = Effect.fn("Retention.sweep")(function* (options: {
  readonly stream: string
  readonly after?: bigint
}): Effect.fn.Return<Plan, ConnectorError, ObjectStore> {
  const { stream } = options
  const store = yield* ObjectStore
  const named = { sequence: -1n, paths: undefined as ReadonlySet<string> | undefined }
  const prefix = `${stream}/data/`
  const objects = yield* store.list(prefix, CommitLog.dataFolder(stream, (options.after ?? 0n) + 1n)).pipe(
    Stream.filterEffect(
      Effect.fnUntraced(function* ({ key }) {
        const digits = /^(\d{20})\//.exec(key.slice(prefix.length))?.[1]
        if (digits === undefined) return false
        if (BigInt(digits) !== named.sequence) {
          named.sequence = BigInt(digits)
          const found = yield* CommitLog.record(stream, named.sequence)
          named.paths = Option.getOrUndefined(Option.map(found, ({ files }) => new Set(files.map((file) => file.path))))
        }
        return named.paths !== undefined && !named.paths.has(key)
      })
    ),
    Stream.runCollect
  )
  return { stream, ...sum(objects), records: 0, holds: [] }
})

/** Removes what a plan lists, in its order. Safe to stop and to repeat: what is gone stays gone. */
export const apply = Effect.fn("Retention.apply")(function* (
  plan: Plan
): Effect.fn.Return<void, ConnectorError, ObjectStore> {
  const store = yield* ObjectStore
  for (const key of plan.keys) {
    yield* store.remove(key)
    yield* step("retention.removed")
  }
})

const sum = (objects: ReadonlyArray<{ readonly key: string; readonly bytes: number }>) => ({
  keys: objects.map(({ key }) => key),
  bytes: objects.reduce((total, { bytes }) => total + bytes, 0)
})

/** The hold of a consumer whose oldest unread record is due or soon will be. */
const holdOf = Effect.fnUntraced(function* (
  stream: string,
  consumer: Consumer,
  exceptions: ReadonlyArray<Exception>,
  nowMs: number
) {
  const oldest = consumer.sequence + 1n
  const found = yield* CommitLog.record(stream, oldest)
  if (Option.isNone(found)) return []
  const { writtenAtMs } = found.value
  const ageMs = nowMs - writtenAtMs
  if (ageMs < Duration.toMillis(warnAfter)) return []
  const isExcepted = exceptions.some(
    (exception) => exception.consumer === consumer.name && exception.expiresAtMs > nowMs
  )
  const state = ageMs < Duration.toMillis(retention) ? "warning" : isExcepted ? "excepted" : "overdue"
  return [{ consumer: consumer.name, oldest, writtenAtMs, state } satisfies Hold]
})
