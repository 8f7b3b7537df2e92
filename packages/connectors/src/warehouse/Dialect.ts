import type { ColumnType } from "@northstar/core/Column"
import type { AttachedSegment } from "./Warehouse.ts"

/** How one engine says what the statements need. Every function takes and gives SQL expressions. */
export interface Dialect {
  readonly name: "duckdb" | "snowflake"
  /** Quotes an identifier. */
  readonly id: (name: string) => string
  /** SQL type of a column. */
  readonly type: (type: ColumnType) => string
  /** SQL type of an integer of 38 digits, in which versions are kept. */
  readonly versionType: string
  /**
   * A source's text as a value of `type`, or NULL where it is not one; never rounded. `sourceType`, the source's own name
   * of the column's type where it is known, spares checks of texts that such a type cannot print.
   */
  readonly parse: (text: string, type: ColumnType, sourceType?: string) => string
  /** The instant of an integer of Unix microseconds. */
  readonly instantOfUs: (us: string) => string
  /** A literal instant from Unix milliseconds. */
  readonly instant: (ms: number) => string
  /** Unix milliseconds of an instant. */
  readonly epochMs: (instant: string) => string
  /** The instant and the calendar day, in a zone, of a value of a date or time type. */
  readonly event: (value: string, type: ColumnType, zone: string) => { readonly at: string; readonly day: string }
  /** Aggregate: `value` of the row with the greatest `version`, NULL values included, rows with a NULL version left out. */
  readonly newest: (value: string, version: string) => string
  /** The text at a zero-based index of a JSON array text. */
  readonly jsonAt: (json: string, index: number) => string
  /** Whether a JSON array text contains a string literal. NULL array: false. */
  readonly jsonHas: (json: string, text: string) => string
  /** A JSON object text of named values, NULLs kept. */
  readonly jsonObject: (entries: ReadonlyArray<readonly [name: string, value: string]>) => string
  /** A JSON array text of texts. */
  readonly jsonArray: (texts: ReadonlyArray<string>) => string
  /**
   * Rows of segments of one relation, for a FROM clause, which names each segment once: their columns as `r`, and as `f` what
   * is the same for all rows of a file, `f._segment` (its path in the log) and `f._written_us` (Unix microseconds).
   */
  readonly segments: (attached: ReadonlyArray<AttachedSegment>) => string
  /** Number of a row in its own segment file: an expression over `segments`. */
  readonly rowNumber: string
  /** Creates an empty stage table of this session, replacing an earlier one; not visible to others. DDL: never inside a transaction. */
  readonly createStage: (name: string, columns: ReadonlyArray<readonly [sql: string, type: string]>) => string
  /** A query of the columns of a schema's tables: `t`, `c` and `d` (type) as texts in the case that `id` was given. */
  readonly columnsOf: (schema: string) => string
  /**
   * A query that refuses whatever is not one SELECT, by the engine's own parser, with one `?` for the text: its only cell
   * is a JSON tree. Undefined where wrapping the text as a subquery is enough.
   */
  readonly selectTree: string | undefined
  /** The value as the canonical text that digests are taken of: equal in every engine for equal values. */
  readonly canonical: (value: string, type: ColumnType) => string
  /** Digest of a text as an integer below 2⁶⁰: the first 15 hex digits of its MD5. */
  readonly digest: (text: string) => string
}

/**
 * A text literal, and where the text has backslashes an expression: they escape in Snowflake and do not in DuckDB. A sign
 * that the text does not have stands in for them; a chain of `||` over hundreds of parts takes DuckDB seconds to plan.
 */
export const literal = (text: string): string => {
  const quoted = (part: string) => `'${part.replaceAll("'", "''")}'`
  if (!text.includes("\\")) return quoted(text)
  let code = 0xa6
  while (text.includes(String.fromCodePoint(code))) code++
  const sign = String.fromCodePoint(code)
  return `replace(${quoted(text.replaceAll("\\", sign))}, '${sign}', chr(92))`
}
