import type { DuckDBConnection, DuckDBMaterializedResult } from "@duckdb/node-api"
import { decodeName } from "../sql/Names.ts"
import { SnowflakeError } from "../Statement.ts"

/** How often a cancelled statement is told again: DuckDB forgets an interrupt that comes before the statement starts. */
const interruptEveryMs = 10

/**
 * Runs one DuckDB statement. Aborting `signal` interrupts it; the call returns when it has ended, and fails with the
 * signal's reason. Fails with the `SnowflakeError` that stands for DuckDB's error.
 */
export const run = async (
  connection: DuckDBConnection,
  sql: string,
  signal: AbortSignal
): Promise<DuckDBMaterializedResult> => {
  signal.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  const interrupt = (): void => {
    connection.interrupt()
    timer = setInterval(() => connection.interrupt(), interruptEveryMs)
  }
  signal.addEventListener("abort", interrupt)
  try {
    return await connection.run(sql)
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    throw toSnowflake(cause)
  } finally {
    signal.removeEventListener("abort", interrupt)
    clearInterval(timer)
  }
}

type Kind = (match: RegExpExecArray, text: string) => readonly [code: string, sqlState: string, message: string]

/** DuckDB's messages and the errors that Snowflake documents for the same cause; the first that matches decides. */
const kinds: ReadonlyArray<readonly [RegExp, Kind]> = [
  [/INTERRUPT Error/, () => ["000604", "57014", "SQL execution canceled"]],
  [
    /Conflict on |[Tt]ransaction conflict|write-write conflict|Failed to commit|has been altered/,
    () => [
      "000625",
      "57014",
      "The statement was aborted because it conflicts with another transaction. Roll back and run the transaction again."
    ]
  ],
  [
    /Column with name "?([^"\s]+)"? already exists/,
    ([, name]) => compilation("001430", "42601", `column '${decodeName(name ?? "")}' already exists`)
  ],
  [
    /(?:Catalog|Table|View|Schema|Table Function)(?: or View)? (?: with name)? "?([^"\s]+)"? does not exist/,
    ([, name]) => compilation("002003", "02000", `Object '${decodeName(name ?? "")}' does not exist or not authorized.`)
  ],
  [
    /(?:Table|View|Schema) with name "?([^"\s]+)"? already exists/,
    ([, name]) => compilation("002002", "42710", `Object '${decodeName(name ?? "")}' already exists.`)
  ],
  [
    /(?:Referenced (?:column|table)|Column) "([^"]+)" (?:not found|referenced that exists)|does not have a column(?: with name| named)? "([^"]+)"/,
    ([, one, other]) => compilation("000904", "42000", `invalid identifier '${decodeName(one ?? other ?? "")}'`)
  ],
  [
    /Attempting to write to database/,
    () => ["000002", "0A000", "Unsupported feature 'a transaction that changes tables of two databases'."]
  ],
  [/(cannot change column .* from type .*)/, ([, what]) => compilation("002108", "22000", String(what))],
  [/NOT NULL constraint failed/, () => ["100072", "22000", "NULL result in a non-nullable column"]],
  [/[Dd]ivision by zero/, () => ["100051", "22012", "Division by zero"]],
  [
    /(?:Out of Range|Conversion) Error: .*(?:out of range|[Oo]verflow|too (?:large|wide)|Could not cast value)/,
    outOfRange
  ],
  [/Out of Range Error/, outOfRange],
  [/Conversion Error: (.*)/, ([, what]) => ["100038", "22018", `Value is not recognized: ${what}`]],
  [/Parser Error: (.*)/, ([, what]) => compilation("001003", "42000", `syntax error: ${what}`)],
  [/(?:Binder|Catalog) Error: (.*)/, ([, what]) => compilation("002140", "42601", String(what))]
]

function outOfRange(): readonly [string, string, string] {
  return ["100046", "22003", "Number out of representable range"]
}

const compilation = (code: string, sqlState: string, text: string) =>
  [code, sqlState, `SQL compilation error:\n${text}`] as const

/** Any thrown value as Snowflake would report it. Like Snowflake's own, the text may name the value at fault. */
export const toSnowflake = (cause: unknown): SnowflakeError => {
  if (cause instanceof SnowflakeError) return cause
  const text = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0] ?? ""
  for (const [pattern, kind] of kinds) {
    const match = pattern.exec(text)
    if (match !== null) return new SnowflakeError(...kind(match, text))
  }
  return new SnowflakeError("000603", "XX000", `SQL execution internal error: ${text}`)
}
