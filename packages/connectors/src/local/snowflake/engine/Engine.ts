import { type Account, isReplacing } from "../account/Account.ts"
import { Commits } from "./Commits.ts"
import { dmlResult } from "./DmlResult.ts"
import { run } from "./Execution.ts"
import { type History, readsHistory } from "./History.ts"
import { Locks } from "./Locks.ts"
import { decodeName, objectKey, permanentObject, temporaryObject } from "../sql/Names.ts"
import { parameter } from "../server/Parameters.ts"
import { ResultCache } from "./ResultCache.ts"
import { fromDuckDb, message, statementType } from "./ResultSet.ts"
import type { Session } from "../server/Session.ts"
import { set } from "../server/SessionStatement.ts"
import { type Copy, type Dml, type ObjectName, type ResultTable, SnowflakeError, type Statement } from "../Statement.ts"
import { describe } from "./TableDescription.ts"
import { Transaction } from "./Transaction.ts"

/** How the local Snowflake behaves where the real one is not documented, and how long it waits. Switches of a test. */
export interface Behaviour {
  /** What an UPDATE that waited for a lock applies to: the rows that match now, or those that matched before it waited. */
  blockedUpdate: "reevaluate" | "stale"
  /** A transaction that blocks another and has been idle for so many milliseconds is rolled back (Snowflake: 5 minutes). */
  idleAbortMs: number
  /** A statement whose client is gone for so many milliseconds is aborted under ABORT_DETACHED_QUERY (Snowflake: 5 minutes). */
  detachedAbortMs: number
  /** A statement that runs longer is answered with where to ask for its result (Snowflake: 45 seconds). */
  inProgressAfterMs: number
}

/** What a statement gave. */
export interface Outcome {
  readonly table: ResultTable
  /** Snowflake's `statementTypeId`. */
  readonly type: number
  /** Rows changed, where that is not the number of the result's rows. */
  readonly changed?: number
  readonly cached?: boolean
  /** Rows that DuckDB scanned times the bytes of an average row; 0 from the result cache. */
  readonly bytesScanned?: number
}

/** How a statement runs. */
export interface Run {
  readonly sql: string
  readonly bindings: unknown
  /** The session's parameters with those of the request. */
  readonly parameters: ReadonlyMap<string, string>
  readonly signal: AbortSignal
}

const executed = (type: number): Outcome => ({ table: message("Statement executed successfully."), type })

/** Runs statements of sessions on DuckDB, with Snowflake's transactions and locks. */
export class Engine {
  readonly account: Account
  readonly behaviour: Behaviour
  readonly locks = new Locks()
  readonly #commits = new Commits()
  readonly #cache = new ResultCache(this.#commits)

  readonly #history: History

  constructor(account: Account, behaviour: Behaviour, history: History) {
    this.#history = history
    this.account = account
    this.behaviour = behaviour
  }

  /** A result that needs no warehouse: the same query was answered before and its tables have not changed since. */
  cached(session: Session, statement: Statement, how: Run): Outcome | undefined {
    const key = this.#cacheKey(session, statement, how)
    const table = key === undefined ? undefined : this.#cache.find(key)
    return table === undefined ? undefined : { table, type: statementType.query, cached: true }
  }

  /** The columns that a query would give, without running it. */
  async describe(session: Session, statement: Statement, how: Run): Promise<Outcome> {
    if (statement._tag !== "Query")
      throw new SnowflakeError("000002", "0A000", "Unsupported feature 'describing what is not a query'.")
    const result = await run(session.connection, `SELECT * FROM (${statement.sql}) LIMIT 0`, how.signal)
    return { table: await fromDuckDb(result, decodeName), type: statementType.query }
  }

