import type { TextColumn } from "../landing/Block.ts"

/** Walks over the present values of a column, in row order. */
export class ValueCursor {
  /** Row of the value; its bytes are those from `start` to before `end`. */
  row = -1
  start = 0
  end = 0
  private readonly column: TextColumn

  constructor(column: TextColumn) {
    this.column = column
  }

  /** Moves to the next value; `false` behind the last. */
  next(): boolean {
    const { bytes, present } = this.column
    do this.row++
    while (this.row < present.length && present[this.row] !== 1)
    if (this.row >= present.length) return false
    const at = this.end
    this.start = at + lengthBytes
    this.end = this.start + (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    return true
  }
}

/** What becomes of one value: other bytes, or NULL. */
export interface Edit {
  readonly row: number
  /** Where the value lies, without its length. */
  readonly start: number
  readonly end: number
  readonly value: Uint8Array | undefined
}

/** The column with some values changed, in row order; everything between is copied in one piece. */
export const edited = (column: TextColumn, edits: ReadonlyArray<Edit>): TextColumn => {
  const present = Uint8Array.from(column.present)
  const parts: Array<Uint8Array> = []
  let at = 0
  for (const { end, row, start, value } of edits) {
    parts.push(column.bytes.subarray(at, start - lengthBytes))
    if (value === undefined) present[row] = 0
    else parts.push(lengthOf(value), value)
    at = end
  }
  parts.push(column.bytes.subarray(at))
  return { present, bytes: Buffer.concat(parts) }
}

/** A column of texts, `undefined` for NULL. */
export const fromTexts = (texts: ReadonlyArray<string | undefined>): TextColumn => {
  const parts: Array<Uint8Array> = []
  for (const text of texts) {
    if (text === undefined) continue
    const value = Buffer.from(text)
    parts.push(lengthOf(value), value)
  }
  return { present: Uint8Array.from(texts, (text) => (text === undefined ? 0 : 1)), bytes: Buffer.concat(parts) }
}

/** The texts of a column, `undefined` for NULL. */
export const toTexts = (column: TextColumn): Array<string | undefined> => {
  const texts: Array<string | undefined> = Array.from({ length: column.present.length }, () => undefined)
  const cursor = new ValueCursor(column)
  while (cursor.next()) texts[cursor.row] = textOf(column, cursor)
  return texts
}

/** The text of a column's bytes. */
export const textOf = ({ bytes }: TextColumn, { end, start }: { readonly start: number; readonly end: number }) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8", start, end)

const lengthBytes = 4

const lengthOf = (value: Uint8Array): Uint8Array => {
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32LE(value.length)
  return length
}
