import { Schema } from "effect"

/** A column of the relation a segment was captured from. */
const Column = Schema.Struct({ name: Schema.String, type: Schema.String, key: Schema.Boolean })

/** One immutable Parquet file (zstd) of one relation's changes; see `segmentColumns` for what is in it. */
export const SegmentFile = Schema.Struct({
  /** Key of the file in the object store. */
  path: Schema.String,
  /** Schema-qualified name of the table at the source. */
  table: Schema.String,
  /** Fingerprint of the relation; its columns are in the record's `relations`. */
  fingerprint: Schema.String,
  rows: Schema.Int,
  bytes: Schema.Int,
  sha256: Schema.String
})
export type SegmentFile = typeof SegmentFile.Type

/**
 * One commit of the landing log, `<stream>/log/<sequence>.json`: created once, never changed. In the file one more field
 * comes last, `sha256`: that of the text without it.
 */
export const CommitRecord = Schema.Struct({
  format: Schema.Literal(1),
  /** Names this very attempt, so that a writer recognises its own record after a lost answer. */
  commitId: Schema.String,
  /** 20 decimal digits, from 1, without gaps. */
  sequence: Schema.String,
  positionType: Schema.String,
  after: Schema.NullOr(Schema.String),
  through: Schema.String,
  epoch: Schema.Int,
  revision: Schema.Int,
  /** Unix milliseconds at which the record was written. */
  writtenAtMs: Schema.Int,
  /** Source commit time of the newest change, Unix milliseconds. */
  committedAtMs: Schema.NullOr(Schema.Int),
  completeThroughMs: Schema.NullOr(Schema.Int),
  relations: Schema.Record(Schema.String, Schema.Struct({ table: Schema.String, columns: Schema.Array(Column) })),
  files: Schema.Array(SegmentFile)
})
export type CommitRecord = typeof CommitRecord.Type

/** What `load` reads from the log: one segment with what its record says about it. */
export interface Segment {
  readonly file: SegmentFile
  /** The relation's columns when the segment was captured. */
  readonly columns: ReadonlyArray<typeof Column.Type>
  readonly sequence: bigint
  readonly epoch: number
  readonly revision: number
  /** Unix milliseconds at which the record was written: the row's `ingested_at`. */
  readonly writtenAtMs: number
  /** Source time through which the record is complete, Unix milliseconds. */
  readonly completeThroughMs: number | null
}

/**
 * Columns of every segment, before the source's own columns (which are all nullable UTF-8 text under their own names).
 * `_op` is INT32 1 upsert, 2 delete, 3 truncate; `_position` INT64; `_ordinal` INT32; `_committed_at` INT64
 * Unix microseconds (a plain integer: engines differ in how they read Parquet's timestamps); `_unchanged`, `_moved_from` and
 * `_flagged` nullable text.
 */
export const segmentColumns = [
  "_op",
  "_position",
  "_ordinal",
  "_committed_at",
  "_unchanged",
  "_moved_from",
  "_flagged"
] as const