  /** Runs a statement that its session may run. */
  async execute(session: Session, statement: Statement, how: Run): Promise<Outcome> {
    if (statement._tag !== "Transaction" && session.transaction?.ended === true) throw aborted(session.transaction)
    session.transaction?.idle(false)
    session.scannedRows = 0
    try {
      const outcome = await this.#dispatch(session, statement, how)
      return { ...outcome, bytesScanned: await this.#bytesScanned(session, statement) }
    } finally {
      session.transaction?.idle(true)
    }
  }

  async #bytesScanned(session: Session, statement: Statement): Promise<number> {
    if (session.scannedRows === 0 || !("reads" in statement)) return 0
    const tables = new Set(this.#tablesOf(session, statement.reads))
    if (statement._tag === "Dml") tables.add(keyOf(session, statement.target))
    return Math.round(session.scannedRows * (await session.meter.rowBytes(tables)))
  }

  #dispatch(session: Session, statement: Statement, how: Run): Promise<Outcome> {
    switch (statement._tag) {
      case "Query":
        return this.#query(session, statement, how)
      case "Dml":
        return this.#inTransaction(session, (transaction) => this.#change(session, transaction, statement, how))
      case "Copy":
        return this.#inTransaction(session, (transaction) => this.#copy(session, transaction, statement, how))
      case "Ddl":
        return this.#define(session, statement, how)
      case "Transaction":
        return this.#transaction(session, statement.verb)
      case "Session":
        return set(session, statement)
      case "Account":
        return this.#account(session, statement)
    }
  }

