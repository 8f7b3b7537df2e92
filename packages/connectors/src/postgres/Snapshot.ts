import { Duration, Effect, Latch } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import { relation, type Sizes } from "../landing/BlockBuilder.ts"
import * as Catalog from "./Catalog.ts"
import { type Chunk, readChunk, type Target } from "./Chunk.ts"
import type { Connection } from "./Connection.ts"
import { misconfigured } from "./Failure.ts"
import { type Placed, Placement } from "./Placement.ts"
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
  readonly deliver: (placed: Placed) => void
  /** That of the snapshots under way. */
  readonly visibility: () => Visibility
  /** Waits until no transaction is in doubt: a chunk that does not see one is placed below everything. */
  readonly undoubted: Effect.Effect<void, ConnectorError>
}

/** A snapshot under way. */
export interface Running {
  /** A message of `emit` came back at `lsn`. */
  readonly arrived: (id: number, lsn: bigint) => void
  /** Reads all that is left, and succeeds when everything has been placed. May be run again. */
  readonly run: Effect.Effect<void, ConnectorError>
}

/** Bytes of values in one chunk at most (but one row). */
const chunkBytesMax = 8 * 1024 * 1024
/** Rows of a table's first chunk, which shows how long its rows are. */
const firstChunkRows = 5_000
/** Bytes of values that may wait for their place before another chunk is read. */
const waitingBytesMax = 12 * 1024 * 1024
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
 * Reads tables in chunks along with the stream. After a chunk a message is written; when it comes back, every commit
 * that the chunk may have missed has been streamed, and the chunk is placed just below the first of those it did miss.
 * (A message *before* the chunk, which other schemes need, would say nothing: `Visibility` knows all earlier commits.)
 * Meanwhile the next chunks are read (see `Placement`), as long as few bytes wait: a consumer that does not keep up pauses
 * the stream, hence the messages, hence the reading. After a table's last chunk its floor is raised below all of its
 * chunks: what no chunk held and no later change touched is gone at the source.
 */
export const make = (lane: Lane): Running => {
  const placement = new Placement()
  /** Opened whenever what the reader, or the writer of messages, waits for may have come. */
  const reader = Latch.makeUnsafe()
  const writer = Latch.makeUnsafe()
  let isAllRead = false

  const readTable = Effect.fnUntraced(function* (table: Table, target: Target) {
    const begun = lane.progress()[table.source]
    if (begun === undefined) return
    // Below everything a first snapshot lets the stream win; one that is taken again would lose to what is there already.
    if (begun.chunks > 0) yield* lane.undoubted
    placement.begin(table, begun)
    const { chunkRows, rowsPerSecondMax } = lane.pace
    // However slow it shall be, no burst is longer than a second.
    const rowsMax = Math.min(chunkRows, Math.ceil(rowsPerSecondMax))
    let rows = Math.min(rowsMax, firstChunkRows)
    // Further than what is written down where keys are card numbers.
    let { after } = begun
    let like: Sizes | undefined
    while (true) {
      yield* until(reader, () => placement.bytes < waitingBytesMax)
      if (!placement.isCurrent(table, lane.progress())) return
      const limits = { rows, bytesMax: chunkBytesMax }
      const chunk: Chunk = yield* readChunk(lane.connection, target, after, limits, like)
      after = chunk.last ?? after
      like = chunk.sizes
      rows = Math.min(rowsMax, rowsWithin(chunkBytesMax, chunk))
      placement.add({ table, target, chunk })
      yield* writer.open
      if (chunk.done) return
      yield* Effect.sleep(Duration.millis(Math.ceil((chunk.block.rows * 1000) / rowsPerSecondMax)))
    }
  })

  const read = Effect.gen(function* () {
    const catalog = yield* Catalog.read(lane.connection)
    for (const table of unfinished(lane.tables, lane.progress())) {
      yield* readTable(table, yield* targetOf(catalog, table))
    }
    isAllRead = true
    yield* writer.open
  })

  const write = Effect.gen(function* () {
    let written = placement.newest
    const isDone = () => isAllRead && placement.isEmpty
    while (!isDone()) {
      const more = until(writer, () => placement.newest > written || isDone())
      yield* Effect.timeoutOption(more, arrivalMax)
      written = placement.newest
      if (!placement.isEmpty) yield* lane.emit(written)
    }
  })

  return {
    arrived: (id, lsn) => {
      if (placement.isEmpty) return
      const placed = placement.arrived(id, lsn, lane.progress(), lane.visibility())
      if (placed === undefined) return
      lane.deliver(placed)
      reader.openUnsafe()
      writer.openUnsafe()
    },
    run: Effect.gen(function* () {
      // What is asked for meanwhile may begin a table anew that is being read.
      while (unfinished(lane.tables, lane.progress()).length > 0) {
        isAllRead = false
        yield* Effect.all([read, write], { concurrency: 2, discard: true })
      }
    })
  }
}

/** Rows like a chunk's that take so many bytes: what is read beyond them is read in vain. */
const rowsWithin = (bytesMax: number, { block, bytes }: Chunk): number =>
  Math.max(1, Math.floor((bytesMax * block.rows) / Math.max(1, bytes)))

/** Waits until `isSo`, looking whenever the latch is opened; it has this one waiter. */
const until = Effect.fnUntraced(function* (latch: Latch.Latch, isSo: () => boolean) {
  while (true) {
    // Closed before looking: what happens in between opens it again.
    yield* latch.close
    if (isSo()) return
    yield* latch.await
  }
})

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
