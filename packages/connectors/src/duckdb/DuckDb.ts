import { createHash } from "node:crypto"
import { existsSync, lstatSync, mkdirSync, realpathSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join, resolve } from "node:path"
import { Effect, Exit, Layer, Schedule, Scope, Semaphore } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { declare } from "@northstar/core/Failpoint"
import { ObjectStore } from "../landing/ObjectStore.ts"
import { type AttachedSegment, type Session, type SqlValue, Warehouse } from "../warehouse/Warehouse.ts"
import { duckdb as dialect } from "./DuckDbDialect.ts"
import * as DuckDbClient from "./DuckDbClient.ts"
import * as DuckDbEngine from "./DuckDbEngine.ts"
import { fromDuckDb } from "./DuckDbError.ts"
import * as DuckDbOwner from "./DuckDbOwner.ts"

const step = declare("duckdb", ["commit.ready", "commit.done"])

/** Rows of a result unless the caller says otherwise. */
const rowsMaxDefault = 100_000

/** How long a session waits for an owner that starts, ends or has just died. */
const openWithin = "20 seconds"

/** Longest path of a socket, in bytes (the system's limit is 107). */
const socketPathBytesMax = 100

/**
 * The warehouse in one DuckDB file. DuckDB lets one process hold a file: the first to come owns it and serves the others
 * at `<file>.sock`, and when it ends or dies the next session of any process takes over, so no process needs to know
 * which it is. Fails with `Busy` when somebody holds the file without serving it for 20 seconds.
 *
 * Values of results: integers of at most 32 bits and doubles are numbers, booleans are booleans, all else is DuckDB's
 * text (64-bit integers, decimals, dates, times in UTC, lists). A committed transaction is durable (WAL with fsync).
 * A write conflict between two transactions is `Unavailable`: run the transaction again.
 */
export const layer = (options: DuckDbEngine.Options): Layer.Layer<Warehouse, ConnectorError> =>
  Layer.effect(Warehouse, make(options))

const make = Effect.fn("DuckDb.make")(function* (options: DuckDbEngine.Options) {
  const file = yield* canonical(options.file)
  const socket = yield* socketOf(file)
  const scope = yield* Effect.scope
  const turn = Semaphore.makeUnsafe(1)
  let owned: { readonly engine: DuckDbEngine.Engine; readonly scope: Scope.Closeable } | undefined

  const own = Effect.fnUntraced(function* () {
    const inner = yield* Scope.fork(scope)
    const exit = yield* DuckDbEngine.open({ ...options, file }).pipe(
      Effect.tap((engine) => DuckDbOwner.serve(engine, socket)),
      Scope.provide(inner),
      Effect.exit
    )
    if (Exit.isFailure(exit)) yield* Scope.close(inner, exit)
    const engine = yield* exit
    owned = { engine, scope: inner }
    return engine
  }, Effect.uninterruptible)

  /** The engine if this process holds the file or can, else through the process that does. */
  const attempt = Effect.gen(function* () {
    if (owned?.engine.broken() === true) {
      yield* Scope.close(owned.scope, Exit.void)
      owned = undefined
    }
    if (owned !== undefined) return yield* owned.engine.connect
    if (existsSync(file) && existsSync(socket)) {
      const client = yield* Effect.option(DuckDbClient.connect(socket))
      if (client._tag === "Some") return client.value
    }
    const engine = yield* own()
    return yield* engine.connect
  })
  const connection = turn.withPermit(attempt).pipe(
    Effect.retry({
      schedule: Schedule.exponential("20 millis", 1.5).pipe(Schedule.jittered, Schedule.upTo({ duration: openWithin })),
      while: (error) => error.reason._tag === "Busy"
    })
  )
  yield* Effect.scoped(connection)
  return Warehouse.of({ dialect, session: Effect.map(connection, toSession), attach })
})

/** DuckDB reads a segment from a local copy of it. */
const attach: Warehouse["Service"]["attach"] = Effect.fnUntraced(function* (_session, _table, segments) {
  const store = yield* ObjectStore
  return yield* Effect.forEach(
    segments,
    (segment): Effect.Effect<AttachedSegment, ConnectorError, Scope.Scope> =>
      Effect.map(store.local(segment.file), (file) => ({ segment, file })),
    { concurrency: 4 }
  )
})

const toSession = (connection: DuckDbEngine.Connection): Session => {
  const execute = (sql: string, parameters: ReadonlyArray<SqlValue> = []) =>
    Effect.map(connection.run(sql, parameters), (result) => result.changed)
  return {
    execute,
    query: (sql, parameters = [], { rowsMax = rowsMaxDefault } = {}) =>
      Effect.map(connection.run(sql, parameters, rowsMax), ({ columns, rows }) =>
        rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null])))
      ),
    // COMMIT is never interrupted: a caller that is told of an interruption must know that nothing was written.
    transaction: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          yield* execute("BEGIN TRANSACTION")
          const value = yield* restore(effect).pipe(
            Effect.tap(() => step("commit.ready")),
            Effect.tap(() => execute("COMMIT")),
            Effect.onError(() => Effect.ignore(execute("ROLLBACK")))
          )
          yield* step("commit.done")
          return value
        })
      )
  }
}

/** The file by its one name, so that all processes agree on the socket; never opens it, which would drop its lock. */
const canonical = (file: string): Effect.Effect<string, ConnectorError> =>
  Effect.try({
    try: () => (existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(resolve(file))), basename(file))),
    catch: () => fromDuckDb("open", { file }, "Cannot open file")
  })

/** `<file>.sock`, or where that is too long a name from its digest in a folder of this user alone. */
const socketOf = Effect.fnUntraced(function* (file: string) {
  const beside = `${file}.sock`
  if (Buffer.byteLength(beside) <= socketPathBytesMax) return beside
  const folder = join(tmpdir(), `northstar-${process.getuid?.() ?? 0}`)
  const stats = yield* Effect.try({
    try: () => {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      return lstatSync(folder)
    },
    catch: (cause) => fromDuckDb("open", { file: folder }, cause)
  })
  if (!stats.isDirectory() || stats.uid !== process.getuid?.() || (stats.mode & 0o077) !== 0) {
    const detail = `${folder}, which holds the database's socket, is not a folder of this user alone`
    const action = "Remove it, or set TMPDIR to a folder of this user"
    return yield* new ConnectorError({
      connector: "duckdb",
      operation: "open",
      detail,
      action,
      reason: new Misconfigured({ detail })
    })
  }
  return join(folder, `${createHash("sha256").update(file).digest("hex").slice(0, 24)}.sock`)
})
