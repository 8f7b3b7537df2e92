import { Order, Schema } from "effect"
import type { PositionType } from "@northstar/core/Position"

/** How far the snapshot of one table has come. */
export const SnapshotProgress = Schema.Struct({
  /** Names the snapshot: another id starts over. */
  id: Schema.String,
  /** Texts of the last key read that is no card number, in key order; `null` where there is none. */
  after: Schema.NullOr(Schema.Array(Schema.String)),
  /** Smallest version position that a chunk's rows were given. */
  floor: Schema.NullOr(Schema.BigIntFromString),
  chunks: Schema.Int,
  done: Schema.Boolean
})
export type SnapshotProgress = typeof SnapshotProgress.Type

const Fields = Schema.Struct({
  /** Which accepted incarnation of the source this is; the first is 1. */
  epoch: Schema.Int,
  systemIdentifier: Schema.String,
  timeline: Schema.Int,
  slot: Schema.String,
  /**
   * Every commit whose record starts before this is included. Any LSN behind a commit record's start and up to its end
   * says the same.
   */
  lsn: Schema.BigIntFromString,
  /** By table at the source. */
  snapshots: Schema.Record(Schema.String, SnapshotProgress)
})

/**
 * A point of a slot's stream: a cut between commits of one incarnation of the source, with the progress of the
 * snapshots taken along with the stream, so that a sink's watermark alone resumes both.
 */
export type PostgresPosition = typeof Fields.Type

/** Stored as JSON; ordered by epoch, then LSN. */
export const position: PositionType<PostgresPosition> = {
  name: "postgres/lsn",
  codec: Schema.fromJsonString(Fields),
  order: Order.combineAll([
    Order.mapInput(Order.Number, (position: PostgresPosition) => position.epoch),
    Order.mapInput(Order.BigInt, (position: PostgresPosition) => position.lsn)
  ])
}

/** For messages: the epoch and PostgreSQL's own form of the LSN. Leaves out the keys that snapshots have reached. */
export const format = (position: PostgresPosition): string => `${position.epoch}/${formatLsn(position.lsn)}`

/** PostgreSQL's form of an LSN, such as `0/16B3748`. */
export const formatLsn = (lsn: bigint): string =>
  `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16).padStart(8, "0")}`.toUpperCase()

/** The LSN of PostgreSQL's text form. */
export const parseLsn = (text: string): bigint => {
  const [high, low] = text.split("/")
  return (BigInt(`0x${high ?? ""}`) << 32n) | BigInt(`0x${low ?? ""}`)
}
