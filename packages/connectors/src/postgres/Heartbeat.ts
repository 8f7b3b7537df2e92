import { Duration, Effect, Option, Schedule, Schema } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { Connection } from "./Connection.ts"
import { messagePrefix } from "./Feed.ts"

/** When the WAL that the slot keeps the server from removing becomes a danger to it. */
export interface WalGuard {
  /** Bytes from which on each heartbeat warns. */
  readonly warnBytes: number
  /** Bytes from which on `policy` acts. */
  readonly stopBytes: number
  /**
   * `"warn"` only goes on warning; `"stop"` ends the read with an error and leaves the slot; `"release"` drops the slot
   * as well, which frees the server's disk at once and makes a new epoch with a new snapshot necessary.
   */
  readonly policy: "warn" | "stop" | "release"
}

/** What our own logical messages say. `slot`: whose message; other pipelines' come along in the same stream. */
const Content = Schema.fromJsonString(
  Schema.Union([
    /** The source's clock, Unix milliseconds. */
    Schema.Struct({ kind: Schema.Literal("heartbeat"), slot: Schema.String, atMs: Schema.Int }),
    Schema.Struct({ kind: Schema.Literal("chunk"), slot: Schema.String, id: Schema.Int, session: Schema.String }),
    Schema.Struct({ kind: Schema.Literal("head"), slot: Schema.String }),
    /** Asks whoever reads the slot for a snapshot of tables, by their names at the source. */
    Schema.Struct({
      kind: Schema.Literal("snapshot"),
      slot: Schema.String,
      id: Schema.NonEmptyString,
      tables: Schema.Array(Schema.String)
    })
  ])
)
export type Content = typeof Content.Type

/** Reads one of our messages; others under our prefix are `none`. */
export const parse = Schema.decodeOption(Content)

/**
 * A commit's time is taken a moment before its record enters WAL: a heartbeat in between is ahead of a commit of an
 * earlier time. This is the longest such moment we allow for.
 */
export const commitDelayMaxMs = 1000

/** Writes a logical message outside of any transaction and returns the end of its record as text. */
export const emit = (connection: Connection, major: number, content: string) =>
  // Flushed at once from 17 on; before, the WAL writer does it within its delay (200 ms).
  connection.query(
    `select pg_logical_emit_message(false, '${messagePrefix}', $1::text${major >= 17 ? ", true" : ""})`,
    [content]
  )

/**
 * Writes a message now and every `every`: an idle publication's slot then moves on with unrelated WAL. Looks at the WAL
 * that the slot retains each time, and ends the read by the guard's policy or by an error of its own.
 */
export const run = Effect.fnUntraced(function* (
  connection: Connection,
  options: {
    readonly slot: string
    readonly major: number
    readonly every: Duration.Input
    readonly guard: WalGuard
    /** Ends the read with an error. */
    readonly end: (error: ConnectorError) => Effect.Effect<void>
  }
) {
  const beat = Effect.gen(function* () {
    const [row] = yield* connection.query("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
    const content: Content = { kind: "heartbeat", slot: options.slot, atMs: Number(row?.[0]) }
    yield* emit(connection, options.major, JSON.stringify(content))
    const breach = yield* check(connection, options.slot, options.guard)
    if (Option.isNone(breach)) return
    // The slot goes after its reader, whose own end would hide why, and goes even though the read ends with that.
    const release = options.guard.policy === "release" ? Effect.asVoid(drop(connection, options.slot)) : Effect.void
    yield* Effect.uninterruptible(Effect.andThen(options.end(breach.value), release))
    return yield* Effect.never
  })
  yield* Effect.forever(Effect.andThen(beat, Effect.sleep(options.every))).pipe(Effect.catch(options.end))
})

const check = Effect.fnUntraced(function* (connection: Connection, slot: string, guard: WalGuard) {
  const [row] = yield* connection.query(
    `select wal_status, safe_wal_size, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)
     from pg_replication_slots where slot_name = $1`,
    [slot]
  )
  const [walStatus, safeBytes, retained] = row ?? []
  const retainedBytes = Number(retained ?? 0)
  const isEndangered = walStatus === "unreserved" || walStatus === "lost"
  if (!isEndangered && retainedBytes < guard.warnBytes) return Option.none()
  const detail =
    `slot ${slot} makes the server keep ${Math.round(retainedBytes / 1_048_576)} MB of WAL (wal_status ${walStatus ?? "unknown"}` +
    `${typeof safeBytes === "string" ? `, ${Math.round(Number(safeBytes) / 1_048_576)} MB left` : ""})`
  if (guard.policy === "warn" || retainedBytes < guard.stopBytes) {
    yield* Effect.logWarning(detail)
    return Option.none()
  }
  const isReleased = guard.policy === "release"
  return Option.some(
    new ConnectorError({
      connector: "postgres",
      operation: "guard the source's disk",
      detail: isReleased ? `${detail}; the slot was given up` : detail,
      action: isReleased
        ? "Run northstar source apply, raise the source's epoch by one, then run northstar ingest: it takes a new snapshot"
        : "Find out why batches are not committed. To free the server's disk at once, drop the slot and accept a new epoch",
      reason: new Misconfigured({ detail })
    })
  )
})

/** Drops the slot, its reader first: a slot in use cannot be dropped, and a reader takes a moment to leave. */
const drop = (connection: Connection, slot: string) =>
  connection
    .query("select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active", [slot])
    .pipe(
      Effect.andThen(connection.query("select pg_drop_replication_slot($1)", [slot])),
      Effect.retry({ times: 20, schedule: Schedule.spaced("100 millis") })
    )
/** Asks whoever reads the slot, now or next, for a snapshot of tables. Idempotent by `id`. */
export const request = Effect.fn("Heartbeat.request")(function* (
  connection: Connection,
  snapshot: { readonly slot: string; readonly id: string; readonly tables: ReadonlyArray<string> }
) {
  const [row] = yield* connection.query("select current_setting('server_version_num')::int / 10000")
  const content: Content = { kind: "snapshot", ...snapshot }
  yield* emit(connection, Number(row?.[0]), JSON.stringify(content))
})
