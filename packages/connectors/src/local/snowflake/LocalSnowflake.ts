import { generateKeyPair } from "node:crypto"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"
import { DuckDBInstance } from "@duckdb/node-api"
import { Duration, Effect, type Scope } from "effect"
import { ConnectorError, InvalidData, Unavailable } from "@northstar/core/ConnectorError"
import { Account } from "./account/Account.ts"
import type { Behaviour } from "./engine/Engine.ts"
import { Faults } from "./server/Faults.ts"
import type { HistoryEntry } from "./engine/History.ts"
import { createHttp } from "./server/Http.ts"
import type { LoginFailure } from "./server/Login.ts"
import { Server } from "./server/Server.ts"
import type { StageFiles } from "./account/StageFiles.ts"
import { type ResultTable, SnowflakeError } from "./Statement.ts"

/** How a local Snowflake is started; everything has a default. */
export interface Options {
  /** The account's name. Default: `LOCAL`. */
  readonly account?: string
  /** Statements run at the start as the administrator, such as CREATE DATABASE and CREATE WAREHOUSE. */
  readonly setup?: ReadonlyArray<string>
  /** Seed of the faults' draws. Default: 1. */
  readonly seed?: number
  readonly behaviour?: Partial<Behaviour>
  /** How long session tokens last before the driver renews them. Default: one hour. */
  readonly sessionValidity?: Duration.Duration
  /** How long a session without a sign of life lasts. Default: four hours. */
  readonly masterValidity?: Duration.Duration
  /** Files behind `s3://` stages; stages over folders need none. */
  readonly s3?: StageFiles
}

/** What a warehouse has done so far. */
export interface WarehouseUsage {
  readonly resumes: number
  readonly billedSeconds: number
  readonly credits: number
}

/** A running local Snowflake: where it is, its switches, and what it has observed. */
export interface LocalSnowflake {
  /** For the driver's option `accessUrl`; plain HTTP on the loopback interface. */
  readonly accessUrl: string
  readonly account: string
  /** A user with the role ACCOUNTADMIN: key-pair authentication with this PKCS #8 PEM. */
  readonly admin: { readonly user: string; readonly privateKey: string }
  readonly faults: Faults
  /** May be changed while it runs. */
  readonly behaviour: Behaviour
  /** Statements of all sessions that ran, oldest first; resubmissions that were recognised are not among them. */
  readonly history: () => ReadonlyArray<HistoryEntry>
  readonly loginFailures: () => ReadonlyArray<LoginFailure>
  /** By name. */
  readonly warehouses: () => ReadonlyMap<string, WarehouseUsage>
  /** Ids of open sessions. */
  readonly sessions: () => ReadonlyArray<string>
  /** How often a statement had to wait for a lock. */
  readonly lockWaits: () => number
  /** Moves its clock forward: tokens expire, warehouses suspend. */
  readonly advance: (by: Duration.Duration) => void
  /** Runs one statement in a session of its own of the administrator. */
  readonly execute: (sql: string) => Effect.Effect<ResultTable, ConnectorError>
}

const user = "ADMIN"

/**
 * Starts a local Snowflake in memory on a free port of 127.0.0.1; it ends, and forgets everything, with the scope. The
 * unmodified `snowflake-sdk` connects to it. It refuses what it does not know with Snowflake's errors.
 */
export const start = (options: Options = {}): Effect.Effect<LocalSnowflake, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const keys = yield* attempt("make its key", () => generateKeys())
    const clock = { aheadMs: 0 }
    const account = new Account({
      name: options.account ?? "LOCAL",
      nowMs: () => Date.now() + clock.aheadMs,
      admin: { user, publicKey: keys.publicKey },
      ...(options.s3 === undefined ? {} : { s3: options.s3 })
    })
    const behaviour: Behaviour = {
      blockedUpdate: "reevaluate",
      idleAbortMs: 300_000,
      detachedAbortMs: 300_000,
      inProgressAfterMs: 45_000,
      ...options.behaviour
    }
    const instance = yield* Effect.acquireRelease(
      attempt("open DuckDB", () => DuckDBInstance.create(":memory:", { threads: "2" })),
      (instance) => Effect.sync(() => instance.closeSync())
    )
    const validity = {
      sessionMs: Duration.toMillis(options.sessionValidity ?? Duration.hours(1)),
      masterMs: Duration.toMillis(options.masterValidity ?? Duration.hours(4))
    }
    const server = yield* Effect.acquireRelease(
      attempt("start", () => Server.make(account, instance, behaviour, validity)),
      (server) =>
        Effect.promise(() =>
          Promise.all([...server.sessions.all.values()].map((session) => server.sessions.close(session)))
        )
    )
    const faults = new Faults(options.seed ?? 1)
    const port = yield* listen(server, faults)
    const execute = (sql: string) => attempt(`run ${sql.slice(0, 60)}`, () => asAdministrator(server, sql))
    for (const sql of options.setup ?? []) yield* execute(sql)
    return {
      accessUrl: `http://127.0.0.1:${port}`,
      account: account.name,
      admin: { user, privateKey: keys.privateKey },
      faults,
      behaviour,
      history: () => server.history.entries,
      loginFailures: () => server.sessions.loginFailures,
      warehouses: () => new Map([...account.warehouses].map(([name, used]) => [name, usageOf(used)])),
      sessions: () => [...server.sessions.all.keys()],
      lockWaits: () => server.engine.locks.waits,
      advance: (by) => void (clock.aheadMs += Duration.toMillis(by)),
      execute
    }
  })

const usageOf = ({ resumes, billedSeconds, credits }: WarehouseUsage): WarehouseUsage => ({
  resumes,
  billedSeconds,
  credits
})

/** Serves HTTP until the scope ends; open connections are then destroyed. */
const listen = (server: Server, faults: Faults): Effect.Effect<number, ConnectorError, Scope.Scope> =>
  Effect.acquireRelease(
    attempt("listen", async () => {
      const http = createHttp(server, faults)
      // A connection closed for being idle while the driver sends on it would look like a lost answer.
      http.keepAliveTimeout = 0
      await new Promise<void>((resolve, reject) => {
        http.once("error", reject)
        http.listen(0, "127.0.0.1", resolve)
      })
      return http
    }),
    (http) =>
      Effect.callback<void>((resume) => {
        http.close(() => resume(Effect.void))
        http.closeAllConnections()
      })
  ).pipe(Effect.map((http) => (http.address() as AddressInfo).port))

const asAdministrator = async (server: Server, sql: string): Promise<ResultTable> => {
  const none = { warehouse: undefined, database: undefined, schema: undefined }
  const session = await server.sessions.open({ user, role: "ACCOUNTADMIN", ...none, parameters: {} })
  try {
    return (await server.submit(session, "", { sqlText: sql }).answer).table
  } finally {
    await server.sessions.close(session)
  }
}

const generateKeys = () =>
  promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  })

const attempt = <A>(operation: string, run: () => Promise<A>): Effect.Effect<A, ConnectorError> =>
  Effect.tryPromise({ try: run, catch: (cause) => failure(operation, cause) })

const failure = (operation: string, cause: unknown): ConnectorError => {
  const refused = cause instanceof SnowflakeError ? `${cause.code}: ${cause.message}` : undefined
  return new ConnectorError({
    connector: "local snowflake",
    operation,
    detail: refused ?? "the local Snowflake did not come up",
    action: refused === undefined ? "Leave it a free port and 500 MB of memory" : "Correct the statement",
    reason: refused === undefined ? new Unavailable({ cause }) : new InvalidData({ detail: refused })
  })
}
