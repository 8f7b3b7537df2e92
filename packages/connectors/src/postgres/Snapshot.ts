import { Deferred, Duration, Effect, Option } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import { maskText } from "../cards/Tripwire.ts"
import { type Block, opTruncate } from "../landing/Block.ts"
import { BlockBuilder, relation } from "../landing/BlockBuilder.ts"
import * as Catalog from "./Catalog.ts"
import { type Chunk, readChunk, type Target } from "./Chunk.ts"
import type { Connection } from "./Connection.ts"
import { misconfigured } from "./Failure.ts"
import type { PostgresPosition, SnapshotProgress } from "./Position.ts"
import type { Visibility } from "./Visibility.ts"

/** How fast tables are read besides the stream. */
export interface Pace {
  readonly chunkRows: number
  readonly rowsPerSecondMax: number
}

/** What to read once at the beginning, besides the stream. */
export interface SnapshotOptions extends Pace {
  /** Names the snapshot of the tables that have none yet. */
  readonly id: string
  readonly tables: ReadonlyArray<Table>
}

/** How a snapshot joins the stream. */
export interface Lane {
  readonly pace: Pace
  /** Every table of the stream. */
  readonly tables: ReadonlyArray<Table>
  readonly connection: Connection
  /** Writes a logical message that will come back to `arrived`. */
  readonly emit: (id: number) => Effect.Effect<void, ConnectorError>
  /** Progress as of everything handed over so far. */
  readonly progress: () => PostgresPosition["snapshots"]
  /** Puts rows into the next batch, and the progress that they make into its end. */
  readonly deliver: (blocks: ReadonlyArray<Block>, table: string, progress: SnapshotProgress) => void
  readonly visibility: Visibility
}

/** A snapshot under way. */
export interface Running {
  /** A message of `emit` came back at `lsn`. */
  readonly arrived: (id: number, lsn: bigint) => void
  /** Reads all that is left, then succeeds. */
  readonly run: Effect.Effect<void, ConnectorError>
}

/** Bytes of values in one chunk at most (but one row). */
const chunkBytesMax = 8 * 1024 * 1024
/** A message that did not come back in this time is written again: a crash of the server can lose one that was not flushed. */
const arrivalMax = Duration.seconds(20)

/** The progress with which a new snapshot of a table begins: its chunks are numbered on, so that their versions differ. */
export const begin = (id: string, before: SnapshotProgress | undefined): SnapshotProgress => ({
  id,
  after: null,
  floor: null,
  chunks: before?.chunks ?? 0,
  done: false
})

/** Progress with the tables of the first snapshot that have none yet. */
export const withInitial = (
  progress: PostgresPosition["snapshots"],
  options: SnapshotOptions | undefined
): PostgresPosition["snapshots"] => ({
  ...Object.fromEntries((options?.tables ?? []).map(({ source }) => [source, begin(options?.id ?? "", undefined)])),
  ...progress
})

/** The tables of which a snapshot has begun and is not done. */
export const unfinished = (
  tables: ReadonlyArray<Table>,
  progress: PostgresPosition["snapshots"]
): ReadonlyArray<Table> => tables.filter(({ source }) => progress[source]?.done === false)

/**
 * Reads tables in chunks along with the stream. After each chunk a message is written; when it comes back, every commit
 * that the chunk may have missed has been streamed, and the chunk is placed just below the first of those it did miss.
 * (A message *before* the chunk, which other schemes need, would say nothing: `Visibility` knows all earlier commits.)
 * After a table's last chunk its floor is raised below all of its chunks: what no chunk held and no later change
 * touched is gone at the source.
 */
export const make = (lane: Lane): Running => {
  let waiting: { readonly id: number; readonly take: (lsn: bigint) => void } | undefined
  let ids = 0
  const place = Effect.fnUntraced(function* (table: Table, target: Target, chunk: Chunk, before: SnapshotProgress) {
    const id = ++ids
    const placed = yield* Deferred.make<SnapshotProgress>()
    waiting = {
      id,
      take: (lsn) => {
        const after = chunk.last !== null && isWritable(table, target, chunk.last) ? chunk.last : before.after
        const at = lane.visibility.place(chunk.snapshot, lsn)
        const { blocks, progress } = placedAt(at, target, chunk, { ...before, after })
        lane.deliver(blocks, table.source, progress)
        Deferred.doneUnsafe(placed, Effect.succeed(progress))
      }
    }
    const arrival = lane.emit(id).pipe(Effect.andThen(Deferred.await(placed)), Effect.timeoutOption(arrivalMax))
    const progress = yield* Effect.repeat(arrival, { until: Option.isSome })
    return Option.getOrThrow(progress)
  })
  const readTable = Effect.fnUntraced(function* (table: Table, target: Target) {
    let progress = lane.progress()[table.source] ?? begin("", undefined)
    // Further than what is written down where keys are card numbers.
    let { after } = progress
    const { chunkRows, rowsPerSecondMax } = lane.pace
    while (!progress.done) {
      const chunk = yield* readChunk(lane.connection, target, after, {
        rows: chunkRows,
        bytesMax: chunkBytesMax
      })
      after = chunk.last ?? after
      const pace = Effect.sleep(Duration.millis(Math.ceil((chunk.block.rows * 1000) / rowsPerSecondMax)))
      ;[progress] = yield* Effect.all([place(table, target, chunk, progress), pace], { concurrency: 2 })
    }
  })
  return {
    arrived: (id, lsn) => {
      if (waiting?.id !== id) return
      const { take } = waiting
      waiting = undefined
      take(lsn)
    },
    run: Effect.gen(function* () {
      const catalog = yield* Catalog.read(lane.connection)
      for (const table of unfinished(lane.tables, lane.progress())) {
        yield* readTable(table, yield* targetOf(catalog, table))
      }
    })
  }
}

const targetOf = (catalog: Catalog.Catalog, table: Table): Effect.Effect<Target, ConnectorError> => {
  const found = Catalog.find(catalog, table.source)
  if (found === undefined || found.key.length === 0) {
    const detail = `${table.source} ${found === undefined ? "does not exist" : "has no primary key"}`
    return misconfiguredEffect(detail)
  }
  const columns = Catalog.relationColumns(found, table)
  return Effect.succeed({ relation: relation(table.source, columns), key: found.key })
}

const misconfiguredEffect = (detail: string) =>
  Effect.fail(misconfigured("snapshot", detail, "Leave the table out of the pipeline, or mend it at the source."))

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
