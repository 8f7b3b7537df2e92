import { constants, zstdCompress } from "node:zlib"
import { Effect } from "effect"
import { ConnectorError, Misconfigured, Unavailable } from "@northstar/core/ConnectorError"
import type { Block, TextColumn } from "./Block.ts"
import * as ParquetMetadata from "./ParquetMetadata.ts"
import { segmentColumns } from "./Segment.ts"

/** Rows of one row group at most: what a reader must hold of one column at a time. */
const rowGroupRowsMax = 100_000

/** Uncompressed bytes of values after which a page ends; a page holds at least one value, however long. */
const pageBytesMax = 1 << 20

/** Columns compressed at once: as many as Node's thread pool has threads. */
const columnsAtOnce = 4

/**
 * A block as one Parquet file: the columns of `segmentColumns`, then the relation's columns as nullable UTF-8 text, in
 * zstd pages. A text column's bytes are copied into its pages as they are, since they already have the PLAIN encoding.
 * Compression runs on the thread pool. Fails with `Misconfigured` when a column's name is one of the segment's own, or
 * equal to another's but for case (DuckDB and Snowflake would see one column).
 */
export const encode = Effect.fn("Parquet.encode")(function* (
  block: Block
): Effect.fn.Return<Uint8Array, ConnectorError> {
  yield* checkNames(block)
  const columns = layout(block)
  const parts: Array<Uint8Array> = [magic]
  const groups: Array<ParquetMetadata.RowGroup> = []
  let offset = magic.length
  const cursors = columns.map(() => ({ row: 0, byte: 0 }))
  for (let start = 0; start < block.rows; start += rowGroupRowsMax) {
    const end = Math.min(block.rows, start + rowGroupRowsMax)
    const chunks = yield* Effect.forEach(
      columns,
      (column, index) => encodeChunk(column, cursors[index] as Cursor, end),
      { concurrency: columnsAtOnce }
    )
    const placed: Array<ParquetMetadata.PlacedChunk> = []
    for (const { parts: pages, ...chunk } of chunks) {
      placed.push({ ...chunk, offset })
      for (const page of pages) parts.push(page)
      offset += chunk.compressed
    }
    groups.push({ rows: end - start, chunks: placed })
  }
  const footer = ParquetMetadata.footer(columns, groups, block.rows)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, footer.length, true)
  parts.push(footer, length, magic)
  return Buffer.concat(parts)
})

const magic = new TextEncoder().encode("PAR1")

const bytesOf = { int32: 4, int64: 8 } as const

type FileColumn =
  | { readonly name: string; readonly kind: "int32" | "int64"; readonly bytes: Uint8Array }
  | { readonly name: string; readonly kind: "text"; readonly texts: TextColumn }

/** Where the next page of a column starts: its row, and the byte of its first value. */
interface Cursor {
  row: number
  byte: number
}

/** A column chunk with its bytes: headers and bodies of its pages in turn. */
interface EncodedChunk extends ParquetMetadata.Chunk {
  readonly parts: ReadonlyArray<Uint8Array>
}

const checkNames = (block: Block): Effect.Effect<void, ConnectorError> => {
  const seen = new Set<string>(segmentColumns)
  for (const { name } of block.relation.columns) {
    const folded = name.toLowerCase()
    if (seen.has(folded)) {
      const detail = `column "${name}" of ${block.relation.table} has the name of another column of its segment`
      return Effect.fail(
        new ConnectorError({
          connector: "landing",
          operation: "encode segment",
          detail,
          action: "Rename the column at the source, or leave it out of the publication's column list",
          reason: new Misconfigured({ detail })
        })
      )
    }
    seen.add(folded)
  }
  return Effect.void
}

/** The file's columns in order; names as `segmentColumns` has them. */
const layout = (block: Block): ReadonlyArray<FileColumn> => [
  { name: "_op", kind: "int32", bytes: raw(Int32Array.from(block.ops)) },
  { name: "_position", kind: "int64", bytes: raw(block.positions) },
  { name: "_ordinal", kind: "int32", bytes: raw(block.ordinals) },
  { name: "_committed_at", kind: "int64", bytes: raw(block.committedAtUs) },
  { name: "_unchanged", kind: "text", texts: block.unchanged },
  { name: "_moved_from", kind: "text", texts: block.movedFrom },
  { name: "_flagged", kind: "text", texts: block.flagged },
  ...block.relation.columns.map(({ name }, index): FileColumn => ({
    name,
    kind: "text",
    texts: block.columns[index] as TextColumn
  }))
]

