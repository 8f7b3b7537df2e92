import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import { Option } from "effect"
import * as ProtectedRows from "../../src/cards/ProtectedRows.ts"
import type { Block, ProtectedBlock, Relation, RelationColumn, TextColumn } from "../../src/landing/Block.ts"

/** One change as a test writes it down. */
export interface TestRow {
  readonly op?: 1 | 2 | 3
  readonly position?: bigint
  readonly ordinal?: number
  readonly committedAtUs?: bigint
  readonly values: ReadonlyArray<string | null>
  readonly unchanged?: string | null
  readonly movedFrom?: string | null
  readonly flagged?: string | null
}

/** A relation with text columns; the first is the key. */
export const relation = (table: string, names: ReadonlyArray<string>): Relation => {
  const columns: ReadonlyArray<RelationColumn> = names.map((name, index) => ({ name, type: "text", key: index === 0 }))
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([table, columns]))
    .digest("hex")
    .slice(0, 16)
  return { table, columns, fingerprint }
}

/** Texts as a block's column. */
const textColumn = (values: ReadonlyArray<string | null>): TextColumn => {
  const parts: Array<Uint8Array> = []
  for (const value of values) {
    if (value === null) continue
    const bytes = Buffer.from(value, "utf8")
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    parts.push(length, bytes)
  }
  return { present: Uint8Array.from(values, (value) => (value === null ? 0 : 1)), bytes: Buffer.concat(parts) }
}

/** Rows as a block of `shape`. */
export const block = (shape: Relation, rows: ReadonlyArray<TestRow>): Block => ({
  relation: shape,
  rows: rows.length,
  ops: Uint8Array.from(rows, (row) => row.op ?? 1),
  positions: BigInt64Array.from(rows, (row) => row.position ?? 1n),
  ordinals: Int32Array.from(rows, (row) => row.ordinal ?? 0),
  committedAtUs: BigInt64Array.from(rows, (row) => row.committedAtUs ?? 0n),
  columns: shape.columns.map((_, index) => textColumn(rows.map((row) => row.values[index] ?? null))),
  unchanged: textColumn(rows.map((row) => row.unchanged ?? null)),
  movedFrom: textColumn(rows.map((row) => row.movedFrom ?? null)),
  flagged: textColumn(rows.map((row) => row.flagged ?? null))
})

const protect = ProtectedRows.protector([], Option.none(), "tokenise")

/** A block as a sink takes it. */
export const guarded = (block: Block): ProtectedBlock => protect(block).block
