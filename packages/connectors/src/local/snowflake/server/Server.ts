import { randomUUID } from "node:crypto"
import type { DuckDBInstance } from "@duckdb/node-api"
import type { Account } from "../account/Account.ts"
import { type Behaviour, Engine, type Outcome, type Run } from "../engine/Engine.ts"
import { toSnowflake } from "../engine/Execution.ts"
import { History, type HistoryEntry } from "../engine/History.ts"
import { parse } from "../sql/Parse.ts"
import type { Bindings } from "../sql/Parsing.ts"
import { parameter } from "./Parameters.ts"
import { statementType } from "../engine/ResultSet.ts"
import { gone, type Request, type Session, type Validity } from "./Session.ts"
import { Sessions } from "./Sessions.ts"
import { SnowflakeError, type Statement } from "../Statement.ts"
import { systemStatement } from "./SystemStatement.ts"
import { systemDatabase, systemViews } from "../sql/SystemViews.ts"

/** A statement as a client sends it. */
export interface Submission {
  readonly sqlText: string
  readonly bindings?: Bindings
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly describeOnly?: boolean
}

/**
 * A local Snowflake without HTTP: its sessions, and the statements that run in them. Plain asynchronous code: every request
 * of a client is one call that settles.
 */
export class Server {
  readonly account: Account
  readonly engine: Engine
  readonly sessions: Sessions
  readonly history: History

  private constructor(account: Account, sessions: Sessions, history: History, behaviour: Behaviour) {
    this.account = account
    this.sessions = sessions
    this.history = history
    this.engine = new Engine(account, behaviour, history)
  }

  /** A server over an empty DuckDB instance, in which it keeps what Snowflake keeps itself. */
  static async make(
    account: Account,
    instance: DuckDBInstance,
    behaviour: Behaviour,
    validity: Validity
  ): Promise<Server> {
    const connection = await instance.connect()
    await connection.run(`ATTACH ':memory:' AS "${systemDatabase}"`)
    for (const sql of systemViews) await connection.run(sql)
    const history = new History(connection)
    await history.begin()
    return new Server(account, new Sessions(account, instance, validity), history, behaviour)
  }

  /**
   * Runs a statement once per `requestId`: a resubmission waits for, and gets, the outcome of the first. `delayMs` before it
   * starts counts as its run time.
   */
  submit(session: Session, requestId: string, submission: Submission, delayMs = 0): Request {
    const known = session.requests.get(requestId)
    if (known !== undefined) return known
    const queryId = randomUUID()
    const cancel = new AbortController()
    const answer = session.inTurn(async () => {
      if (session.closed) throw gone()
      return this.#perform(session, queryId, submission, cancel, delayMs)
    })
    const request: Request = { queryId, sql: submission.sqlText, answer, cancel, finished: false }
    session.remember(requestId, request)
    const finish = (): void => void (request.finished = true)
    answer.then(finish, finish)
    return request
  }

  async #perform(
    session: Session,
    queryId: string,
    submission: Submission,
    cancel: AbortController,
    delayMs: number
  ): Promise<Outcome> {
    const startMs = this.account.nowMs()
    const started = performance.now()
    const parameters = new Map(session.state.parameters)
    for (const [name, value] of Object.entries(submission.parameters ?? {}))
      parameters.set(name.toUpperCase(), String(value))
    const seconds = Number(parameter(parameters, "STATEMENT_TIMEOUT_IN_SECONDS"))
    // 0 stands for the longest time there is.
    const timer = setTimeout(() => cancel.abort(timedOut(seconds)), Math.min((seconds || Infinity) * 1000, 2 ** 31 - 1))
    const how: Run = { sql: submission.sqlText, bindings: submission.bindings, parameters, signal: cancel.signal }
    const record = { queryId, type: typeOf(submission.sqlText), startMs, tag: parameter(parameters, "QUERY_TAG") }
    const note = (entry: Partial<HistoryEntry>): void =>
      this.#record(session, { ...record, elapsedMs: performance.now() - started, ...entry }, submission.sqlText)
    let warehouse: { readonly warehouse: string; readonly size: string; readonly end: () => void } | undefined
    try {
      await pause(delayMs, cancel.signal)
      const outcome = await this.#run(session, submission, how, (statement) => {
        warehouse = needsWarehouse(statement) ? this.account.requireWarehouse(session.state) : undefined
      })
      const rows = outcome.changed ?? outcome.table.rows.length
      const { cached = false, bytesScanned = 0 } = outcome
      note({ rows, cached, bytesScanned, warehouse: warehouse?.warehouse, warehouseSize: warehouse?.size })
      return outcome
    } catch (cause) {
      const error = toSnowflake(cause)
      note({
        errorCode: error.code,
        errorMessage: error.message,
        warehouse: warehouse?.warehouse,
        warehouseSize: warehouse?.size
      })
      throw error
    } finally {
      clearTimeout(timer)
      warehouse?.end()
    }
  }

  async #run(
    session: Session,
    { sqlText, bindings = {}, describeOnly }: Submission,
    how: Run,
    starts: (statement: Statement) => void
  ): Promise<Outcome> {
    const system = systemStatement(sqlText)
    if (system !== undefined) {
      const table = await system(
        { sessions: this.sessions.all, locks: this.engine.locks, close: (one) => this.sessions.close(one) },
        session
      )
      return { table, type: statementType.query }
    }
    const statement = parse(sqlText, bindings, session.state)
    this.account.authorise(session.state, statement)
    if (describeOnly === true) return this.engine.describe(session, statement, how)
    const cached = this.engine.cached(session, statement, how)
    if (cached !== undefined) return cached
    starts(statement)
    return this.engine.execute(session, statement, how)
  }

  #record(
    session: Session,
    entry: Partial<HistoryEntry> & Pick<HistoryEntry, "queryId" | "type" | "startMs" | "tag" | "elapsedMs">,
    text: string
  ): void {
    const { id, user, role, database, schema } = session.state
    const none = { warehouse: undefined, warehouseSize: undefined, errorCode: undefined, errorMessage: undefined }
    session.lastQueryId = entry.queryId
    this.history.add({
      ...none,
      text,
      session: id,
      user,
      role,
      database,
      schema,
      rows: 0,
      bytesScanned: 0,
      cached: false,
      ...entry
    })
  }
}

/** Queries of tables, changes and loads need one; statements about the account, sessions and transactions do not. */
const needsWarehouse = (statement: Statement): boolean => {
  if (statement._tag === "Dml" || statement._tag === "Copy") return true
  return (statement._tag === "Query" || statement._tag === "Ddl") && statement.reads.length > 0
}

/** The first word, as QUERY_TYPE says it. */
const typeOf = (sql: string): string => {
  const word = /^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? "UNKNOWN"
  return word === "WITH" ? "SELECT" : word === "BEGIN" ? "BEGIN_TRANSACTION" : word
}

const timedOut = (seconds: number): SnowflakeError =>
  new SnowflakeError(
    "000630",
    "57014",
    `Statement reached its statement or warehouse timeout of ${seconds} second(s) and was canceled.`
  )

const pause = (delayMs: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    if (delayMs <= 0) return resolve()
    const timer = setTimeout(resolve, delayMs)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      reject(toSnowflake(signal.reason))
    })
  })
