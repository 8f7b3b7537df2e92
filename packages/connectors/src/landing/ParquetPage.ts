import type { TextColumn } from "./Block.ts"

/** Uncompressed bytes of values after which a page ends; a page holds at least one value, however long. */
const pageBytesMax = 1 << 20

/** Bytes of a body that is kept for the next page, and how many are. */
const keptBytesMax = 3 << 19
const keptMax = 8

const bytesOf = { int32: 4, int64: 8 } as const

/** A column of a file. Numbers in one piece, texts in as many as there are blocks: they need not be joined first. */
export type FileColumn =
  | { readonly name: string; readonly kind: "int32" | "int64"; readonly bytes: Uint8Array }
  | { readonly name: string; readonly kind: "text"; readonly pieces: ReadonlyArray<TextColumn> }

/** Where the next page of a column starts: in which piece, at which row of it, and the byte of its first value. */
export interface Cursor {
  piece: number
  row: number
  byte: number
}

/** One page's data: `values` counts nulls too. The body is to be given to `release` as soon as it has been compressed. */
export interface Page {
  readonly values: number
  readonly nulls: number
  readonly body: Uint8Array
  readonly release: () => void
}

/** The column's next page, of at most so many rows (at least one), and moves the cursor behind it. */
export const next = (column: FileColumn, cursor: Cursor, rows: number): Page => {
  if (column.kind === "text") return textPage(takeSpans(column.pieces, cursor, rows))
  const width = bytesOf[column.kind]
  const from = cursor.row
  cursor.row = from + Math.min(rows, pageBytesMax / width)
  const body = column.bytes.subarray(from * width, cursor.row * width)
  return { values: cursor.row - from, nulls: 0, body, release: () => {} }
}

/** Takes parts of the pieces until a page is full or has so many rows. */
const takeSpans = (pieces: ReadonlyArray<TextColumn>, cursor: Cursor, rows: number): ReadonlyArray<TextColumn> => {
  const spans: Array<TextColumn> = []
  let rest = rows
  let room = pageBytesMax
  while (rest > 0 && room > 0) {
    const piece = pieces[cursor.piece] as TextColumn
    const { row, byte } = cursor
    const { present, bytes } = piece
    if (present.length - row <= rest && bytes.length - byte <= room) {
      cursor.row = present.length
      cursor.byte = bytes.length
    } else {
      skipValues(piece, cursor, row + rest, byte + room)
    }
    spans.push({ present: present.subarray(row, cursor.row), bytes: bytes.subarray(byte, cursor.byte) })
    rest -= cursor.row - row
    room -= cursor.byte - byte
    if (cursor.row === present.length) {
      cursor.piece++
      cursor.row = cursor.byte = 0
    }
  }
  return spans
}

/** Moves the cursor over rows of a piece up to before row `end`, or until `limit` bytes are reached or passed. */
const skipValues = ({ present, bytes }: TextColumn, cursor: Cursor, end: number, limit: number): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const rowEnd = Math.min(end, present.length)
  let { row, byte } = cursor
  while (row < rowEnd && byte < limit) {
    if (present[row] === 1) byte += 4 + view.getUint32(byte, true)
    row++
  }
  cursor.row = row
  cursor.byte = byte
}

/** Definition levels with their length, then the values as they are. */
const textPage = (spans: ReadonlyArray<TextColumn>): Page => {
  let rows = 0
  let values = 0
  let length = 0
  for (const { present, bytes } of spans) {
    rows += present.length
    length += bytes.length
    // Every value has at least its length.
    if (bytes.length > 0) values += count(present)
  }
  // RLE / bit-packed hybrid of one bit a row: one run when all rows agree, else one bit-packed run.
  const isRun = values === 0 || values === rows
  const groups = Math.ceil(rows / 8)
  const header = varint(isRun ? rows * 2 : groups * 2 + 1)
  const levels = header.length + (isRun ? 1 : groups)
  const body = take(4 + levels + length)
  new DataView(body.buffer).setUint32(0, levels, true)
  body.set(header, 4)
  let at = 4 + header.length
  if (isRun) body[at] = values === 0 ? 0 : 1
  else pack(spans, body.fill(0, at, at + groups), at)
  at = 4 + levels
  for (const { bytes } of spans) {
    body.set(bytes, at)
    at += bytes.length
  }
  return { values: rows, nulls: rows - values, body, release: () => keep(body) }
}

const count = (present: Uint8Array): number => {
  if (!present.includes(0)) return present.length
  let values = 0
  for (let row = 0; row < present.length; row++) values += present[row] as number
  return values
}

/** One bit a row, from byte `at` on; the bytes are zero. */
const pack = (spans: ReadonlyArray<TextColumn>, body: Uint8Array, at: number): void => {
  let bit = at * 8
  for (const { present } of spans) {
    for (let row = 0; row < present.length; row++, bit++) body[bit >>> 3]! |= (present[row] as number) << (bit & 7)
  }
}

const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return bytes
}

/**
 * Memory of pages that were compressed, for the next ones. Memory outside of the heap counts for the collector: without
 * this a good part of its full runs would be for pages that live a moment.
 */
const kept: Array<Uint8Array> = []

const take = (bytes: number): Uint8Array => {
  const memory = kept.pop()
  return memory !== undefined && memory.length >= bytes ? memory.subarray(0, bytes) : Buffer.allocUnsafeSlow(bytes)
}

const keep = ({ buffer }: Uint8Array): void => {
  if (buffer.byteLength <= keptBytesMax && kept.length < keptMax) kept.push(new Uint8Array(buffer))
}
