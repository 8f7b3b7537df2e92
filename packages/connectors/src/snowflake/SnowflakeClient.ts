import { randomUUID } from "node:crypto"
import { Deferred, Effect, Redacted, Schedule } from "effect"
import { ConnectorError, Misconfigured, Unavailable } from "@northstar/core/ConnectorError"
import type { Column, Connection as DriverConnection, RowStatement } from "snowflake-sdk"
import type { SqlValue } from "../warehouse/Warehouse.ts"
import { type Resolved, schema } from "./SnowflakeConfig.ts"
import { type DriverFailure, failureOf, isUnanswered, refused } from "./SnowflakeError.ts"

/** The driver's module. */
export type Driver = typeof import("snowflake-sdk")

/** A session at Snowflake, by way of the driver. */
export interface Connection {
  readonly driver: DriverConnection
  /** Why nothing may be sent on it any more: its state at Snowflake is unknown. */
  broken: string | undefined
}

/** A statement with what replaces its `?`, and its query tag. */
export interface Request {
  readonly sql: string
  readonly parameters: ReadonlyArray<SqlValue>
  readonly tag: string
}

/** Rows of a result; names of columns that are all upper case in lower case. */
export interface Result {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<SqlValue>>
}

/** How long a request may stay without an answer. Snowflake answers at least every 45 s, even if only "still running". */
const requestTimeoutMs = 60_000

/** A cancelled statement must have ended after this time, and a session must have closed. */
const cancelWithin = "30 seconds"
const closeWithin = "10 seconds"

/** A result that brings no further row for this long is taken for broken off: the driver may not notice (its issue 1420). */
const idleMax = "120 seconds"

/**
 * The driver itself repeats a request whose connection broke or that was answered with 5xx, with the same request id, 7
 * times in about a minute (not configurable). This comes on top, also for answers that it does not repeat.
 */
const resubmission = {
  schedule: Schedule.exponential("50 millis", 2).pipe(Schedule.jittered, Schedule.upTo({ duration: "3 minutes" })),
  times: 6,
  while: isUnanswered
}

/**
 * Loads the driver, so that users of another warehouse never do. Its probes of cloud metadata services, its telemetry and
 * its native library (which serves that alone) are switched off before, since it looks while it loads; then its log, which
 * would be a file in the working directory.
 */
export const load: Effect.Effect<Driver, ConnectorError> = Effect.tryPromise({
  try: async () => {
    process.env["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
    process.env["SF_TELEMETRY_DISABLE_CONNECTION_SHAPE"] = "1"
    process.env["SNOWFLAKE_DISABLE_MINICORE"] = "true"
    const { default: driver } = await import("snowflake-sdk")
    driver.configure({ logLevel: "OFF", additionalLogToConsole: false })
    return driver
  },
  catch: () =>
    new ConnectorError({
      connector: "snowflake",
      operation: "open",
      detail: "the driver snowflake-sdk cannot be loaded",
      action: "Install the package's dependencies again (npm ci)",
      reason: new Misconfigured({ detail: "snowflake-sdk" })
    })
})

/** Logs in. An interruption leaves at once; a login that succeeds later is logged out again. */
export const connect = (driver: Driver, resolved: Resolved): Effect.Effect<Connection, DriverFailure> =>
  Effect.callback<Connection, DriverFailure>((resume) => {
    let isAbandoned = false
    try {
      const connection = driver.createConnection(optionsOf(resolved))
      connection.connect((error) => {
        // Without an error the driver passes undefined or null.
        if (error instanceof Error) resume(fail(error))
        else if (isAbandoned) connection.destroy(() => {})
        else resume(Effect.succeed({ driver: connection, broken: undefined }))
      })
    } catch (error) {
      resume(fail(error))
    }
    return Effect.sync(() => {
      isAbandoned = true
    })
  })

// `queryTag` is not among them: the driver would overwrite the tag of each statement with it.
const optionsOf = ({ config, privateKey }: Resolved) => ({
  account: config.account,
  username: config.user,
  role: config.role,
  warehouse: config.warehouse,
  database: config.database,
  schema: schema.toUpperCase(),
  authenticator: "SNOWFLAKE_JWT",
  privateKey: Redacted.value(privateKey),
  application: "northstar",
  timeout: requestTimeoutMs,
  sfRetryMaxLoginRetries: 3,
  // All connections ask for the same: the driver keeps one table of parameters for the whole process.
  clientSessionKeepAlive: true,
  clientSessionKeepAliveHeartbeatFrequency: 900,
  rowStreamHighWaterMark: 1_000,
  // The default would give the text 'NULL' for a NULL that is fetched as text.
  representNullAsStringNull: false,
  ...(config.accessUrl === undefined ? {} : { accessUrl: config.accessUrl })
})

/** Ends the session, which rolls back what is open. Says whether Snowflake confirmed it. */
export const close = ({ driver }: Connection): Effect.Effect<boolean> =>
  Effect.callback<boolean>((resume) => {
    driver.destroy((error) => resume(Effect.succeed(!(error instanceof Error))))
  }).pipe(Effect.timeoutOrElse({ duration: closeWithin, orElse: () => Effect.succeed(false) }))

interface Sent {
  readonly statement: RowStatement
  readonly answer: Deferred.Deferred<RowStatement, DriverFailure>
}

/**
 * Executes a statement once: after a lost answer the same request id is submitted again, which Snowflake answers with
 * the first execution's result. An interruption cancels the statement and waits for its end.
 */
export const submit = (connection: Connection, request: Request): Effect.Effect<RowStatement, DriverFailure> =>
  Effect.suspend(() => {
    const requestId = randomUUID()
    let sent: Sent | undefined
    return Effect.try({
      try: () => (sent = send(connection, request, requestId)),
      catch: failureOf
    }).pipe(
      Effect.flatMap(({ answer }) => Deferred.await(answer)),
      Effect.retry(resubmission),
      Effect.onInterrupt(() => (sent === undefined ? Effect.void : cancel(connection, sent)))
    )
  })

const send = ({ driver }: Connection, { sql, parameters, tag }: Request, requestId: string): Sent => {
  const answer = Deferred.makeUnsafe<RowStatement, DriverFailure>()
  const statement = driver.execute({
    sqlText: sql,
    binds: parameters,
    requestId,
    parameters: { QUERY_TAG: tag },
    // Without it the driver would hold the whole result, and send the statement again to "refresh" a failed one.
    streamResult: true,
    rowMode: "array",
    fetchAsString: ["Number", "Date", "JSON", "Buffer"],
    complete: (error, done) => {
      Deferred.doneUnsafe(answer, error instanceof Error ? fail(error) : Effect.succeed(done))
    }
  })
  return { statement, answer }
}

const cancel = (connection: Connection, { statement, answer }: Sent): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    statement.cancel(() => resume(Effect.void))
  }).pipe(
    Effect.andThen(Effect.exit(Deferred.await(answer))),
    Effect.timeoutOrElse({
      duration: cancelWithin,
      orElse: () =>
        Effect.sync(() => {
          connection.broken = "a cancelled statement did not end"
        })
    }),
    Effect.asVoid
  )

