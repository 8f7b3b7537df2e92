import { Order, Schema } from "effect"
import type { PositionType } from "@northstar/core/Position"

/**
 * A list under way: everything created in `[since, until]` (Unix seconds, both included), newest first. `until` was the
 * present when the walk began, so that what is created meanwhile does not move the pages.
 */
export const Walk = Schema.Struct({
  /** When it began, Unix milliseconds. */
  begunMs: Schema.Int,
  since: Schema.Int,
  until: Schema.Int,
  /** The last object of the last page read, or `null` before the first page. */
  after: Schema.NullOr(Schema.Struct({ id: Schema.String, created: Schema.Int }))
})
export type Walk = typeof Walk.Type

/** How far one type of object is read. Times are those at which the last completed walk began, Unix milliseconds. */
export const Progress = Schema.Struct({
  eventsMs: Schema.Int,
  events: Schema.NullOr(Walk),
  listedMs: Schema.Int,
  listed: Schema.NullOr(Walk),
  /** `null` until the history has been read once. */
  sweptMs: Schema.NullOr(Schema.Int),
  /** The walk through many pages that is under way, a part of it in each batch. */
  long: Schema.NullOr(Schema.Struct({ kind: Schema.Literals(["history", "backfill", "sweep"]), walk: Walk })),
  /** The id of the last backfill that was read to its end. */
  backfill: Schema.NullOr(Schema.String)
})
export type Progress = typeof Progress.Type

const Fields = Schema.Struct({
  /** Which accepted incarnation of the source this is; the first is 1. */
  epoch: Schema.Int,
  account: Schema.String,
  isLive: Schema.Boolean,
  /** An object that the account has for good, to know it by where the key may not tell its account; `null` before the first. */
  anchor: Schema.NullOr(Schema.Struct({ table: Schema.String, id: Schema.String })),
  /**
   * The fetch sequence: rises with each batch and is the version of what the batch read. A batch that completes a cycle
   * lifts it to at least the Unix microseconds at which the cycle began, so that "everything up to now" is a position.
   */
  sequence: Schema.BigIntFromString,
  /** By table at the source, such as `stripe.charges`. */
  tables: Schema.Record(Schema.String, Progress)
})

/** How far the objects of one Stripe account have been read, by all tables together. */
export type StripePosition = typeof Fields.Type

/** Stored as JSON; ordered by epoch, then fetch sequence. */
export const position: PositionType<StripePosition> = {
  name: "stripe/sequence",
  codec: Schema.fromJsonString(Fields),
  order: Order.combineAll([
    Order.mapInput(Order.Number, (position: StripePosition) => position.epoch),
    Order.mapInput(Order.BigInt, (position: StripePosition) => position.sequence)
  ])
}

/** The sequence of a head taken at an instant: only a cycle that began in a later millisecond is beyond it. */
export const headSequence = (nowMs: number): bigint => BigInt(nowMs) * 1000n + 999n

/** The sequence that a complete cycle is lifted to. */
export const cycleSequence = (begunMs: number): bigint => BigInt(begunMs) * 1000n

/** When the earliest cycle that reaches the sequence can begin, Unix milliseconds. */
export const reachableMs = (sequence: bigint): number => Number((sequence + 999n) / 1000n)
