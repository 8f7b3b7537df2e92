import type { DuckDBConnection, DuckDBMaterializedResult } from "@duckdb/node-api"
import type { Commits } from "./Commits.ts"
import { run, toSnowflake } from "./Execution.ts"
import type { Locks, Owner } from "./Locks.ts"
import type { Session } from "../server/Session.ts"
import { SnowflakeError } from "../Statement.ts"

/** A change that the transaction has made, with what its outcome depends on. */
interface Step {
  readonly sql: string
  readonly inputs: ReadonlySet<string>
  readonly changed: number
  readonly repeatable: boolean
}

/** Results that depend on more than the tables read: the clock, chance, or which rows come first. */
const unrepeatable =
  /\b(now|current_\w+|today|get_current_\w+|transaction_timestamp|random|setseed|uuid|gen_random_uuid|uuidv\d|nextval|over|limit|any_value|first|last|list|string_agg|array_agg)\b/i

let newest = Date.now() * 1000

/**
 * A transaction of one session: READ COMMITTED over DuckDB's snapshots.
 *
 * Until its first change a statement runs by itself, in a snapshot of its own. The DuckDB transaction begins with the first
 * change, after its lock was granted. From then on a statement that reads a table to which another session has committed
 * since cannot be answered from the snapshot: the snapshot is begun anew and the changes repeated, if none of their inputs
 * has changed and so each does what it did; else the statement fails with a retryable error, and never answers wrongly.
 */
export class Transaction implements Owner {
  readonly transaction = String(++newest)
  readonly startedMs = Date.now()
  readonly session: string
  readonly #session: Session
  readonly #connection: DuckDBConnection
  readonly #commits: Commits
  readonly #locks: Locks
  readonly #written = new Set<string>()
  #steps: Array<Step> = []
  #snapshot: number | undefined
  #idleSinceMs: number | undefined
  #state: "open" | "broken" | "ended" = "open"

  constructor(session: Session, commits: Commits, locks: Locks) {
    this.session = session.state.id
    this.#session = session
    this.#connection = session.connection
    this.#commits = commits
    this.#locks = locks
  }

  get ended(): boolean {
    return this.#state === "ended"
  }

  /** Whether it has changed anything, so that its queries see more than what is committed. */
  get writing(): boolean {
    return this.#snapshot !== undefined
  }

  idleSinceMs(): number | undefined {
    return this.#idleSinceMs
  }

  /** Marks the time between two statements. */
  idle(is: boolean): void {
    this.#idleSinceMs = is ? Date.now() : undefined
  }

  /** Runs a query over `tables`. */
  async query(sql: string, tables: ReadonlySet<string>, signal: AbortSignal): Promise<DuckDBMaterializedResult> {
    this.#refuseBroken()
    if (this.#snapshot === undefined) return this.#session.run(sql, signal)
    await this.#view(tables, signal)
    return this.#attempt(() => this.#session.run(sql, signal), signal)
  }

  /**
   * Runs a statement that changes `target`; its outcome depends on `inputs`. The lock it needs is held. Fails with 100090,
   * and nothing changed, if `duplicates` gives rows.
   */
  async change(
    sql: string,
    target: string,
    inputs: ReadonlySet<string>,
    signal: AbortSignal,
    duplicates?: string
  ): Promise<DuckDBMaterializedResult> {
    const result = await this.#alter(target, inputs, signal, async () => {
      const found = duplicates === undefined ? undefined : await run(this.#connection, duplicates, signal)
      if (found !== undefined && found.rowCount > 0) throw new SnowflakeError(...duplicateRow)
      return this.#session.run(sql, signal)
    })
    this.#steps.push({ sql, inputs, changed: changedBy(result), repeatable: !unrepeatable.test(sql) })
    return result
  }

  /** Lets `work` change `target` by statements of its own; what it does is never repeated. */
  async load<A>(target: string, signal: AbortSignal, work: () => Promise<A>): Promise<A> {
    const result = await this.#alter(target, new Set(), signal, work)
    this.#steps.push({ sql: "", inputs: new Set(), changed: 0, repeatable: false })
    return result
  }

