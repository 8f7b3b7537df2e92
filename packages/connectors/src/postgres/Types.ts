import type { ColumnType } from "@northstar/core/Column"

/** Digits that a decimal column can have in every engine. */
const precisionMax = 38

const kinds = new Map<string, Exclude<ColumnType["kind"], "decimal">>([
  ["smallint", "int16"],
  ["integer", "int32"],
  ["bigint", "int64"],
  ["real", "float32"],
  ["double precision", "float64"],
  ["boolean", "boolean"],
  ["date", "date"],
  ["time without time zone", "time"],
  ["timestamp without time zone", "timestamp"],
  ["timestamp with time zone", "timestamptz"],
  ["uuid", "uuid"],
  ["bytea", "bytes"],
  ["json", "json"],
  ["jsonb", "json"]
])

/**
 * The column type that holds every value of a PostgreSQL type, named as `format_type` prints it. What has no exact home
 * (numeric without or with too large a precision, enums, arrays, intervals, ranges, `timetz`, `money`, …) is `text`.
 */
export const columnType = (type: string): ColumnType => {
  const numeric = /^numeric\((\d+),(-?\d+)\)$/.exec(type)
  if (numeric !== null) return decimal(Number(numeric[1]), Number(numeric[2]))
  // `timestamp(3) with time zone`: fewer fractional digits change nothing for us.
  return { kind: kinds.get(type.replace(/\(\d+\)/, "")) ?? "text" }
}

/** A negative scale means zeros before the point, a scale above the precision zeros behind it: both need more digits. */
const decimal = (precision: number, scale: number): ColumnType => {
  const digits = scale < 0 ? precision - scale : Math.max(precision, scale)
  return digits > precisionMax ? { kind: "text" } : { kind: "decimal", precision: digits, scale: Math.max(scale, 0) }
}

/** Kinds that PostgreSQL, DuckDB and Snowflake order alike, infinities included. */
const ordered: ReadonlySet<ColumnType["kind"]> = new Set([
  "int16",
  "int32",
  "int64",
  "decimal",
  "boolean",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "uuid",
  "bytes"
])

/**
 * Whether another engine orders values of the type as the source does, so that both can digest the same key range.
 * Texts are, when the source compares their UTF-8 bytes (`hasByteOrder`); `character(n)`, which ignores trailing blanks,
 * is not.
 */
export const isOrderedAlike = (type: string, hasByteOrder: boolean): boolean =>
  ordered.has(columnType(type).kind) || (hasByteOrder && /^(text|character varying(\(\d+\))?)$/.test(type))

/** Digits before the point of the integer kinds. */
const integerDigits: Partial<Record<ColumnType["kind"], number>> = { int16: 5, int32: 10, int64: 19 }

/** Whether `to` holds every value of `from` with the same canonical text: the retyping of a source that breaks nothing. */
export const fits = (from: ColumnType, to: ColumnType): boolean => {
  if (to.kind === "text") return true
  const fromDigits = integerDigits[from.kind]
  if (to.kind === "decimal") {
    if (from.kind === "decimal") return from.scale <= to.scale && from.precision - from.scale <= to.precision - to.scale
    return fromDigits !== undefined && fromDigits <= to.precision - to.scale
  }
  const toDigits = integerDigits[to.kind]
  return fromDigits !== undefined && toDigits !== undefined ? fromDigits <= toDigits : from.kind === to.kind
}
