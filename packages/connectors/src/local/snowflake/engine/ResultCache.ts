import type { Commits } from "./Commits.ts"
import type { ResultTable, SessionState } from "../Statement.ts"

/** Results kept, and the rows of each at most. */
const entriesMax = 200
const rowsMax = 10_000

/** Functions whose results change by themselves: Snowflake does not reuse a result that used one. */
const volatile =
  /\b(CURRENT_\w+|SYSDATE|SYSTIMESTAMP|LOCALTIME\w*|GETDATE|RANDOM|UUID_STRING|RANDSTR|UNIFORM|NORMAL|SEQ\d|NEXTVAL|LAST_QUERY_ID|LAST_TRANSACTION|QUERY_HISTORY\w*|INFORMATION_SCHEMA|SYSTEM\$\w+|RESULT_SCAN)\b/i

/** Results of queries whose text came before and whose tables have not changed since: answered without a warehouse. */
export class ResultCache {
  readonly #entries = new Map<
    string,
    { readonly table: ResultTable; readonly after: number; readonly tables: ReadonlySet<string> }
  >()
  readonly #commits: Commits

  constructor(commits: Commits) {
    this.#commits = commits
  }

  /** What a result is found again by; `undefined` for a query whose result may change by itself. */
  keyOf(sql: string, bindings: unknown, session: SessionState): string | undefined {
    if (volatile.test(sql)) return undefined
    return JSON.stringify([
      sql,
      bindings,
      session.role,
      session.database,
      session.schema,
      session.parameters.get("TIMEZONE")
    ])
  }

  find(key: string): ResultTable | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const stale = [...entry.tables].some((table) => this.#commits.changedSince(table, entry.after))
    if (!stale) return entry.table
    this.#entries.delete(key)
    return undefined
  }

  /** Keeps a result that shows at least everything committed up to `after`. */
  keep(key: string, table: ResultTable, tables: ReadonlySet<string>, after: number): void {
    if (table.rows.length > rowsMax) return
    this.#entries.delete(key)
    this.#entries.set(key, { table, after, tables })
    const oldest = this.#entries.keys().next()
    if (this.#entries.size > entriesMax && oldest.done !== true) this.#entries.delete(oldest.value)
  }
}
