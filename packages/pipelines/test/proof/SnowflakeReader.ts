import { Effect, type Scope } from "effect"
import snowflake from "snowflake-sdk"
import type { Stand } from "./Stand.ts"

type SnowflakeDatabase = NonNullable<Stand["snowflake"]>

type Rows = ReadonlyArray<ReadonlyArray<string | null>>

/** Reads a Snowflake by its plain driver, values as texts; the session runs in UTC. */
export const open = (of: SnowflakeDatabase): Effect.Effect<(sql: string) => Effect.Effect<Rows>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => connect(of)),
    (connection) => Effect.callback<void>((resume) => connection.destroy(() => resume(Effect.void)))
  ).pipe(Effect.map((connection) => (sql: string) => Effect.promise(() => ask(connection, sql))))

const connect = async ({ accessUrl, account, user, privateKey, database }: SnowflakeDatabase) => {
  snowflake.configure({ logLevel: "OFF", additionalLogToConsole: false })
  const connection = snowflake.createConnection({
    accessUrl,
    account,
    privateKey,
    database,
    username: user,
    authenticator: "SNOWFLAKE_JWT",
    role: "ACCOUNTADMIN",
    warehouse: "LOAD_WH",
    representNullAsStringNull: false
  })
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error instanceof Error ? reject(error) : resolve()))
  })
  await ask(connection, "ALTER SESSION SET TIMEZONE = 'UTC'")
  return connection
}

const ask = (connection: snowflake.Connection, sqlText: string): Promise<Rows> =>
  new Promise((resolve, reject) => {
    connection.execute({
      sqlText,
      rowMode: "array",
      fetchAsString: ["Number", "Date", "JSON"],
      complete: (error, _, rows) => {
        if (error instanceof Error) reject(error)
        // Sound: the statements select texts only, and rows are arrays.
        else resolve((rows ?? []) as Array<Rows[number]>)
      }
    })
  })
