import { generateKeyPairSync } from "node:crypto"
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api"
import { Effect } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { Account } from "../../src/local/snowflake/account/Account.ts"
import { decodeName, permanentObject } from "../../src/local/snowflake/sql/Names.ts"
import { parse } from "../../src/local/snowflake/sql/Parse.ts"
import { systemDatabase, systemViews } from "../../src/local/snowflake/sql/SystemViews.ts"
import type { ObjectName, ResultTable, SessionState } from "../../src/local/snowflake/Statement.ts"
import type { Session, SqlValue } from "../../src/warehouse/Warehouse.ts"

const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })

/** An account with its tables, without a server: statements are parsed, authorised and run, one at a time. */
export interface Stand {
  readonly account: Account
  readonly session: (user: string, role?: string) => Session
  /** Statements that were run, in order. */
  readonly statements: Array<string>
}

export const stand = Effect.fnUntraced(function* () {
  const clock = { ms: 1_000_000 }
  const admin = { user: "admin", publicKey: publicKey.export({ format: "pem", type: "spki" }).toString() }
  const account = new Account({ name: "local", nowMs: () => clock.ms, admin })
  const connection = yield* Effect.promise(open)
  const statements: Array<string> = []
  const session = (user: string, role?: string): Session => {
    const state = account.login({ id: user, user, ...(role === undefined ? {} : { role }) })
    const ask = (sql: string) =>
      Effect.tryPromise({
        try: () => {
          statements.push(sql)
          return run(account, connection, state, sql)
        },
        catch: (cause) => failed(sql, cause)
      })
    return {
      execute: (sql) => Effect.map(ask(sql), ({ rows }) => rows.length),
      query: (sql) =>
        Effect.map(ask(sql), ({ columns, rows }) =>
          rows.map((row): Record<string, SqlValue> =>
            Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null]))
          )
        ),
      transaction: (effect) => effect
    }
  }
  return { account, session, statements } satisfies Stand
})

const open = async (): Promise<DuckDBConnection> => {
  const connection = await (await DuckDBInstance.create(":memory:")).connect()
  for (const sql of [`ATTACH ':memory:' AS "${systemDatabase}"`, ...systemViews]) await connection.run(sql)
  return connection
}

const failed = (sql: string, cause: unknown) => {
  const detail = `${String((cause as { readonly code?: string }).code)} ${cause instanceof Error ? cause.message : ""}`
  return new ConnectorError({
    connector: "stand",
    operation: "run",
    detail,
    action: sql,
    reason: new Misconfigured({ detail })
  })
}

const run = async (
  account: Account,
  connection: DuckDBConnection,
  state: SessionState,
  sql: string
): Promise<ResultTable> => {
  const statement = parse(sql, {}, state)
  account.authorise(state, statement)
  switch (statement._tag) {
    case "Account":
      return account.execute(statement, state, (name) => columnsOf(connection, name))
    case "Session":
      for (const [name, value] of statement.set)
        if (statement.verb === "USE") Object.assign(state, { [name.toLowerCase()]: value })
      return { columns: [], rows: [] }
    case "Ddl":
      await connection.run(statement.sql)
      account.defined(state, statement, sql)
      return { columns: [], rows: [] }
    case "Query":
    case "Dml": {
      if (!sql.includes("information_schema")) account.requireWarehouse(state).end()
      const result = await connection.run(statement.sql)
      const columns = result
        .columnNames()
        .map((name) => ({ name: decodeName(name), type: "text" as const, nullable: true }))
      return {
        columns,
        rows: (await result.getRows()).map((row) => row.map((value) => (value === null ? null : String(value))))
      }
    }
    default:
      throw new TypeError(`${statement._tag} is not played here`)
  }
}

const columnsOf = async (connection: DuckDBConnection, name: ObjectName) => {
  const rows = await (await connection.run(`DESCRIBE ${permanentObject(name)}`)).getRows()
  return rows.map(([column, type]) => ({ name: decodeName(String(column)), type: String(type), nullable: true }))
}