/** The array's memory: little-endian on every machine that Node 24 supports. */
const raw = (array: Int32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** Encodes a column's pages from `cursor` up to row `end`, and moves the cursor there. */
const encodeChunk = Effect.fnUntraced(function* (column: FileColumn, cursor: Cursor, end: number) {
  const parts: Array<Uint8Array> = []
  const chunk = { values: end - cursor.row, nulls: 0, uncompressed: 0, compressed: 0 }
  while (cursor.row < end) {
    const page = column.kind === "text" ? textPage(column.texts, cursor, end) : fixedPage(column, cursor, end)
    const body = yield* compress(page.body)
    const header = ParquetMetadata.pageHeader(page.values, page.body.length, body.length)
    parts.push(header, body)
    chunk.nulls += page.nulls
    chunk.uncompressed += header.length + page.body.length
    chunk.compressed += header.length + body.length
  }
  return { parts, ...chunk } satisfies EncodedChunk
})

const fixedPage = (
  column: Extract<FileColumn, { readonly bytes: Uint8Array }>,
  cursor: Cursor,
  end: number
): { readonly values: number; readonly nulls: number; readonly body: Uint8Array } => {
  const width = bytesOf[column.kind]
  const from = cursor.row
  cursor.row = Math.min(end, from + pageBytesMax / width)
  return { values: cursor.row - from, nulls: 0, body: column.bytes.subarray(from * width, cursor.row * width) }
}

/** The next page of a text column: definition levels with their length, then the values as they are. */
const textPage = (texts: TextColumn, cursor: Cursor, end: number) => {
  const { row: fromRow, byte: fromByte } = cursor
  if (end === texts.present.length && texts.bytes.length - fromByte <= pageBytesMax) {
    cursor.row = end
    cursor.byte = texts.bytes.length
  } else {
    skipValues(texts, cursor, end)
  }
  const present = texts.present.subarray(fromRow, cursor.row)
  let values = 0
  for (let index = 0; index < present.length; index++) values += present[index] as number
  const levels = definitionLevels(present, values)
  const bytes = texts.bytes.subarray(fromByte, cursor.byte)
  const body = new Uint8Array(4 + levels.length + bytes.length)
  new DataView(body.buffer).setUint32(0, levels.length, true)
  body.set(levels, 4)
  body.set(bytes, 4 + levels.length)
  return { values: present.length, nulls: present.length - values, body }
}

/** Moves the cursor over rows until a page is full or `end` is reached, at least over one. */
const skipValues = (texts: TextColumn, cursor: Cursor, end: number): void => {
  const { present, bytes } = texts
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const limit = cursor.byte + pageBytesMax
  let { row, byte } = cursor
  while (row < end && byte < limit) {
    if (present[row] === 1) byte += 4 + view.getUint32(byte, true)
    row++
  }
  cursor.row = row
  cursor.byte = byte
}

/** RLE / bit-packed hybrid of one bit a row: one run when all rows agree, else one bit-packed run. */
const definitionLevels = (present: Uint8Array, values: number): Uint8Array => {
  if (values === 0 || values === present.length) {
    return Uint8Array.from([...varint(present.length * 2), values === 0 ? 0 : 1])
  }
  const groups = Math.ceil(present.length / 8)
  const header = varint(groups * 2 + 1)
  const levels = new Uint8Array(header.length + groups)
  levels.set(header)
  for (let row = 0; row < present.length; row++) {
    if (present[row] === 1) levels[header.length + (row >> 3)]! |= 1 << (row & 7)
  }
  return levels
}

const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return bytes
}

/** zstd at level 1: texts of the same column compress well at any level, and speed decides here. */
const compress = (bytes: Uint8Array): Effect.Effect<Uint8Array, ConnectorError> =>
  Effect.callback((resume) => {
    // Room for the whole result: by default it would come in pieces of 16 kB, each with a way through this thread.
    const chunkSize = Math.max(1024, bytes.length)
    zstdCompress(bytes, { chunkSize, params: { [constants.ZSTD_c_compressionLevel]: 1 } }, (error, compressed) => {
      resume(
        error === null
          ? Effect.succeed(compressed)
          : Effect.fail(
              new ConnectorError({
                connector: "landing",
                operation: "encode segment",
                detail: `a page of ${bytes.length} bytes could not be compressed`,
                action: "Run again; give the task more memory if it comes back",
                reason: new Unavailable({ cause: error })
              })
            )
      )
    })
  })
