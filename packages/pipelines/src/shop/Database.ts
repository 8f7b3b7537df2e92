import { fromDriver } from "@northstar/connectors/postgres/Failure"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Effect, type Scope } from "effect"
import { Client } from "pg"
import type { Statement } from "./Statement.ts"

/** One connection to the shop's database, as its application holds it. Used by one fiber at a time; what has begun is not interrupted. */
export interface Database {
  /** Runs SQL text, any number of statements. */
  readonly script: (sql: string) => Effect.Effect<void, ConnectorError>
  /** Rows that each statement changed, foreign keys' cascades not counted; all of them or, on any failure, none. */
  readonly transaction: (
    statements: ReadonlyArray<Statement>,
    end?: "commit" | "rollback"
  ) => Effect.Effect<ReadonlyArray<number>, ConnectorError>
}

/** Connects, until the scope closes. */
export const connect = (url: string): Effect.Effect<Database, ConnectorError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: async () => {
        const client = new Client({ connectionString: url, application_name: "northstar-shop" })
        // A cut connection shows in the statement that runs next; unheard, the event would end the process.
        client.on("error", () => {})
        await client.connect()
        return client
      },
      catch: (cause) => fromDriver("connect", cause)
    }),
    (client) => Effect.promise(() => client.end())
  ).pipe(
    Effect.map((client) => ({
      script: (sql) => Effect.asVoid(run("run a script", () => client.query(sql))),
      transaction: (statements, end = "commit") => run("run a transaction", () => transaction(client, statements, end))
    }))
  )

/** Whether the database undid the transaction because another one was in its way: it may simply be left undone. */
export const isConflict = (error: ConnectorError): boolean =>
  error.reason._tag === "Unavailable" &&
  error.reason.cause instanceof Error &&
  conflict.test(error.reason.cause.message)

/** Deadlock, serialization failure, lock timeout: SQLSTATEs, with which a driver's failure begins. */
const conflict = /^(40P01|40001|55P03)/

const transaction = async (
  client: Client,
  statements: ReadonlyArray<Statement>,
  end: "commit" | "rollback"
): Promise<ReadonlyArray<number>> => {
  try {
    await client.query("begin")
    const changed: Array<number> = []
    for (const { text, values } of statements) changed.push((await client.query(text, [...values])).rowCount ?? 0)
    await client.query(end)
    return changed
  } catch (cause) {
    // The first failure is the one to report: a lost connection fails here again.
    await client.query("rollback").catch(() => {})
    throw cause
  }
}

const run = <A>(operation: string, query: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
  Effect.uninterruptible(Effect.tryPromise({ try: query, catch: (cause) => fromDriver(operation, cause) }))
