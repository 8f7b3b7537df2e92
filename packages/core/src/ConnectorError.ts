import { Schema } from "effect"

/** The other side does not answer, or answered that it cannot now. Retryable. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", { cause: Schema.Defect() }) {}

/** The other side asked for fewer requests. Retryable after `retryAfter`. */
export class RateLimited extends Schema.TaggedError<RateLimited>()("RateLimited", { retryAfter: Schema.Duration }) {}

/**
 * Somebody else holds what only one may hold (a replication slot, a database file). Retryable: the holder may leave.
 * `leavesWithin`: a holder that is dead is gone by then; longer than this nobody need wait.
 */
export class Busy extends Schema.TaggedError<Busy>()("Busy", {
  holder: Schema.String,
  leavesWithin: Schema.optionalKey(Schema.Duration)
}) {}

/** Wrong credentials, or a right that the role lacks. */
export class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", { cause: Schema.Defect() }) {}

/** The outside system is not set up as the pipeline needs it, such as `wal_level` or a missing publication. */
export class Misconfigured extends Schema.TaggedError<Misconfigured>()("Misconfigured", { detail: Schema.String }) {}

/** What was read is not what was written, or not what the format allows. Never holds the data itself. */
export class InvalidData extends Schema.TaggedError<InvalidData>()("InvalidData", { detail: Schema.String }) {}

/** No space left where the pipeline writes. */
export class StorageFull extends Schema.TaggedError<StorageFull>()("StorageFull", { cause: Schema.Defect() }) {}

/** The source no longer holds the history after our watermark, or is no longer the source it came from; only an accepted new epoch helps. */
export class HistoryLost extends Schema.TaggedError<HistoryLost>()("HistoryLost", { after: Schema.String }) {}

const Reason = Schema.Union([
  Unavailable,
  RateLimited,
  Busy,
  Unauthorized,
  Misconfigured,
  InvalidData,
  StorageFull,
  HistoryLost
])

/**
 * An outside system failed. `detail` says what failed on what, `action` what to do next; neither holds row values,
 * credentials or payloads. Match a cause with `Effect.catchReason("ConnectorError", "Busy", ...)`.
 */
export class ConnectorError extends Schema.TaggedError<ConnectorError>()("ConnectorError", {
  connector: Schema.String,
  operation: Schema.String,
  detail: Schema.String,
  action: Schema.String,
  reason: Reason
}) {
  override readonly cause = this.reason
  override get message(): string {
    return `${this.connector}: ${this.operation}: ${this.detail}. ${this.action}`
  }
  get isRetryable(): boolean {
    const tag = this.reason._tag
    return tag === "Unavailable" || tag === "RateLimited" || tag === "Busy"
  }
}
