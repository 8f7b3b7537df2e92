import { Effect } from "effect"
import { type Block, opUpsert, type Relation } from "../landing/Block.ts"
import { BlockBuilder, type Sizes } from "../landing/BlockBuilder.ts"
import type { Connection } from "./Connection.ts"
import { order, within } from "./KeyRange.ts"
import { id, relation as quoted } from "./Sql.ts"

/** Which transactions a read saw: those below `xmax` that are not in `xip`. 64-bit transaction ids, as `pg_current_snapshot` gives them. */
export interface Snapshot {
  /** Everything below has ended. */
  readonly xmin: bigint
  /** Nothing from here on has ended. */
  readonly xmax: bigint
  /** In progress, of those in between. */
  readonly xip: ReadonlySet<bigint>
}

/** Rows of one table with keys in `(after, last]`, or to the end of the table when `done`: all that the snapshot saw there. */
export interface Chunk {
  /** The rows as upserts in key order, with position and ordinal 0 (whoever places the chunk in the stream fills them in) and `readAtUs` as commit time. */
  readonly block: Block
  readonly snapshot: Snapshot
  /** The last key, as the source's texts in key order; `null` without rows. */
  readonly last: ReadonlyArray<string> | null
  readonly done: boolean
  /** The source's clock when the snapshot was taken, Unix microseconds. */
  readonly readAtUs: bigint
  /** Bytes of values. */
  readonly bytes: number
  /** For reading the next chunk, which will probably be alike. */
  readonly sizes: Sizes
}

/** What to read of which table. */
export interface Target {
  /** Columns to read: the relation that the stream reports, so that snapshot and stream land alike. */
  readonly relation: Relation
  /** Primary key columns, in order. */
  readonly key: ReadonlyArray<string>
}

/** Longest work of the source on one chunk, and longest wait for a lock (only DDL makes it wait). */
const statementTimeoutMs = 20_000
const lockTimeoutMs = 2000

/**
 * Reads the next `rows` rows after a key in the source's own key order, in one round trip and one snapshot. Rows beyond
 * `bytesMax` bytes of values are left for the next chunk; the first row is always taken, the last one may pass the limit. Fails, rather than reading less,
 * where row security would hide rows from the role. `like`: sizes of the table's chunk before.
 */
export const readChunk = Effect.fn("Chunk.read")(function* (
  connection: Connection,
  target: Target,
  after: ReadonlyArray<string> | null,
  limits: { readonly rows: number; readonly bytesMax: number },
  like?: Sizes
) {
  const reader = new ChunkReader(target.relation, limits.bytesMax, like)
  yield* connection
    .scan(chunkSql(target, after, limits.rows), (buffer, start) => reader.row(buffer, start))
    .pipe(Effect.tapError(() => Effect.ignore(connection.query("ROLLBACK"))))
  return reader.finish(target.key, limits.rows)
})

/**
 * Snapshot and rows are two statements of one REPEATABLE READ transaction: both see the same. The lock comes before the
 * snapshot: to one that is older a table that a migration rewrites meanwhile looks empty (PostgreSQL's caveats of MVCC).
 */
const chunkSql = (target: Target, after: ReadonlyArray<string> | null, rows: number): string =>
  [
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    `SET LOCAL statement_timeout = ${statementTimeoutMs}`,
    `SET LOCAL lock_timeout = ${lockTimeoutMs}`,
    "SET LOCAL row_security = off",
    `LOCK TABLE ${quoted(target.relation.table)} IN ACCESS SHARE MODE`,
    "SELECT pg_current_snapshot(), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    `SELECT ${target.relation.columns.map((column) => id(column.name)).join(", ")}
     FROM ${quoted(target.relation.table)} t WHERE ${within(target.key, { after, through: null })}
     ORDER BY ${order(target.key)} LIMIT ${rows}`,
    "COMMIT"
  ].join(";\n")

/** Takes the rows of a chunk's answer straight from the socket's buffer. */
class ChunkReader {
  private readonly builder: BlockBuilder
  private readonly bytesMax: number
  private header: { readonly snapshot: Snapshot; readonly readAtUs: bigint } | undefined
  private received = 0

  constructor(relation: Relation, bytesMax: number, like: Sizes | undefined) {
    this.builder = new BlockBuilder(relation, like)
    this.bytesMax = bytesMax
  }

  /** The body of one DataRow: a column count, then per column its length, −1 for NULL, and its text. */
  row(buffer: Buffer, start: number): void {
    if (this.header === undefined) {
      const [snapshot = "", readAtUs = ""] = texts(buffer, start)
      this.header = { snapshot: parseSnapshot(snapshot), readAtUs: BigInt(readAtUs) }
      return
    }
    this.received += 1
    const { builder } = this
    // Once full, no later row may enter, however small: the chunk holds every key up to its last.
    if (this.received > builder.rows + 1) return
    if (builder.rows > 0 && builder.bytes >= this.bytesMax) return
    builder.begin(opUpsert, 0n, 0, this.header.readAtUs)
    const columns = buffer.readInt16BE(start)
    let at = start + 2
    for (let column = 0; column < columns; column++) {
      const length = int32(buffer, at)
      at += 4
      if (length < 0) continue
      builder.value(column, buffer, at, at + length)
      at += length
    }
  }

  finish(key: ReadonlyArray<string>, rowsMax: number): Chunk {
    const { bytes, sizes } = this.builder
    const block = this.builder.finish()
    const { snapshot, readAtUs } = this.header ?? { snapshot: nothingSeen, readAtUs: 0n }
    return {
      block,
      snapshot,
      readAtUs,
      bytes,
      sizes,
      last: block.rows === 0 ? null : key.map((name) => lastText(block, name)),
      done: block.rows === this.received && this.received < rowsMax
    }
  }
}

/** Big-endian. Bounds are the message's, which is whole. */
const int32 = (buffer: Uint8Array, at: number): number =>
  ((buffer[at] as number) << 24) |
  ((buffer[at + 1] as number) << 16) |
  ((buffer[at + 2] as number) << 8) |
  (buffer[at + 3] as number)

const nothingSeen: Snapshot = { xmin: 0n, xmax: 0n, xip: new Set() }

/** `xmin:xmax:xip,xip,…` */
const parseSnapshot = (text: string): Snapshot => {
  const [xmin = "0", xmax = "0", xip = ""] = text.split(":")
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), xip: new Set(xip.split(",").filter(Boolean).map(BigInt)) }
}

const texts = (buffer: Buffer, start: number): ReadonlyArray<string> => {
  const found: Array<string> = []
  let at = start + 2
  for (let column = buffer.readInt16BE(start); column > 0; column--) {
    const length = buffer.readInt32BE(at)
    found.push(buffer.toString("utf8", at + 4, at + 4 + length))
    at += 4 + length
  }
  return found
}

/** The newest row's text of a key column, which is present in every row. */
const lastText = (block: Block, name: string): string => {
  const { bytes } = block.columns[block.relation.columns.findIndex((column) => column.name === name)] ?? noTexts
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  for (let row = 1; row < block.rows; row++) at += 4 + view.getUint32(at, true)
  return new TextDecoder().decode(bytes.subarray(at + 4))
}

const noTexts = { bytes: new Uint8Array(4) }
