import type { Table } from "@northstar/core/Table"
import { maskText } from "../cards/Tripwire.ts"
import { type Block, opTruncate } from "../landing/Block.ts"
import { BlockBuilder } from "../landing/BlockBuilder.ts"
import type { Chunk, Target } from "./Chunk.ts"
import type { PostgresPosition, SnapshotProgress } from "./Position.ts"
import type { Visibility } from "./Visibility.ts"

/** A chunk that has been read. */
export interface Read {
  readonly table: Table
  readonly target: Target
  readonly chunk: Chunk
}

/** What placed chunks put into the stream, and where their snapshots stand with them. */
export interface Placed {
  readonly blocks: ReadonlyArray<Block>
  readonly snapshots: PostgresPosition["snapshots"]
}

/** The very progress that a table's next chunk goes on from; one more for each time that its reading begins. */
interface Standing {
  progress: SnapshotProgress
}

/**
 * Chunks between their reading and their place in the stream. A message that was written after a chunk was read shows,
 * when it comes back, that every commit which the chunk may have missed has been streamed. So any number of chunks may
 * wait, and one message may serve several: each is placed by its own snapshot. They are placed in the order in which they
 * were read, so that a table's progress never passes rows that are not in the stream yet, and `Visibility` hears of ever
 * later snapshots. Pure state: chunks that wait are lost with the session, and read again from the durable progress.
 */
export class Placement {
  /** Number of the newest chunk: a message that carries it serves all chunks up to it. Never falls, so that a late message serves no later chunk. */
  newest = 0
  /** Bytes of values that wait. */
  bytes = 0
  private readonly waiting: Array<Read & { readonly number: number; readonly standing: Standing | undefined }> = []
  /** By table. */
  private readonly standings = new Map<string, Standing>()

  get isEmpty(): boolean {
    return this.waiting.length === 0
  }

  /** The next chunks of the table go on from this progress. */
  begin(table: Table, progress: SnapshotProgress): void {
    this.standings.set(table.source, { progress })
  }

  /** Whether the table's chunks still go on from its progress: another snapshot that was asked for starts over. */
  isCurrent(table: Table, snapshots: PostgresPosition["snapshots"]): boolean {
    return snapshots[table.source] === this.standings.get(table.source)?.progress
  }

  add(read: Read): void {
    this.waiting.push({ ...read, number: ++this.newest, standing: this.standings.get(read.table.source) })
    this.bytes += read.chunk.bytes
  }

  /** The message of this number came back at `lsn`, where `snapshots` was the progress. `undefined`: no chunk waited for it. */
  arrived(
    number: number,
    lsn: bigint,
    snapshots: PostgresPosition["snapshots"],
    visibility: Visibility
  ): Placed | undefined {
    const count = this.waiting.filter((read) => read.number <= number).length
    if (count === 0) return undefined
    const blocks: Array<Block> = []
    const now = { ...snapshots }
    for (const { chunk, standing, table, target } of this.waiting.splice(0, count)) {
      this.bytes -= chunk.bytes
      const before = now[table.source]
      if (before === undefined || standing?.progress !== before) continue
      const after = chunk.last !== null && isWritable(table, target, chunk.last) ? chunk.last : before.after
      const placed = placedAt(visibility.place(chunk.snapshot, lsn), target, chunk, { ...before, after })
      blocks.push(...placed.blocks)
      standing.progress = placed.progress
      now[table.source] = placed.progress
    }
    return { blocks, snapshots: now }
  }
}

/**
 * Whether a key may be a part of a position, which is written down: a card number may not. What was read behind the last
 * key that may is read again after a crash.
 */
const isWritable = (table: Table, { key }: Target, texts: ReadonlyArray<string>): boolean =>
  key.every((name, index) => {
    const column = Object.entries(table.columns).find(([own, { aliases }]) => own === name || aliases.includes(name))
    const text = texts[index] ?? ""
    return column?.[1].tag !== "pci" && maskText(text) === text
  })

/** The chunk's rows under their version, and where the snapshot stands with them; `before` has the key that it has come to. */
const placedAt = (position: bigint, target: Target, chunk: Chunk, before: SnapshotProgress) => {
  const { block } = chunk
  block.positions.fill(position)
  block.ordinals.fill(before.chunks)
  const floor = before.floor === null || position < before.floor ? position : before.floor
  const progress: SnapshotProgress = {
    id: before.id,
    after: before.after,
    floor,
    chunks: before.chunks + 1,
    done: chunk.done
  }
  const blocks = block.rows > 0 ? [block] : []
  return { blocks: chunk.done ? [...blocks, floorBlock(target, floor - 1n, chunk.readAtUs)] : blocks, progress }
}

const floorBlock = (target: Target, position: bigint, atUs: bigint): Block => {
  const builder = new BlockBuilder(target.relation)
  builder.begin(opTruncate, position, 0, atUs)
  return builder.finish()
}
