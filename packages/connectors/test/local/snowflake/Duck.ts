import { DuckDBInstance } from "@duckdb/node-api"
import { Effect } from "effect"
import { type Bindings } from "../../../src/local/snowflake/sql/Parsing.ts"
import { parse } from "../../../src/local/snowflake/sql/Parse.ts"
import type { SessionState, Statement } from "../../../src/local/snowflake/Statement.ts"
import { systemDatabase, systemViews } from "../../../src/local/snowflake/sql/SystemViews.ts"

/** A session with the database `DB`. */
export const session = (): SessionState => ({
  id: "1",
  user: "LOADER",
  role: "PUBLISHER",
  warehouse: undefined,
  database: "DB",
  schema: "PUBLIC",
  parameters: new Map([["TIMEZONE", "UTC"]]),
  temporary: new Set()
})

type Rows = ReadonlyArray<ReadonlyArray<string | null>>

/** DuckDB in memory with the database `DB`; values come as texts. */
export const openDuck = Effect.gen(function* () {
  const connection = yield* Effect.acquireRelease(
    Effect.promise(async () => (await DuckDBInstance.create(":memory:")).connect()),
    (connection) => Effect.sync(() => connection.closeSync())
  )
  const run = (sql: string): Effect.Effect<Rows> =>
    Effect.promise(async () =>
      (await connection.runAndReadAll(sql))
        .getRows()
        .map((row) => row.map((value) => (value === null ? null : String(value))))
    )
  yield* run("SET TimeZone = 'UTC'")
  yield* run(`ATTACH ':memory:' AS "${systemDatabase}"`)
  for (const view of systemViews) yield* run(view)
  yield* run(`ATTACH ':memory:' AS "DB"; CREATE SCHEMA "DB"."PUBLIC"`)
  return run
})

/** A statement's DuckDB SQL. */
export const render = (sql: string, bindings: Bindings = {}, state: SessionState = session()): string => {
  const statement: Statement = parse(sql, bindings, state)
  if (!("sql" in statement)) throw new Error(`${statement._tag} has no SQL`)
  return statement.sql
}
