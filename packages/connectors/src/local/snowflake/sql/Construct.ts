import { type SessionState, SnowflakeError } from "../Statement.ts"

/** An argument of a function, rendered for DuckDB. */
export interface Argument {
  readonly sql: string
  /** Set where the value is semi-structured, a DuckDB JSON. */
  readonly semi?: "variant" | "array" | undefined
  /** The text of a string literal: some arguments must be one. */
  readonly literal?: string | undefined
  /** An unqualified name, such as the date part of DATEDIFF. */
  readonly word?: string | undefined
}

/** An expression and the text of the value that Snowflake documents for it; `null` is SQL NULL. */
export type Golden = readonly [expression: string, value: string | null]

/** A function of the allowlist. */
export interface Construct {
  /** What Snowflake documents. */
  readonly doc: string
  /** Fewest and most arguments. */
  readonly arity: readonly [least: number, most: number]
  readonly render: (args: ReadonlyArray<Argument>, session: SessionState) => string
  readonly semi?: "variant" | "array"
  /** An aggregate may stand before OVER, a window function must. */
  readonly role?: "aggregate" | "window"
  readonly golden: ReadonlyArray<Golden>
}

/** Functions by name. */
export type Constructs = Readonly<Record<string, Construct>>

/** A DuckDB text literal. */
export const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** `name(a, b)`: DuckDB's function of another name does the same. */
export const call =
  (name: string) =>
  (args: ReadonlyArray<Argument>): string =>
    `${name}(${args.map(({ sql }) => sql).join(", ")})`

/** The argument as a text: a VARIANT text without its quotes, a JSON null as NULL. */
export const textOf = ({ sql, semi }: Argument): string =>
  semi === undefined ? sql : `json_extract_string(${sql}, '$')`

/** Of Snowflake's function, only what our statements use is known here. */
export const unsupported = (what: string): SnowflakeError =>
  new SnowflakeError("000002", "0A000", `Unsupported feature '${what}'.`)

/** The one literal that is on the allowlist for an argument. */
export const only = <Value extends string>(
  name: string,
  argument: Argument | undefined,
  ...allowed: ReadonlyArray<Value>
): Value => {
  const found = allowed.find((value) => value === argument?.literal)
  if (found === undefined) throw unsupported(`${name} with an argument that is not '${allowed.join("' or '")}'`)
  return found
}
