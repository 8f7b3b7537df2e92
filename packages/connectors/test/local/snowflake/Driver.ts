import { generateKeyPairSync } from "node:crypto"
import type { Connection, ConnectionOptions, FileAndStageBindStatement, RowStatement } from "snowflake-sdk"
import { Data, Effect } from "effect"
import * as LocalSnowflake from "../../../src/local/snowflake/LocalSnowflake.ts"

// The driver looks for cloud metadata services when it is loaded, unless told not to before.
process.env["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
process.env["SF_TELEMETRY_DISABLE_CONNECTION_SHAPE"] = "1"
const { default: snowflake } = await import("snowflake-sdk")
snowflake.configure({ logLevel: "OFF", additionalLogToConsole: false })

/** What the driver reports, with Snowflake's code. */
export class DriverError extends Data.TaggedError("DriverError")<{
  readonly code: string
  readonly sqlState: string | undefined
  readonly message: string
}> {}

/** A connection of the unmodified driver. */
export interface Client {
  readonly id: string
  readonly connection: Connection
  /** All rows, numbers and times as texts. */
  readonly rows: (
    sql: string,
    options?: Statement
  ) => Effect.Effect<ReadonlyArray<Record<string, unknown>>, DriverError>
  /** Rows changed by a DML statement. */
  readonly change: (sql: string, options?: Statement) => Effect.Effect<number, DriverError>
  /** The code of the error that a statement must fail with. */
  readonly code: (sql: string, options?: Statement) => Effect.Effect<string, ReadonlyArray<Record<string, unknown>>>
}

interface Statement {
  readonly binds?: ReadonlyArray<string | number | boolean | null>
  readonly requestId?: string
  readonly parameters?: Record<string, unknown>
}

/** A local Snowflake with a database, a schema and a warehouse. */
export const server = (options: LocalSnowflake.Options = {}) =>
  LocalSnowflake.start({
    ...options,
    setup: ["CREATE DATABASE SALES", "CREATE WAREHOUSE LOAD_WH INITIALLY_SUSPENDED = TRUE"]
  })

/** Connects; the scope's end closes the session. */
export const connect = (local: LocalSnowflake.LocalSnowflake, options: Partial<ConnectionOptions> = {}) =>
  Effect.acquireRelease(
    Effect.callback<Connection, DriverError>((resume) => {
      const connection = snowflake.createConnection({
        accessUrl: local.accessUrl,
        account: local.account,
        username: local.admin.user,
        authenticator: "SNOWFLAKE_JWT",
        privateKey: local.admin.privateKey,
        database: "SALES",
        schema: "PUBLIC",
        warehouse: "LOAD_WH",
        role: "ACCOUNTADMIN",
        fetchAsString: ["Number", "Date", "JSON"],
        // Else a null that is fetched as a string is the text NULL.
        representNullAsStringNull: false,
        ...options
      })
      connection.connect((error) => resume(error ? Effect.fail(toError(error)) : Effect.succeed(connection)))
    }),
    (connection) => Effect.callback<void>((resume) => connection.destroy(() => resume(Effect.void)))
  ).pipe(Effect.map(toClient))

/** A private key that no user has. */
export const strangeKey = (): string =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  }).privateKey

const toClient = (connection: Connection): Client => {
  const execute = (sql: string, options: Statement = {}) =>
    Effect.callback<
      { readonly statement: RowStatement | FileAndStageBindStatement; readonly rows: Array<Record<string, unknown>> },
      DriverError
    >((resume) => {
      const statement = connection.execute({
        sqlText: sql,
        binds: [...(options.binds ?? [])] as Array<string>,
        ...(options.requestId === undefined ? {} : { requestId: options.requestId }),
        ...(options.parameters === undefined ? {} : { parameters: options.parameters }),
        complete: (error, done, rows) =>
          resume(error ? Effect.fail(toError(error)) : Effect.succeed({ statement: done, rows: rows ?? [] }))
      })
      return Effect.callback<void>((cancelled) => statement.cancel(() => cancelled(Effect.void)))
    })
  const rows: Client["rows"] = (sql, options) => Effect.map(execute(sql, options), (result) => result.rows)
  return {
    id: connection.getId(),
    connection,
    rows,
    change: (sql, options) => Effect.map(execute(sql, options), ({ statement }) => statement.getNumUpdatedRows() ?? -1),
    code: (sql, options) => Effect.map(Effect.flip(rows(sql, options)), (error) => error.code)
  }
}

const toError = (error: {
  readonly code?: unknown
  readonly sqlState?: unknown
  readonly message: string
}): DriverError =>
  new DriverError({
    code: String(error.code),
    sqlState: typeof error.sqlState === "string" ? error.sqlState : undefined,
    message: error.message
  })
