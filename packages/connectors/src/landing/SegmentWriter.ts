import { webcrypto } from "node:crypto"
import { Effect, Stream } from "effect"
import type { BatchError } from "@northstar/core/Batch"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import type { Block, ProtectedBlock } from "./Block.ts"
import * as ObjectKey from "./ObjectKey.ts"
import { ObjectStore } from "./ObjectStore.ts"
import * as Parquet from "./Parquet.ts"
import type { CommitRecord, SegmentFile } from "./Segment.ts"

/** Rows after which a segment is written: what DuckDB and Snowflake load well in one file. */
const segmentRowsMin = 50_000

/** Bytes of values after which a segment is written, however few its rows. */
const segmentBytesMin = 16 << 20

/** Bytes of values gathered over all tables before the largest is written early. */
const gatheredBytesMax = 64 << 20

/** Segments encoded and stored at once; with `gatheredBytesMax` this bounds the memory of a batch of any size. */
const segmentsAtOnce = 2

/** What a commit record says of its data. */
export type Contents = Pick<CommitRecord, "files" | "relations">

const step = Failpoint.declare("landing", ["segment.encoded", "segment.stored"])

/**
 * Writes blocks as segments below `folder` while they come, small blocks of one shape merged. When it returns, every
 * segment is durable; nothing refers to them yet.
 */
export const write = Effect.fn("SegmentWriter.write")(function* (
  folder: string,
  chunks: Stream.Stream<ReadonlyArray<ProtectedBlock>, BatchError>
): Effect.fn.Return<Contents, BatchError, ObjectStore> {
  const relations: Record<string, Contents["relations"][string]> = {}
  const files = yield* chunks.pipe(
    Stream.mapAccum(
      () => new Gatherer(),
      (gatherer, blocks) => [gatherer, gatherer.add(blocks)] as const,
      {
        onHalt: (gatherer) => gatherer.rest()
      }
    ),
    Stream.mapEffect(
      (blocks, index) => {
        const { columns, fingerprint, table } = (blocks[0] as Block).relation
        relations[fingerprint] = { table, columns }
        return writeSegment(`${folder}${index}-${ObjectKey.partOf(table)}.parquet`, blocks)
      },
      { concurrency: segmentsAtOnce }
    ),
    Stream.runCollect
  )
  return { files, relations }
})

/** Blocks of one shape, at least one, as one segment. */
const writeSegment = Effect.fnUntraced(function* (
  path: string,
  blocks: ReadonlyArray<Block>
): Effect.fn.Return<SegmentFile, ConnectorError, ObjectStore> {
  const { fingerprint, table } = (blocks[0] as Block).relation
  const store = yield* ObjectStore
  const bytes = yield* Parquet.encode(blocks)
  const digest = yield* Effect.promise(() => webcrypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>))
  yield* step("segment.encoded")
  yield* store.put(path, bytes)
  yield* step("segment.stored")
  return {
    path,
    table,
    fingerprint,
    rows: blocks.reduce((sum, block) => sum + block.rows, 0),
    bytes: bytes.length,
    sha256: Buffer.from(digest).toString("hex")
  }
})

/** Gathers blocks by shape and hands them out as segments' worth. */
class Gatherer {
  readonly #groups = new Map<string, { readonly blocks: Array<Block>; rows: number; bytes: number }>()
  #bytes = 0

  /** The groups that are full after these blocks. */
  add(blocks: ReadonlyArray<Block>): ReadonlyArray<ReadonlyArray<Block>> {
    const full: Array<ReadonlyArray<Block>> = []
    for (const block of blocks) {
      if (block.rows === 0) continue
      const { fingerprint } = block.relation
      const group = this.#groups.get(fingerprint) ?? { blocks: [], rows: 0, bytes: 0 }
      this.#groups.set(fingerprint, group)
      const bytes = bytesOf(block)
      group.blocks.push(block)
      group.rows += block.rows
      group.bytes += bytes
      this.#bytes += bytes
      if (group.rows >= segmentRowsMin || group.bytes >= segmentBytesMin) full.push(this.#take(fingerprint))
      else if (this.#bytes >= gatheredBytesMax) full.push(this.#take(this.#largest()))
    }
    return full
  }

  /** What has been gathered and not handed out. */
  rest(): ReadonlyArray<ReadonlyArray<Block>> {
    return [...this.#groups.values()].map((group) => group.blocks)
  }

  #take(fingerprint: string): ReadonlyArray<Block> {
    const group = this.#groups.get(fingerprint)
    this.#groups.delete(fingerprint)
    this.#bytes -= group?.bytes ?? 0
    return group?.blocks ?? []
  }

  #largest(): string {
    let largest = ["", -1] as readonly [string, number]
    for (const [fingerprint, { bytes }] of this.#groups) if (bytes > largest[1]) largest = [fingerprint, bytes]
    return largest[0]
  }
}

const bytesOf = (block: Block): number => {
  let bytes = block.rows * 24 + block.unchanged.bytes.length + block.movedFrom.bytes.length + block.flagged.bytes.length
  for (const column of block.columns) bytes += column.present.length + column.bytes.length
  return bytes
}
