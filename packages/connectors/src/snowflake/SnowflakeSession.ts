import { Effect, type Scope, Semaphore } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { declare } from "@northstar/core/Failpoint"
import { type Session, type SqlValue, StatementTag } from "../warehouse/Warehouse.ts"
import * as SnowflakeClient from "./SnowflakeClient.ts"
import type { Resolved } from "./SnowflakeConfig.ts"
import { type DriverFailure, fromSnowflake, isGone, isUnanswered, lost, outcomeOf, refused } from "./SnowflakeError.ts"

const step = declare("snowflake", ["commit.ready", "commit.done"])

/** Rows of a result unless the caller says otherwise. */
const rowsMaxDefault = 100_000

/** Characters of a query tag (Snowflake's limit), and of one of its values. */
const tagMax = 2_000
const tagValueMax = 200

/** Sessions that ended without Snowflake's word for it: they may still hold a transaction and its locks. */
export type Detached = Set<string>

/**
 * Opens a session, closed by the scope. It is pinned so that results do not depend on the account's or user's defaults, and it
 * first ends the transactions that this program's lost sessions left open.
 */
export const open = Effect.fn("SnowflakeSession.open")(function* (
  driver: SnowflakeClient.Driver,
  resolved: Resolved,
  detached: Detached
): Effect.fn.Return<Session, ConnectorError, Scope.Scope> {
  const { config } = resolved
  let id: string | undefined
  const connection = yield* Effect.acquireRelease(
    SnowflakeClient.connect(driver, resolved),
    (connection) =>
      Effect.map(SnowflakeClient.close(connection), (isClosed) => {
        if (!isClosed && id !== undefined) detached.add(id)
      }),
    { interruptible: true }
  ).pipe(Effect.mapError((failure) => fromSnowflake({ config, operation: "open" }, failure)))
  const session = make(connection, resolved)
  yield* session.execute(pinned(resolved))
  const [current] = yield* session.query("SELECT CURRENT_SESSION() AS id")
  id = String(current?.["id"])
  if (detached.size > 0) yield* abortTransactions(session, detached)
  return session
})

/**
 * What a session must not inherit. Formats are those of DuckDB's texts as far as Snowflake can print them. A statement whose
 * program was killed would else run, and hold its locks, up to the statement timeout.
 */
const pinned = ({ lockTimeoutSeconds, statementTimeoutSeconds }: Resolved): string =>
  `ALTER SESSION SET TIMEZONE = 'UTC' AUTOCOMMIT = TRUE MULTI_STATEMENT_COUNT = 1 ABORT_DETACHED_QUERY = TRUE
  ERROR_ON_NONDETERMINISTIC_MERGE = TRUE QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE STRICT_JSON_OUTPUT = TRUE
  TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ' WEEK_START = 0 WEEK_OF_YEAR_POLICY = 0 DATE_OUTPUT_FORMAT = 'YYYY-MM-DD' TIME_OUTPUT_FORMAT = 'HH24:MI:SS.FF6'
  TIMESTAMP_NTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF6'
  TIMESTAMP_LTZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM'
  TIMESTAMP_TZ_OUTPUT_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM' BINARY_OUTPUT_FORMAT = 'HEX'
  LOCK_TIMEOUT = ${lockTimeoutSeconds} STATEMENT_TIMEOUT_IN_SECONDS = ${statementTimeoutSeconds}`

/** A detached transaction would hold its locks for minutes. One that cannot be ended is waited for, up to the lock timeout. */
const abortTransactions = Effect.fnUntraced(function* (session: Session, detached: Detached) {
  const sessions = [...detached]
  const transactions = yield* session.query("SHOW TRANSACTIONS")
  for (const { id, session: owner } of transactions) {
    if (!sessions.includes(String(owner)) || !/^\d+$/.test(String(id))) continue
    yield* Effect.ignore(session.query(`SELECT SYSTEM$ABORT_TRANSACTION(${id})`))
  }
  for (const ended of sessions) detached.delete(ended)
})