  async commit(): Promise<void> {
    this.#refuseBroken()
    try {
      if (this.#snapshot === undefined) return
      await this.#commits.exclusive(async () => {
        await this.#connection.run("COMMIT")
        this.#commits.record(this.#written)
      })
    } catch (cause) {
      await this.#undo()
      throw toSnowflake(cause)
    } finally {
      this.#end()
    }
  }

  async rollback(): Promise<void> {
    if (this.#state === "ended") return
    await this.#undo()
    this.#end()
  }

  /** Rolls it back once nothing of its session runs, if it is then still idle. */
  abort(): Promise<void> {
    return this.#session.inTurn(async () => {
      if (this.#idleSinceMs !== undefined) await this.rollback()
    })
  }

  #end(): void {
    this.#state = "ended"
    this.#snapshot = undefined
    this.#locks.release(this)
  }

  async #undo(): Promise<void> {
    if (this.#snapshot === undefined) return
    // DuckDB has nothing to roll back after a COMMIT that failed.
    await this.#connection.run("ROLLBACK").catch(() => undefined)
    this.#snapshot = undefined
  }

  async #alter<A>(
    target: string,
    inputs: ReadonlySet<string>,
    signal: AbortSignal,
    work: () => Promise<A>
  ): Promise<A> {
    this.#refuseBroken()
    if (this.#snapshot === undefined) await this.#begin()
    else await this.#view(inputs, signal)
    const result = await this.#attempt(work, signal)
    this.#written.add(target)
    return result
  }

  async #begin(): Promise<void> {
    await this.#commits.exclusive(async () => {
      await this.#connection.run("BEGIN TRANSACTION")
      // DuckDB's snapshot of a database begins when the transaction first touches it, not with BEGIN: this touches all.
      await this.#connection.run("SELECT count(*) FROM duckdb_schemas()")
      this.#snapshot = this.#commits.last
    })
  }

  /** Makes the snapshot show everything committed to `tables` so far. */
  async #view(tables: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    const stale = [...tables].find((key) => this.#commits.changedSince(key, this.#snapshot ?? 0))
    if (stale === undefined) return
    if (!this.#repeatable()) throw unshowable(stale)
    await this.#repeat(signal)
  }

  #repeatable(): boolean {
    const unchanged = (key: string): boolean => !this.#commits.changedSince(key, this.#snapshot ?? 0)
    return this.#steps.every(({ repeatable, inputs }) => repeatable && [...inputs].every(unchanged))
  }

  async #repeat(signal: AbortSignal): Promise<void> {
    const steps = this.#steps
    const before = this.#snapshot ?? 0
    await this.#undo()
    this.#state = "broken"
    await this.#begin()
    this.#steps = []
    for (const step of steps) {
      const unchanged = ![...step.inputs].some((key) => this.#commits.changedSince(key, before))
      const result = unchanged ? await run(this.#connection, step.sql, signal) : undefined
      if (result === undefined || changedBy(result) !== step.changed) throw unshowable("")
      this.#steps.push(step)
    }
    this.#state = "open"
  }

  /**
   * Runs one statement of the DuckDB transaction. When it fails Snowflake undoes the statement alone, DuckDB the
   * transaction: the changes before it are repeated, or the transaction is of no more use.
   */
  async #attempt<A>(work: () => Promise<A>, signal: AbortSignal): Promise<A> {
    try {
      return await work()
    } catch (cause) {
      if (cause instanceof SnowflakeError && cause.code === duplicateRow[0]) throw cause
      if (this.#repeatable()) await this.#repeat(new AbortController().signal).catch(() => undefined)
      else {
        await this.#undo()
        this.#state = "broken"
      }
      if (signal.aborted) throw signal.reason
      throw toSnowflake(cause)
    }
  }

  #refuseBroken(): void {
    if (this.#state === "open") return
    throw new SnowflakeError(
      "000604",
      "57014",
      `Transaction ${this.transaction} was aborted${this.#state === "broken" ? " by the local server, which cannot undo a single failed statement after this one's changes" : ""}. Roll back and run it again.`
    )
  }
}

const duplicateRow = ["100090", "42P18", "Duplicate row detected during DML action"] as const

/** Rows changed; a MERGE reports them as the rows of its result. */
const changedBy = (result: DuckDBMaterializedResult): number => Math.max(result.rowsChanged, result.rowCount)

const unshowable = (key: string): SnowflakeError =>
  new SnowflakeError(
    "000625",
    "57014",
    `The statement was aborted because another transaction has committed to '${key.split("\0")[2]}' since this one's first change, which the local server cannot show it. Roll back and run the transaction again.`
  )