/** Reads a result of at most `rowsMax` rows; a larger one is refused before its rows are fetched. */
export const read = Effect.fnUntraced(function* (
  statement: RowStatement,
  rowsMax: number
): Effect.fn.Return<Result, DriverFailure | ConnectorError> {
  const total = statement.getNumRows()
  if (total > rowsMax) {
    return yield* refused("query", `the result has more than ${rowsMax} rows`, "Select fewer rows, or aggregate")
  }
  const columns = statement.getColumns() ?? []
  const rows: Array<ReadonlyArray<SqlValue>> = []
  if (total > 0) yield* Effect.raceFirst(drain(statement, columns, rows), stalled(rows, total))
  if (rows.length !== total) return yield* brokenOff(rows.length, total)
  return { columns: columns.map((column) => nameOf(column.getName())), rows }
})

const drain = (statement: RowStatement, columns: ReadonlyArray<Column>, rows: Array<ReadonlyArray<SqlValue>>) =>
  Effect.callback<void, DriverFailure>((resume) => {
    const stream = statement.streamRows()
    stream.on("data", (row: ReadonlyArray<SqlValue>) =>
      rows.push(row.map((value, index) => valueOf(columns[index], value)))
    )
    stream.on("error", (error) => resume(fail(error)))
    stream.on("end", () => resume(Effect.void))
    stream.on("close", () => resume(Effect.void))
    return Effect.sync(() => stream.destroy())
  })

const stalled = (rows: ReadonlyArray<unknown>, total: number): Effect.Effect<never, ConnectorError> =>
  Effect.gen(function* () {
    for (;;) {
      const before = rows.length
      yield* Effect.sleep(idleMax)
      if (rows.length === before) return yield* brokenOff(before, total)
    }
  })

const brokenOff = (rows: number, total: number) =>
  new ConnectorError({
    connector: "snowflake",
    operation: "query",
    detail: `the result broke off after ${rows} of ${total} rows`,
    action: "Run the query again",
    reason: new Unavailable({ cause: "result broken off" })
  })

const nameOf = (name: string): string => (name === name.toUpperCase() ? name.toLowerCase() : name)

/** FLOAT as a number, as in DuckDB; NUMBER stays text, so that no digit is lost. */
const valueOf = (column: Column | undefined, value: SqlValue): SqlValue => {
  if (typeof value !== "string" || column?.getType() !== "real") return value
  const number = Number(value)
  return Number.isFinite(number) ? number : value
}

const fail = (cause: unknown) => Effect.fail(failureOf(cause))
