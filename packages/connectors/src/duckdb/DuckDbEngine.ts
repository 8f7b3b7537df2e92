import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBConnection,
  DuckDBInstance,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
  SQLNULL,
  VARCHAR
} from "@duckdb/node-api"
import { availableParallelism, totalmem } from "node:os"
import { Effect, Exit, type Scope, Semaphore } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { SqlValue } from "../warehouse/Warehouse.ts"
import { busy, fromDuckDb, lost, tooLarge } from "./DuckDbError.ts"

/** What a statement gave: rows changed, and its result row by row in the order of `columns` (only if rows were asked for). */
export interface Result {
  readonly changed: number
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<SqlValue>>
}

/**
 * One connection to the database, in this process or through its owner. Statements run one at a time, and `rowsMax`
 * asks for rows: a result beyond it fails with `InvalidData`. Interrupting a statement cancels it and returns when it
 * has ended.
 */
export interface Connection {
  readonly run: (
    sql: string,
    parameters: ReadonlyArray<SqlValue>,
    rowsMax?: number
  ) => Effect.Effect<Result, ConnectorError>
}

/** The database file, held by this process alone. */
export interface Engine {
  /** Whether DuckDB gave up after a fatal error (a full disk in a checkpoint): the engine must be closed and opened again. */
  readonly broken: () => boolean
  /** A new connection; closing the scope cancels what runs on it and rolls back what is open. */
  readonly connect: Effect.Effect<Connection, ConnectorError, Scope.Scope>
}

/** How DuckDB is opened. */
export interface Options {
  /** The database file; created if absent, in a folder that exists. */
  readonly file: string
  /**
   * What DuckDB may use in memory, such as `"2GB"`; what does not fit is written to `<file>.tmp` meanwhile. Default: a
   * quarter of the machine or container, 1 GiB at most. With `"192MB"` a batch of a gigabyte loads, with one thread in twice
   * that. The process takes up to 400 MB more; with `"256MB"` it stays near 500 MB, and updates scattered over
   * millions of rows take nearly twice the processor time.
   */
  readonly memoryLimit?: string
  /**
   * Default: one fewer than cores, at least one. The rest is left to capture beside it; threads of DuckDB that compete
   * for a core cost nearly twice the processor time of one that has it (docs/benchmarks.md).
   */
  readonly threads?: number
}

/**
 * WAL after which DuckDB rewrites the newest row groups in compressed form. Its default of 16 MB does that at nearly
 * every publish of 100,000 rows; this much is replayed in a few seconds after a crash.
 */
const checkpointThreshold = "256MB"

/**
 * Merges of short row groups at a checkpoint, per table. Every batch leaves a short row group, so that DuckDB's default of
 * 100 writes most of a table's new rows twice; with none, a file of many small batches would grow without end.
 */
const vacuumTasksMax = "1"

/** The least memory by default: with less, large batches no longer load. */
const memoryBytesMin = 192 * 1024 ** 2

/**
 * The most memory by default: DuckDB keeps whatever it read up to its limit. Below this, a batch of 200,000 updates
 * scattered over 5,000,000 rows took 1.3 to 1.8 times the processor time; above it nothing was gained.
 */
const memoryBytesMax = 1024 ** 3

/** A quarter of what this process may use: capture runs beside it, and others on the machine. */
const memoryLimitDefault = (): string => {
  const constrained = process.constrainedMemory()
  const bytes = constrained > 0 ? Math.min(totalmem(), constrained) : totalmem()
  return `${Math.floor(Math.min(memoryBytesMax, Math.max(memoryBytesMin, bytes / 4)))}B`
}

interface Live {
  readonly connection: DuckDBConnection
  readonly turn: Semaphore.Semaphore
  running: Promise<void> | undefined
  closed: boolean
}

// Times with a zone are printed in the machine's zone otherwise: a value must not depend on who prints it.
DuckDBTimestampTZValue.timezoneOffsetInMinutes = 0

/** How often a cancelled statement is told again: DuckDB forgets an interrupt that comes before the statement starts. */
const interruptEveryMs = 10

/**
 * Files held by this process. The file's lock does not guard a process against itself: two instances on one file lose
 * data. For the same reason nothing here may open the file by other means: closing any descriptor of it drops the lock.
 */
const held = new Set<string>()

/** Opens the file for this process alone; `Busy` if somebody holds it. Closing the scope closes all connections and frees the file. */
export const open = Effect.fn("DuckDbEngine.open")(function* (options: Options) {
  const { file } = options
  const lives = new Set<Live>()
  const state = { broken: false, closed: false }
  const instance = yield* Effect.acquireRelease(openInstance(options), (instance) =>
    // A statement that still runs, or a connection left open, would keep the file locked.
    Effect.suspend(() => {
      state.closed = true
      return Effect.forEach(lives, shut, { discard: true })
    }).pipe(
      Effect.andThen(Effect.sync(() => instance.closeSync())),
      Effect.ensuring(Effect.sync(() => held.delete(file)))
    )
  )
  const connection = Effect.tryPromise({
    try: () => instance.connect().then((connection) => connection.run("SET TimeZone = 'UTC'").then(() => connection)),
    catch: (cause) => fromDuckDb("connect", { file }, cause)
  })
  const connect = Effect.acquireRelease(
    Effect.gen(function* () {
      if (state.closed) return yield* lost("connect", "the database was closed")
      const live: Live = {
        connection: yield* connection,
        turn: Semaphore.makeUnsafe(1),
        running: undefined,
        closed: false
      }
      lives.add(live)
      return live
    }),
    (live) =>
      Effect.andThen(
        shut(live),
        Effect.sync(() => lives.delete(live))
      )
  )
  const engine: Engine = {
    broken: () => state.broken,
    connect: Effect.map(connect, (live) => ({
      run: (sql, parameters, rowsMax) =>
        statement(live, sql, parameters, rowsMax, (cause) => {
          if (/FATAL Error|has been invalidated/.test(String(cause))) state.broken = true
          return fromDuckDb(rowsMax === undefined ? "execute" : "query", { file, sql }, cause)
        })
    }))
  }
  return engine
})

