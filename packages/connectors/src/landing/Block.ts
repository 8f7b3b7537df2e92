import type { Brand } from "effect"

/**
 * Changes of one relation, laid out by column as Parquet wants them: what capture hands to the landing log. Every
 * source value is the source's own text in UTF-8 bytes; types are applied when a segment is loaded, so that a drifted
 * table or an unrepresentable value still lands.
 */
export interface Block {
  readonly relation: Relation
  readonly rows: number
  /** Per row: `opUpsert`, `opDelete` or `opTruncate`. */
  readonly ops: Uint8Array
  /** Per row: the source's position of the change (PostgreSQL: LSN of the commit record). */
  readonly positions: BigInt64Array
  /** Per row: order of the change within `position`. */
  readonly ordinals: Int32Array
  /** Per row: source commit time, Unix microseconds. */
  readonly committedAtUs: BigInt64Array
  /** One per relation column, in the relation's order. A delete carries its key columns, a truncate none. */
  readonly columns: ReadonlyArray<TextColumn>
  /** Per row: JSON array of the names of columns that the change does not carry (unchanged TOAST), or absent. */
  readonly unchanged: TextColumn
  /** Per row: JSON array of the texts of the old key, in key order, of a primary key update, or absent. */
  readonly movedFrom: TextColumn
  /**
   * Per row: why capture sets the row aside, such as `malformed` or `card_number:note`, or absent. Loading puts such a row
   * into quarantine with that reason.
   */
  readonly flagged: TextColumn
}

/** A block without card data: what `CardGuard` makes of a block, and the only kind that a sink takes. */
export type ProtectedBlock = Brand.Branded<Block, "ProtectedBlock">

/** Texts of one column in Parquet's PLAIN BYTE_ARRAY form. */
export interface TextColumn {
  /** Per row: 1 where a value is present, 0 where it is NULL (or not carried). */
  readonly present: Uint8Array
  /** The present values in row order, each a little-endian u32 length and its UTF-8 bytes. */
  readonly bytes: Uint8Array
}

export const opUpsert = 1
export const opDelete = 2
export const opTruncate = 3

/** A table's shape at the source when its changes were captured. */
export interface Relation {
  /** Schema-qualified name at the source, such as `public.orders`. */
  readonly table: string
  readonly columns: ReadonlyArray<RelationColumn>
  /** Hex digest of `table` and `columns`: equal fingerprints mean equal shape. */
  readonly fingerprint: string
}

/** One column of a relation. */
export interface RelationColumn {
  readonly name: string
  /** The source's name of the type, such as `numeric(12,2)`. */
  readonly type: string
  /** Part of the primary key (replica identity). */
  readonly key: boolean
}