/** Statements that commit an open transaction without a word. */
const ddl = /^\s*(create|alter|drop|undrop|grant|revoke|comment)\b/i

const make = (connection: SnowflakeClient.Connection, { config }: Resolved): Session => {
  const turn = Semaphore.makeUnsafe(1)
  let isInTransaction = false

  /** What a failed statement means for the session: without an answer nobody knows where it stands, so that it ends here. */
  const failed = (operation: string, sql: string, failure: DriverFailure): ConnectorError => {
    if (!isGone(failure) && !isUnanswered(failure)) return fromSnowflake({ config, operation, sql }, failure)
    const { detail, action } = outcomeOf(sql, isInTransaction)
    connection.broken = detail
    // Callers that must not do a thing twice tell by it that it may have been done.
    return lost(/^\s*commit\b/i.test(sql) ? "commit" : operation, detail, action)
  }

  const run = Effect.fnUntraced(function* (
    operation: "execute" | "query",
    sql: string,
    parameters: ReadonlyArray<SqlValue>,
    rowsMax: number
  ) {
    if (connection.broken !== undefined)
      return yield* lost(operation, connection.broken, "Run it again in a new session")
    if (isInTransaction && ddl.test(sql)) {
      return yield* refused(
        operation,
        "DDL would commit the open transaction",
        "Run it before or after the transaction"
      )
    }
    const tag = tagOf({ ...config.queryTag, ...(yield* StatementTag) })
    const statement = yield* SnowflakeClient.submit(connection, { sql, parameters, tag }).pipe(
      Effect.mapError((failure) => failed(operation, sql, failure))
    )
    if (operation === "execute" && !counts(statement.getColumns()?.[0]?.getName())) return { columns: [], rows: [] }
    return yield* SnowflakeClient.read(statement, rowsMax).pipe(
      Effect.mapError((error) => ("_tag" in error ? error : fromSnowflake({ config, operation, sql }, error)))
    )
  }, turn.withPermit)

  const execute: Session["execute"] = (sql, parameters = []) =>
    Effect.map(run("execute", sql, parameters, 1), ({ columns, rows }) =>
      columns.reduce((sum, name, index) => sum + (counts(name) ? Number(rows[0]?.[index] ?? 0) : 0), 0)
    )

  // A transaction that cannot be rolled back stays open until its session is closed.
  const rollback = execute("ROLLBACK").pipe(
    Effect.catch(({ detail }) =>
      Effect.sync(() => {
        connection.broken ??= detail
      })
    )
  )

  return {
    execute,
    query: (sql, parameters = [], { rowsMax = rowsMaxDefault } = {}) =>
      Effect.map(run("query", sql, parameters, rowsMax), ({ columns, rows }) =>
        rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null])))
      ),
    // COMMIT is never interrupted: a caller that is told of an interruption must know that nothing was written.
    transaction: (effect) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          // Snowflake ignores a BEGIN within a transaction; the inner COMMIT would then publish half of the outer one.
          if (isInTransaction) return yield* Effect.die(new Error("a transaction within a transaction"))
          yield* execute("BEGIN TRANSACTION")
          isInTransaction = true
          const value = yield* restore(effect).pipe(
            Effect.tap(() => step("commit.ready")),
            Effect.tap(() => execute("COMMIT")),
            Effect.onError(() => rollback),
            Effect.ensuring(
              Effect.sync(() => {
                isInTransaction = false
              })
            )
          )
          yield* step("commit.done")
          return value
        })
      )
  }
}

/** Columns in which Snowflake counts what a statement changed: `number of rows inserted`, `… updated`, `… deleted`. */
const counts = (column: string | undefined): boolean => column?.startsWith("number of rows ") === true

const tagOf = (parts: Readonly<Record<string, string>>): string => {
  const tag = JSON.stringify(parts, (_, value: unknown) =>
    typeof value === "string" ? value.slice(0, tagValueMax) : value
  )
  return tag.length <= tagMax ? tag : "{}"
}
