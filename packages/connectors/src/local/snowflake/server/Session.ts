import { randomBytes } from "node:crypto"
import type { DuckDBConnection, DuckDBMaterializedResult } from "@duckdb/node-api"
import type { Outcome } from "../engine/Engine.ts"
import { run } from "../engine/Execution.ts"
import { ScanMeter } from "../engine/ScanMeter.ts"
import { type SessionState, SnowflakeError } from "../Statement.ts"
import type { Transaction } from "../engine/Transaction.ts"

/** A statement's request: what a resubmission with its `requestId` waits for and gets. */
export interface Request {
  readonly queryId: string
  readonly sql: string
  readonly answer: Promise<Outcome>
  /** Aborting it cancels the statement. */
  readonly cancel: AbortController
  finished: boolean
}

/** Requests remembered per session; of more the oldest are forgotten. */
const requestsMax = 10_000

/** How long tokens are valid, in milliseconds. */
export interface Validity {
  readonly sessionMs: number
  readonly masterMs: number
}

/** One session: its tokens, its DuckDB connection and what has happened in it. Statements run one at a time. */
export class Session {
  readonly state: SessionState
  readonly connection: DuckDBConnection
  /** By `requestId`, for as long as the session lives. */
  readonly requests = new Map<string, Request>()
  /** The statement that ran last. */
  lastQueryId: string | undefined
  readonly meter: ScanMeter
  transaction: Transaction | undefined
  /** Rows scanned by the statement of a client that ran last. */
  scannedRows = 0
  closed = false
  /** Requests of its client so far: a client that is gone sends none. */
  heard = 0
  token = newToken()
  masterToken = newToken()
  expiresMs: number
  masterExpiresMs: number
  #turn: Promise<unknown> = Promise.resolve()

  constructor(state: SessionState, connection: DuckDBConnection, nowMs: number, validity: Validity) {
    this.state = state
    this.connection = connection
    this.meter = new ScanMeter(connection)
    this.expiresMs = nowMs + validity.sessionMs
    this.masterExpiresMs = nowMs + validity.masterMs
  }

  /** Remembers a request for resubmissions of it. */
  remember(requestId: string, request: Request): void {
    this.requests.set(requestId, request)
    const oldest = this.requests.keys().next()
    if (this.requests.size > requestsMax && oldest.done !== true) this.requests.delete(oldest.value)
  }

  /** A new session token in place of the old one. */
  renew(nowMs: number, validity: Validity): void {
    this.token = newToken()
    this.expiresMs = nowMs + validity.sessionMs
  }

  /** A sign of life: sessions that send none end with their master token. */
  heartbeat(nowMs: number, validity: Validity): void {
    this.masterExpiresMs = nowMs + validity.masterMs
  }

  /** Nobody reaches it any more; its transaction and locks stay. */
  detach(): void {
    this.token = newToken()
    this.masterToken = newToken()
  }

  /** Runs a statement of the client, as `run` does, and notes what it scanned. */
  async run(sql: string, signal: AbortSignal): Promise<DuckDBMaterializedResult> {
    const result = await run(this.connection, sql, signal)
    this.scannedRows = await this.meter.rows()
    return result
  }

  /** Runs `work` after everything that was asked before it. */
  inTurn<A>(work: () => Promise<A>): Promise<A> {
    const turn = this.#turn.then(work, work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /** Cancels what runs, rolls back and releases the locks, and closes the connection. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    for (const request of this.requests.values()) if (!request.finished) request.cancel.abort(gone())
    await this.inTurn(async () => {
      await this.transaction?.rollback()
      this.connection.closeSync()
      await this.meter.end()
    })
  }
}

/** The session's token is not, or no longer, known. */
export const gone = (): SnowflakeError =>
  new SnowflakeError("390111", "08003", "Session no longer exists. New login required to access the service.")

/** What a cancelled statement fails with. */
export const cancelled = (): SnowflakeError => new SnowflakeError("000604", "57014", "SQL execution canceled")

const newToken = (): string => randomBytes(24).toString("base64url")
