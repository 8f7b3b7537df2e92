import { SnowflakeError } from "../Statement.ts"
import type { TokenReader } from "./TokenReader.ts"

/** A Snowflake type of the allowlist. */
export interface SqlType {
  /** As INFORMATION_SCHEMA and DESCRIBE spell it. */
  readonly name: string
  readonly family:
    | "number"
    | "float"
    | "boolean"
    | "text"
    | "binary"
    | "date"
    | "time"
    | "ntz"
    | "ltz"
    | "variant"
    | "array"
  /** Digits, and those after the point, of a number. */
  readonly precision?: number
  readonly scale?: number
  readonly duckdb: string
}

/**
 * NUMBER(p,s): p digits, s of them after the point; more is an error, never rounded to fit. NUMBER(38,0) is a HUGEINT, whose
 * casts are fast and whose arithmetic DuckDB does not run out of digits for; other precisions are DECIMALs.
 */
export const number = (precision: number, scale: number): SqlType => ({
  name: `NUMBER(${precision},${scale})`,
  family: "number",
  precision,
  scale,
  duckdb: precision === 38 && scale === 0 ? "HUGEINT" : `DECIMAL(${precision},${scale})`
})

/** Types without parameters that our statements use, with DuckDB's type. */
const plain: Readonly<Record<string, SqlType>> = {
  FLOAT: { name: "FLOAT", family: "float", duckdb: "DOUBLE" },
  BOOLEAN: { name: "BOOLEAN", family: "boolean", duckdb: "BOOLEAN" },
  VARCHAR: { name: "VARCHAR", family: "text", duckdb: "VARCHAR" },
  BINARY: { name: "BINARY", family: "binary", duckdb: "BLOB" },
  DATE: { name: "DATE", family: "date", duckdb: "DATE" },
  VARIANT: { name: "VARIANT", family: "variant", duckdb: "JSON" },
  ARRAY: { name: "ARRAY", family: "array", duckdb: "JSON" }
}

/** Other names of the same types: every integer type is NUMBER(38,0). */
const aliases: Readonly<Record<string, string>> = {
  STRING: "VARCHAR",
  TEXT: "VARCHAR",
  DOUBLE: "FLOAT",
  INT: "NUMBER",
  INTEGER: "NUMBER",
  BIGINT: "NUMBER",
  SMALLINT: "NUMBER",
  DECIMAL: "NUMBER",
  NUMERIC: "NUMBER"
}

const integers: ReadonlySet<string> = new Set(["INT", "INTEGER", "BIGINT", "SMALLINT"])

/** Times have microseconds in DuckDB: another precision would be kept wrongly, so (6) must be written. */
const timed: Readonly<Record<string, SqlType>> = {
  TIME: { name: "TIME(6)", family: "time", duckdb: "TIME" },
  TIMESTAMP_NTZ: { name: "TIMESTAMP_NTZ(6)", family: "ntz", duckdb: "TIMESTAMP" },
  TIMESTAMP_LTZ: { name: "TIMESTAMP_LTZ(6)", family: "ltz", duckdb: "TIMESTAMPTZ" }
}

/** Reads a type; one that is not on the allowlist is refused. */
export const readType = (reader: TokenReader): SqlType => {
  const written = reader.name()
  const name = aliases[written] ?? written
  if (name === "NUMBER") return integers.has(written) ? number(38, 0) : readNumber(reader)
  const ofTime = timed[name]
  if (ofTime !== undefined) {
    if (!reader.take("(") || reader.number() !== 6) throw unsupported(`${name} without precision 6`)
    reader.expect(")")
    return ofTime
  }
  const type = plain[name]
  if (type === undefined) throw unsupported(written)
  // VARCHAR and BINARY may name their greatest length, which DuckDB would not enforce.
  if (reader.is("(")) throw unsupported(`${written} with a length`)
  return type
}

const readNumber = (reader: TokenReader): SqlType => {
  if (!reader.take("(")) return number(38, 0)
  const precision = reader.number()
  const scale = reader.take(",") ? reader.number() : 0
  reader.expect(")")
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision)
    throw unsupported(`NUMBER(${precision},${scale})`)
  return number(precision, scale)
}

const unsupported = (type: string): SnowflakeError =>
  new SnowflakeError("002040", "42601", `SQL compilation error:\nUnsupported data type '${type}'.`)
