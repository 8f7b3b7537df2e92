import { createHash } from "node:crypto"
import type { Block, Relation, RelationColumn, TextColumn } from "./Block.ts"

/** A table's shape with its fingerprint. */
export const relation = (table: string, columns: ReadonlyArray<RelationColumn>): Relation => {
  const shape = JSON.stringify([table, columns.map((column) => [column.name, column.type, column.key])])
  return { table, columns, fingerprint: createHash("sha256").update(shape).digest("hex").slice(0, 32) }
}

/**
 * Grows one relation's `Block` from byte ranges, a row at a time: `begin`, then the row's values in any column order.
 * The hot path of capture: no string and no object per row or value, buffers grow by doubling.
 */
export class BlockBuilder {
  readonly relation: Relation
  /** Rows begun so far. */
  rows = 0
  /** Bytes of values held so far, length prefixes included. */
  bytes = 0
  private ops = new Uint8Array(initialRows)
  private positions = new BigInt64Array(initialRows)
  private ordinals = new Int32Array(initialRows)
  private committed = new BigInt64Array(initialRows)
  private readonly columns: ReadonlyArray<Texts>
  /** Each column's name as JSON text, in bytes. */
  private readonly names: ReadonlyArray<Uint8Array>
  private readonly unchangedNames = new Texts()
  private readonly oldKeys = new Texts()
  private readonly flags = new Texts()

  /** `like`: a block of the same relation that this one will probably resemble; its sizes spare growing buffers. */
  constructor(relation: Relation, like?: Sizes) {
    this.relation = relation
    this.columns = relation.columns.map((_, index) => new Texts(like?.rows, like?.bytes[index]))
    if (like !== undefined) this.growRows(Math.max(initialRows, withRoom(like.rows)))
    this.names = relation.columns.map((column) => utf8.encode(JSON.stringify(column.name)))
  }

  /** Starts a row in which no column is present. `position`, `ordinal`: the change's version; time in Unix microseconds. */
  begin(op: number, position: bigint, ordinal: number, committedAtUs: bigint): void {
    const row = this.rows
    if (row === this.ops.length) this.growRows(row * 2)
    this.ops[row] = op
    this.positions[row] = position
    this.ordinals[row] = ordinal
    this.committed[row] = committedAtUs
    this.rows = row + 1
  }

  /** The row's value of a column: the UTF-8 bytes from `start` to before `end`. Once per row and column. */
  value(column: number, buffer: Uint8Array, start: number, end: number): void {
    const texts = this.columns[column]
    if (texts === undefined) throw new RangeError(`column ${column} of ${this.relation.table}`)
    texts.append(this.rows - 1, buffer, start, end)
    this.bytes += 4 + end - start
  }

  /** The row does not carry the column. */
  unchanged(column: number): void {
    const name = this.names[column]
    if (name === undefined) throw new RangeError(`column ${column} of ${this.relation.table}`)
    this.unchangedNames.extendList(this.rows - 1, name)
    this.bytes += name.length + 1
  }

  /** The row's key was another: the JSON array of its texts. */
  movedFrom(json: string): void {
    const text = utf8.encode(json)
    this.oldKeys.append(this.rows - 1, text, 0, text.length)
    this.bytes += 4 + text.length
  }

  /** The row is set aside for this reason, at most once per row. */
  flag(reason: string): void {
    const text = utf8.encode(reason)
    this.flags.append(this.rows - 1, text, 0, text.length)
    this.bytes += 4 + text.length
  }

  /** What a builder of the next block of this relation is told. */
  get sizes(): Sizes {
    return { rows: this.rows, bytes: this.columns.map((texts) => texts.used) }
  }

  /** The block of all rows so far. The builder must not be used afterwards: the block shares its buffers. */
  finish(): Block {
    const rows = this.rows
    return {
      relation: this.relation,
      rows,
      ops: this.ops.subarray(0, rows),
      positions: this.positions.subarray(0, rows),
      ordinals: this.ordinals.subarray(0, rows),
      committedAtUs: this.committed.subarray(0, rows),
      columns: this.columns.map((texts) => texts.finish(rows)),
      unchanged: this.unchangedNames.finish(rows),
      movedFrom: this.oldKeys.finish(rows),
      flagged: this.flags.finish(rows)
    }
  }

