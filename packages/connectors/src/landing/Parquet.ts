import { constants, zstdCompress } from "node:zlib"
import { Effect } from "effect"
import { ConnectorError, Misconfigured, Unavailable } from "@northstar/core/ConnectorError"
import type { Block, Relation, TextColumn } from "./Block.ts"
import * as ParquetMetadata from "./ParquetMetadata.ts"
import * as ParquetPage from "./ParquetPage.ts"
import { segmentColumns } from "./Segment.ts"

/** Rows of one row group at most: what a reader must hold of one column at a time. */
const rowGroupRowsMax = 100_000

/** Columns compressed at once: as many as Node's thread pool has threads. */
const columnsAtOnce = 4

/**
 * Blocks of one shape, at least one, as one Parquet file of their rows in order: the columns of `segmentColumns`, then the
 * relation's columns as nullable UTF-8 text, in zstd pages. A text column's bytes are copied into its pages as they are, since
 * they already have the PLAIN encoding. Compression runs on the thread pool. Fails with `Misconfigured` when a column's name
 * is one of the segment's own, or equal to another's but for case (DuckDB and Snowflake would see one column).
 */
export const encode = Effect.fn("Parquet.encode")(function* (
  blocks: ReadonlyArray<Block>
): Effect.fn.Return<Uint8Array, ConnectorError> {
  const { relation } = blocks[0] as Block
  yield* checkNames(relation)
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0)
  const columns = layout(relation, blocks, rows)
  const parts: Array<Uint8Array> = [magic]
  const groups: Array<ParquetMetadata.RowGroup> = []
  let offset = magic.length
  const cursors = columns.map((): ParquetPage.Cursor => ({ piece: 0, row: 0, byte: 0 }))
  for (let start = 0; start < rows; start += rowGroupRowsMax) {
    const groupRows = Math.min(rows - start, rowGroupRowsMax)
    const chunks = yield* Effect.forEach(
      columns,
      (column, index) => encodeChunk(column, cursors[index] as ParquetPage.Cursor, groupRows),
      { concurrency: columnsAtOnce }
    )
    const placed: Array<ParquetMetadata.PlacedChunk> = []
    for (const { parts: pages, ...chunk } of chunks) {
      placed.push({ ...chunk, offset })
      for (const page of pages) parts.push(page)
      offset += chunk.compressed
    }
    groups.push({ rows: groupRows, chunks: placed })
  }
  const footer = ParquetMetadata.footer(columns, groups, rows)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, footer.length, true)
  parts.push(footer, length, magic)
  return Buffer.concat(parts)
})

const magic = new TextEncoder().encode("PAR1")

/** A column chunk with its bytes: headers and bodies of its pages in turn. */
interface EncodedChunk extends ParquetMetadata.Chunk {
  readonly parts: ReadonlyArray<Uint8Array>
}

const checkNames = (relation: Relation): Effect.Effect<void, ConnectorError> => {
  const seen = new Set<string>(segmentColumns)
  for (const { name } of relation.columns) {
    const folded = name.toLowerCase()
    if (seen.has(folded)) {
      const detail = `column "${name}" of ${relation.table} has the name of another column of its segment`
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
const layout = (
  relation: Relation,
  blocks: ReadonlyArray<Block>,
  rows: number
): ReadonlyArray<ParquetPage.FileColumn> => {
  const numbers = {
    ops: new Int32Array(rows),
    positions: new BigInt64Array(rows),
    ordinals: new Int32Array(rows),
    committedAtUs: new BigInt64Array(rows)
  }
  let row = 0
  for (const block of blocks) {
    numbers.ops.set(block.ops, row)
    numbers.positions.set(block.positions, row)
    numbers.ordinals.set(block.ordinals, row)
    numbers.committedAtUs.set(block.committedAtUs, row)
    row += block.rows
  }
  const texts = (name: string, of: (block: Block) => TextColumn): ParquetPage.FileColumn => ({
    name,
    kind: "text",
    pieces: blocks.map(of)
  })
  return [
    { name: "_op", kind: "int32", bytes: raw(numbers.ops) },
    { name: "_position", kind: "int64", bytes: raw(numbers.positions) },
    { name: "_ordinal", kind: "int32", bytes: raw(numbers.ordinals) },
    { name: "_committed_at", kind: "int64", bytes: raw(numbers.committedAtUs) },
    texts("_unchanged", (block) => block.unchanged),
    texts("_moved_from", (block) => block.movedFrom),
    texts("_flagged", (block) => block.flagged),
    ...relation.columns.map(({ name }, index) => texts(name, (block) => block.columns[index] as TextColumn))
  ]
}

/** The array's memory: little-endian on every machine that Node 24 supports. */
const raw = (array: Int32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

/** Encodes a column's pages of the next `rows` rows, and moves the cursor behind them. */
const encodeChunk = Effect.fnUntraced(function* (
  column: ParquetPage.FileColumn,
  cursor: ParquetPage.Cursor,
  rows: number
) {
  const parts: Array<Uint8Array> = []
  const chunk = { values: rows, nulls: 0, uncompressed: 0, compressed: 0 }
  for (let rest = rows; rest > 0;) {
    const page = ParquetPage.next(column, cursor, rest)
    const body = yield* compress(page.body)
    page.release()
    const header = ParquetMetadata.pageHeader(page.values, page.body.length, body.length)
    parts.push(header, body)
    chunk.nulls += page.nulls
    chunk.uncompressed += header.length + page.body.length
    chunk.compressed += header.length + body.length
    rest -= page.values
  }
  return { parts, ...chunk } satisfies EncodedChunk
})

/** zstd at level 1: texts of the same column compress well at any level, and speed decides here. */
const compress = (bytes: Uint8Array): Effect.Effect<Uint8Array, ConnectorError> =>
  Effect.callback((resume) => {
    // Room for the usual result: by default it would come in pieces of 16 kB, each with a way through this thread.
    const chunkSize = Math.max(1024, bytes.length >>> 2)
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