const openInstance = Effect.fnUntraced(function* ({ file, memoryLimit, threads }: Options) {
  if (held.has(file)) return yield* busy(file, `process ${process.pid}`)
  held.add(file)
  return yield* Effect.tryPromise({
    try: () =>
      DuckDBInstance.fromCache(file, {
        memory_limit: memoryLimit ?? memoryLimitDefault(),
        temp_directory: `${file}.tmp`,
        checkpoint_threshold: checkpointThreshold,
        max_vacuum_tasks: vacuumTasksMax,
        // A reader beside a publish failed now and then with "aggregate group exceeded total groups": its plan sized the
        // groups by statistics that the publish had just changed (DuckDB 1.5.6).
        perfect_ht_threshold: "0",
        threads: String(threads ?? Math.max(1, availableParallelism() - 1))
      }),
    catch: (cause) => fromDuckDb("open", { file }, cause)
  }).pipe(Effect.onExit((exit) => Effect.sync(() => Exit.isFailure(exit) && held.delete(file))))
})

const statement = (
  live: Live,
  sql: string,
  parameters: ReadonlyArray<SqlValue>,
  rowsMax: number | undefined,
  toError: (cause: unknown) => ConnectorError
): Effect.Effect<Result, ConnectorError> =>
  live.turn.withPermit(
    Effect.callback((resume) => {
      const gone = Effect.suspend(() => Effect.fail(lost("execute", "the session's connection was closed")))
      if (live.closed) return resume(gone)
      const work = rowsMax === undefined ? change(live, sql, parameters) : read(live, sql, parameters, rowsMax)
      const settle = (outcome: Effect.Effect<Result, ConnectorError>) => {
        live.running = undefined
        resume(live.closed ? gone : outcome)
      }
      live.running = work.then(
        (result) =>
          settle(
            result === undefined
              ? Effect.fail(tooLarge(`the result has more than ${rowsMax} rows`))
              : Effect.succeed(result)
          ),
        (cause: unknown) => settle(Effect.suspend(() => Effect.fail(toError(cause))))
      )
      return cancel(live)
    })
  )

/** Interrupts what runs and returns when it has ended. */
const cancel = (live: Live): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (live.running === undefined) return resume(Effect.void)
    const interrupt = () => live.connection.interrupt()
    interrupt()
    const timer = setInterval(interrupt, interruptEveryMs)
    void live.running.finally(() => {
      clearInterval(timer)
      resume(Effect.void)
    })
  })

const shut = (live: Live): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (live.closed) return Effect.void
    live.closed = true
    return Effect.andThen(
      cancel(live),
      Effect.sync(() => live.connection.closeSync())
    )
  })

const change = async (live: Live, sql: string, parameters: ReadonlyArray<SqlValue>): Promise<Result> => {
  const result = await (parameters.length === 0
    ? live.connection.run(sql)
    : live.connection.run(sql, [...parameters], parameters.map(typeOf)))
  return { changed: result.rowsChanged, columns: [], rows: [] }
}

/**
 * The rows; `undefined` if there are more than `rowsMax`. The limit is part of the statement, so that a result beyond it
 * never gathers in memory. Not a stream: the driver ends one that fails half-way as if it were complete (1.5.6), and
 * one that is left open keeps the file locked.
 */
const read = async (
  live: Live,
  sql: string,
  parameters: ReadonlyArray<SqlValue>,
  rowsMax: number
): Promise<Result | undefined> => {
  const { connection } = live
  const limited = `SELECT * FROM (\n${sql.replace(/;\s*$/, "")}\n) LIMIT ${rowsMax + 1}`
  // What cannot stand in FROM (EXPLAIN, PRAGMA, INSERT ... RETURNING) has a small result or changes rows: it runs as it is.
  const limits = await connection.prepare(limited).then(
    (prepared) => {
      prepared.destroySync()
      return true
    },
    () => false
  )
  const result = await connection.run(limits ? limited : sql, [...parameters], parameters.map(typeOf))
  if (result.rowCount > rowsMax) return undefined
  const rows = await result.getRows()
  return {
    changed: 0,
    columns: result.deduplicatedColumnNames(),
    rows: rows.map((row) => row.map(fromValue))
  }
}

/** A number goes in as an integer if it is one exactly, else as a double: the driver would overflow on 1e300 and lose -0. */
const typeOf = (value: SqlValue): DuckDBType => {
  if (value === null) return SQLNULL
  if (typeof value === "string") return VARCHAR
  if (typeof value === "boolean") return BOOLEAN
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? (Math.abs(value) < 2 ** 31 ? INTEGER : BIGINT) : DOUBLE
}

/** Booleans, doubles and integers of at most 32 bits as they are; 64-bit integers, decimals, times and all else as DuckDB's text. */
const fromValue = (value: DuckDBValue): SqlValue =>
  value === null || typeof value === "boolean" || typeof value === "number" ? value : String(value)
