import type { DuckDBConnection } from "@duckdb/node-api"
import { systemDatabase } from "../sql/SystemViews.ts"

/** One statement as QUERY_HISTORY tells it. */
export interface HistoryEntry {
  readonly queryId: string
  readonly text: string
  readonly database: string | undefined
  readonly schema: string | undefined
  /** Such as `SELECT`, `MERGE`, `COPY`, `BEGIN_TRANSACTION`. */
  readonly type: string
  readonly session: string
  readonly user: string
  readonly role: string
  /** The warehouse it ran on; `undefined` if it needed none. */
  readonly warehouse: string | undefined
  readonly warehouseSize: string | undefined
  readonly tag: string
  /** Six digits; `undefined` after success. */
  readonly errorCode: string | undefined
  readonly errorMessage: string | undefined
  readonly startMs: number
  readonly elapsedMs: number
  /** Rows of the result, or rows changed. */
  readonly rows: number
  readonly bytesScanned: number
  /** Whether the result came from the result cache. */
  readonly cached: boolean
}

/** Statements kept; older ones are forgotten. */
const historyMax = 100_000

/** Whether a rendered statement reads the table behind INFORMATION_SCHEMA's query history. */
export const readsHistory = (sql: string): boolean => sql.includes(table)

const table = `"${systemDatabase}".main."QUERY_HISTORY"`

/** The statements of all sessions, oldest first, and their table in DuckDB. */
export class History {
  readonly entries: Array<HistoryEntry> = []
  readonly #connection: DuckDBConnection
  #written = 0

  constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  /** Creates the empty table. */
  async begin(): Promise<void> {
    await this.#connection.run(
      `CREATE TABLE ${table} (${columns.map(([name, type]) => `"${name}" ${type}`).join(", ")})`
    )
  }

  add(entry: HistoryEntry): void {
    this.entries.push(entry)
    if (this.entries.length <= historyMax) return
    this.entries.shift()
    this.#written = Math.max(0, this.#written - 1)
  }

  /** Brings the table up to date; called before a statement that reads it. */
  async write(): Promise<void> {
    const added = this.entries.slice(this.#written)
    if (added.length === 0) return
    this.#written += added.length
    const rows = added.map((entry) => `(${columns.map(([, type, value]) => literal(value(entry), type)).join(", ")})`)
    await this.#connection.run(`INSERT INTO ${table} VALUES ${rows.join(", ")}`)
  }
}

type Value = string | number | undefined

const columns: ReadonlyArray<readonly [name: string, type: string, value: (entry: HistoryEntry) => Value]> = [
  ["QUERY_ID", "VARCHAR", (entry) => entry.queryId],
  ["QUERY_TEXT", "VARCHAR", (entry) => entry.text],
  ["DATABASE_NAME", "VARCHAR", (entry) => entry.database],
  ["SCHEMA_NAME", "VARCHAR", (entry) => entry.schema],
  ["QUERY_TYPE", "VARCHAR", (entry) => entry.type],
  ["SESSION_ID", "BIGINT", (entry) => entry.session],
  ["USER_NAME", "VARCHAR", (entry) => entry.user],
  ["ROLE_NAME", "VARCHAR", (entry) => entry.role],
  ["WAREHOUSE_NAME", "VARCHAR", (entry) => entry.warehouse],
  ["WAREHOUSE_SIZE", "VARCHAR", (entry) => entry.warehouseSize],
  ["QUERY_TAG", "VARCHAR", (entry) => entry.tag],
  ["EXECUTION_STATUS", "VARCHAR", (entry) => (entry.errorCode === undefined ? "SUCCESS" : "FAILED_WITH_ERROR")],
  ["ERROR_CODE", "VARCHAR", (entry) => entry.errorCode],
  ["ERROR_MESSAGE", "VARCHAR", (entry) => entry.errorMessage],
  ["START_TIME", "TIMESTAMPTZ", (entry) => new Date(entry.startMs).toISOString()],
  ["END_TIME", "TIMESTAMPTZ", (entry) => new Date(entry.startMs + entry.elapsedMs).toISOString()],
  ["TOTAL_ELAPSED_TIME", "BIGINT", (entry) => Math.round(entry.elapsedMs)],
  ["EXECUTION_TIME", "BIGINT", (entry) => Math.round(entry.elapsedMs)],
  ["BYTES_SCANNED", "BIGINT", (entry) => entry.bytesScanned],
  ["ROWS_PRODUCED", "BIGINT", (entry) => entry.rows]
]

const literal = (value: Value, type: string): string =>
  value === undefined ? "NULL" : type === "BIGINT" ? String(value) : `'${String(value).replaceAll("'", "''")}'::${type}`