  private growRows(rows: number): void {
    const grow = <A extends { set(from: A): void }>(from: A, to: A): A => {
      to.set(from)
      return to
    }
    this.ops = grow(this.ops, new Uint8Array(rows))
    this.positions = grow(this.positions, new BigInt64Array(rows))
    this.ordinals = grow(this.ordinals, new Int32Array(rows))
    this.committed = grow(this.committed, new BigInt64Array(rows))
  }
}

/** Rows of a block, and bytes of its values per column. */
export interface Sizes {
  readonly rows: number
  readonly bytes: ReadonlyArray<number>
}

const initialRows = 64
const initialBytes = 512
/** An eighth more than last time: enough for blocks that fill up to the same limit. */
const withRoom = (size: number): number => size + (size >>> 3)
/** Below this length a loop beats the call into native code. */
const loopBytesMax = 48
const utf8 = new TextEncoder()
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

/** Memory of its own whose bytes are whatever was there: only what has been written is ever handed on. */
const uninitialised = (bytes: number): Uint8Array => Buffer.allocUnsafeSlow(bytes)

const viewOf = ({ buffer, byteLength, byteOffset }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** One column under construction, in Parquet's PLAIN BYTE_ARRAY form. */
class Texts {
  /** Bytes written. */
  used = 0
  private present: Uint8Array
  private bytes: Uint8Array
  private view: DataView
  /** Where the length prefix of the newest list starts. */
  private last = 0

  constructor(rows = 0, bytes = 0) {
    this.present = new Uint8Array(Math.max(initialRows, withRoom(rows)))
    this.bytes = uninitialised(Math.max(initialBytes, withRoom(bytes)))
    this.view = viewOf(this.bytes)
  }

  /** Small enough to be inlined where rows are laid out. */
  append(row: number, buffer: Uint8Array, start: number, end: number): void {
    const at = this.used
    const length = end - start
    const next = at + 4 + length
    if (next > this.bytes.length || row >= this.present.length) this.grow(row, next)
    const { bytes } = this
    this.present[row] = 1
    this.view.setInt32(at, length, true)
    if (length <= loopBytesMax) for (let i = start, to = at + 4; i < end; i++, to++) bytes[to] = buffer[i] as number
    else bytes.set(buffer.subarray(start, end), at + 4)
    this.used = next
  }

  /** Adds an element to the JSON array that is the row's value; always a complete array. */
  extendList(row: number, element: Uint8Array): void {
    if (this.present[row] !== 1) {
      const list = new Uint8Array(element.length + 2)
      list[0] = openBracket
      list.set(element, 1)
      list[list.length - 1] = closeBracket
      this.last = this.used
      return this.append(row, list, 0, list.length)
    }
    const next = this.used + 1 + element.length
    if (next > this.bytes.length) this.grow(row, next)
    this.bytes[this.used - 1] = comma
    this.bytes.set(element, this.used)
    this.bytes[next - 1] = closeBracket
    this.used = next
    this.view.setInt32(this.last, next - this.last - 4, true)
  }

  finish(rows: number): TextColumn {
    if (rows > this.present.length) this.grow(rows - 1, 0)
    return { present: this.present.subarray(0, rows), bytes: this.bytes.subarray(0, this.used) }
  }

  /** Makes room for this row and for so many bytes. */
  private grow(row: number, bytes: number): void {
    if (row >= this.present.length) {
      const grown = new Uint8Array(Math.max(row + 1, this.present.length * 2))
      grown.set(this.present)
      this.present = grown
    }
    if (bytes > this.bytes.length) {
      const grown = uninitialised(Math.max(bytes, this.bytes.length * 2))
      grown.set(this.bytes.subarray(0, this.used))
      this.bytes = grown
      this.view = viewOf(grown)
    }
  }
}
