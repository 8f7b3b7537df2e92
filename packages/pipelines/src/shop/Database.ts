import { ConnectorError, Unauthorized, Unavailable } from "@northstar/core/ConnectorError"
import { Effect, type Scope } from "effect"
import pg from "pg"
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
        const client = new pg.Client({ connectionString: url, application_name: "northstar-shop" })
        // A cut connection shows in the statement that runs next; unheard, the event would end the process.
        client.on("error", () => {})
        await client.connect()
        return client
      },
      catch: (cause) => failed("connect", cause)
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
  error.reason._tag === "Unavailable" && conflicts.has(codeOf(error.reason.cause) ?? "")

/** Deadlock, serialization failure, lock timeout. */
const conflicts = new Set(["40P01", "40001", "55P03"])

const transaction = async (
  client: pg.Client,
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
  Effect.uninterruptible(Effect.tryPromise({ try: query, catch: (cause) => failed(operation, cause) }))

const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause ? String(cause.code) : undefined

const failed = (operation: string, cause: unknown): ConnectorError => {
  const code = codeOf(cause)
  // Class 28: invalid authorization. The server's messages of other classes may hold row values, its codes never do.
  const isRefused = code?.startsWith("28") === true
  return new ConnectorError({
    connector: "shop",
    operation,
    detail: `PostgreSQL ${isRefused ? "refused the user" : `failed with ${code ?? "a broken connection"}`}`,
    action: isRefused
      ? "Check user and password in the URL."
      : "Check that the server runs and holds the shop's tables.",
    reason: isRefused ? new Unauthorized({ cause }) : new Unavailable({ cause })
  })
}
