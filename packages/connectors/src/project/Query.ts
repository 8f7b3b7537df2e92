import { Effect, Predicate } from "effect"
import { ConnectorError } from "@northstar/core/ConnectorError"
import { isMistake, mistakeReason, type SqlValue, Warehouse } from "../warehouse/Warehouse.ts"
import type { Project } from "./Project.ts"
import * as Retry from "./Retry.ts"
import * as Services from "./Services.ts"

/** Rows of a query, each with the same columns in the same order. */
export interface QueryResult {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Readonly<Record<string, SqlValue>>>
  /** There were more rows than asked for. */
  readonly truncated: boolean
}

/**
 * Runs one SELECT (in DuckDB also `DESCRIBE`, `SHOW`, `SUMMARIZE`, `VALUES`, `FROM`) on the warehouse and returns its first
 * `rowsMax` rows. Anything that could write is refused before it runs. For that, and for a query that is wrong or names
 * what is not there, `isMistake` is true of the failure: its detail is the engine's message without values.
 */
export const query = Effect.fn("Query.query")(function* (
  project: Project,
  sql: string,
  options: { readonly rowsMax: number }
) {
  return yield* select(sql, options.rowsMax).pipe(
    // The process that owns the file may end meanwhile.
    Effect.retry(Retry.schedule(Retry.statementTries)),
    Effect.provide(Services.reading(project)),
    Effect.mapError((error) => (isMistake(error) && error.reason._tag === "Misconfigured" ? missing(error) : error))
  )
})

const select = Effect.fnUntraced(function* (sql: string, rowsMax: number) {
  const { dialect, session: open } = yield* Warehouse
  return yield* Effect.gen(function* () {
    const session = yield* open
    if (dialect.selectTree === undefined) yield* startsAsQuery(sql)
    else {
      const [parsed] = yield* session.query(dialect.selectTree, [sql])
      yield* onlyOneSelect(parsed?.["tree"])
    }
    const statement = sql.replace(/[;\s]+$/, "")
    const found = yield* session.query(`SELECT * FROM (${statement}\n) LIMIT ${rowsMax + 1}`, [], {
      rowsMax: rowsMax + 1
    })
    const rows = found.slice(0, rowsMax)
    return {
      columns: Object.keys(found[0] ?? {}),
      rows,
      truncated: found.length > rows.length
    } satisfies QueryResult
  }).pipe(Effect.scoped)
})

/** Programs are told to have the warehouse set up: here it is rather the query that names what never was. */
const missing = ({ connector, detail, operation, reason }: ConnectorError) =>
  new ConnectorError({
    connector,
    operation,
    detail,
    action: "Correct the query. If the name is right, northstar warehouse plan says what is missing",
    reason
  })

/** Says early what the engine would refuse anyway: nothing that writes is a subquery, and several statements are none. */
const startsAsQuery = (sql: string): Effect.Effect<void, ConnectorError> =>
  /^(\s|\(|--.*\n)*(select|with|values)\b/i.test(sql)
    ? Effect.void
    : refuse("only queries are run here, nothing that could write", "Start with SELECT, WITH or VALUES.")

const onlyOneSelect = (tree: SqlValue | undefined): Effect.Effect<void, ConnectorError> => {
  // Sound: `json_serialize_sql` always gives JSON.
  const parsed: unknown = JSON.parse(String(tree))
  const field = (name: string) => (Predicate.hasProperty(parsed, name) ? parsed[name] : undefined)
  if (field("error") === true) {
    return field("error_type") === "parser"
      ? refuse(`the query is not SQL: ${String(field("error_message"))}`, "Correct it, then run it again.")
      : refuse("only queries are run here, nothing that could write", readOnly)
  }
  const statements = field("statements")
  const count = Array.isArray(statements) ? statements.length : 0
  return count === 1 ? Effect.void : refuse(`there are ${count} statements`, "Give exactly one query.")
}

const readOnly = "Start with SELECT, WITH, FROM, VALUES, DESCRIBE, SHOW or SUMMARIZE."

const refuse = (detail: string, action: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "warehouse",
      operation: "query",
      detail,
      action,
      reason: mistakeReason()
    })
  )