  async #query(session: Session, statement: Extract<Statement, { _tag: "Query" }>, how: Run): Promise<Outcome> {
    const key = this.#cacheKey(session, statement, how)
    const after = this.#commits.last
    const tables = this.#tablesOf(session, statement.reads)
    if (readsHistory(statement.sql)) await this.#history.write()
    const result =
      session.transaction === undefined
        ? await session.run(statement.sql, how.signal)
        : await session.transaction.query(statement.sql, tables, how.signal)
    const table = await fromDuckDb(result, decodeName)
    if (key !== undefined) this.#cache.keep(key, table, tables, after)
    return { table, type: statementType.query }
  }

  #cacheKey(session: Session, statement: Statement, how: Run): string | undefined {
    if (statement._tag !== "Query" || statement.reads.length === 0 || session.transaction?.writing === true) return
    if (statement.reads.some((name) => this.account.isTemporary(session.state, name))) return
    if (parameter(how.parameters, "USE_CACHED_RESULT").toUpperCase() !== "TRUE") return
    return this.#cache.keyOf(how.sql, how.bindings, session.state)
  }

  /** Runs `work` in the session's transaction, or in one of its own that it commits. */
  async #inTransaction(session: Session, work: (transaction: Transaction) => Promise<Outcome>): Promise<Outcome> {
    if (session.transaction !== undefined) return work(session.transaction)
    const transaction = new Transaction(session, this.#commits, this.locks)
    try {
      const outcome = await work(transaction)
      await transaction.commit()
      return outcome
    } catch (cause) {
      await transaction.rollback()
      throw cause
    }
  }

  /** The tables that a statement reads, those behind views included. */
  #tablesOf(session: Session, reads: ReadonlyArray<ObjectName>): ReadonlySet<string> {
    return this.#commits.behind(reads.map((name) => keyOf(session, name)))
  }

  async #change(session: Session, transaction: Transaction, statement: Dml, how: Run): Promise<Outcome> {
    const target = keyOf(session, statement.target)
    const inputs = new Set(this.#tablesOf(session, statement.reads))
    if (statement.verb === "INSERT")
      return dmlResult(statement, await transaction.change(statement.sql, target, inputs, how.signal))
    inputs.add(target)
    const { update } = statement
    const goesStale =
      this.behaviour.blockedUpdate === "stale" && update !== undefined && this.locks.blocked(target, transaction)
    const matched = goesStale
      ? await transaction.query(
          `SELECT rowid FROM ${update.target} WHERE ${update.where || "true"}`,
          inputs,
          how.signal
        )
      : undefined
    await this.#lock(target, transaction, how)
    const sql =
      goesStale && matched !== undefined
        ? `UPDATE ${update.target} SET ${update.set} WHERE rowid IN (${["-1", ...(await matched.getRows()).flat()].join(", ")})`
        : statement.verb === "MERGE"
          ? `${statement.sql} RETURNING merge_action`
          : statement.sql
    return dmlResult(statement, await transaction.change(sql, target, inputs, how.signal, statement.duplicates))
  }

  #lock(key: string, transaction: Transaction, { parameters, signal }: Run): Promise<void> {
    const timeoutMs = Number(parameter(parameters, "LOCK_TIMEOUT")) * 1000
    return this.locks.acquire(key, transaction, { timeoutMs, idleAbortMs: this.behaviour.idleAbortMs, signal })
  }

  async #copy(session: Session, transaction: Transaction, statement: Copy, how: Run): Promise<Outcome> {
    const table = await transaction.load(keyOf(session, statement.target), how.signal, () =>
      this.account.copy(statement, session.state, async (sql) =>
        (await run(session.connection, sql, how.signal)).getRows()
      )
    )
    return { table, type: statementType.copy }
  }

  /** DDL commits the open transaction first, and then itself; it cannot be rolled back. */
  async #define(session: Session, statement: Extract<Statement, { _tag: "Ddl" }>, how: Run): Promise<Outcome> {
    await this.#commitOpen(session)
    if (statement.object === "TABLE") noteTemporary(session, statement)
    const key = keyOf(session, statement.name)
    const transaction = new Transaction(session, this.#commits, this.locks)
    try {
      const replaces = statement.verb !== "CREATE" || isReplacing(statement.sql)
      if (statement.object === "TABLE" && !statement.temporary && replaces) await this.#lock(key, transaction, how)
      await run(session.connection, statement.sql, how.signal)
      if (statement.object === "VIEW" && statement.verb === "CREATE") this.#commits.define(key, statement.reads)
      const contained = statement.object === "TABLE" || statement.object === "VIEW"
      await this.#commits.exclusive(async () => this.#commits.record(contained ? [key] : "everything"))
    } finally {
      await transaction.rollback()
    }
    this.account.defined(session.state, statement, how.sql)
    return { table: message(statement.message), type: statementType.ddl }
  }

  async #transaction(session: Session, verb: "BEGIN" | "COMMIT" | "ROLLBACK"): Promise<Outcome> {
    const open = session.transaction
    if (verb === "BEGIN") {
      // Documented: BEGIN within a transaction is ignored.
      if (open === undefined || open.ended) session.transaction = new Transaction(session, this.#commits, this.locks)
    } else if (verb === "COMMIT") await this.#commitOpen(session)
    else {
      session.transaction = undefined
      await open?.rollback()
    }
    return executed(statementType.transaction)
  }

  async #commitOpen(session: Session): Promise<void> {
    const open = session.transaction
    if (open === undefined) return
    if (open.ended) throw aborted(open)
    try {
      await open.commit()
    } finally {
      if (open.ended) session.transaction = undefined
    }
  }

  async #account(session: Session, statement: Extract<Statement, { _tag: "Account" }>): Promise<Outcome> {
    if (!this.account.isReadOnly(statement)) await this.#commitOpen(session)
    const table = await this.account.execute(statement, session.state, (name) =>
      describe(
        session.connection,
        this.account.isTemporary(session.state, name) ? temporaryObject(name) : permanentObject(name)
      )
    )
    return { table, type: statementType.account }
  }
}

/** A table in the books of locks and commits; a session's temporary table is nobody else's. */
const keyOf = ({ state }: Session, name: ObjectName): string =>
  state.temporary.has(objectKey(name)) ? `${objectKey(name)}\0${state.id}` : objectKey(name)

/** A temporary table hides a permanent one of its name until it is dropped. */
const noteTemporary = ({ state }: Session, { verb, name, temporary }: Extract<Statement, { _tag: "Ddl" }>): void => {
  if (verb === "CREATE" && temporary) state.temporary.add(objectKey(name))
  if (verb === "DROP") state.temporary.delete(objectKey(name))
}

const aborted = ({ transaction }: Transaction): SnowflakeError =>
  new SnowflakeError(
    "000604",
    "57014",
    `Transaction ${transaction} was aborted and rolled back. Roll back before you go on.`
  )
