import type { ColumnType } from "@northstar/core/Column"

/**
 * DuckDB's canonical text of a value of a curated column, the same text that `canonicalPostgres` gives of the source's
 * value: plain integers, decimals with all digits of their scale, `t`/`f`, days and microseconds since 1970-01-01
 * (`infinity` and `-infinity` as these words), microseconds since midnight, hex of the IEEE 754 bytes for floats (one NaN,
 * one zero), lower-case hex and UUIDs, texts as they are. NULL stays NULL.
 */
export const canonicalDuckDb = (value: string, type: ColumnType): string => {
  switch (type.kind) {
    case "text":
    case "json":
      return value
    case "int16":
    case "int32":
    case "int64":
    case "uuid":
      return `${value}::VARCHAR`
    case "decimal":
      // DuckDB prints no zero before the point when there is no room for one.
      return type.precision === type.scale
        ? `CASE WHEN ${value} < 0 THEN '-0' ELSE '0' END || ltrim(${value}::VARCHAR, '-')`
        : `${value}::VARCHAR`
    case "boolean":
      return `CASE WHEN ${value} THEN 't' WHEN NOT ${value} THEN 'f' END`
    case "date":
      return finite(value, `${value} - DATE '1970-01-01'`)
    case "time":
      return `epoch_us(${value})::VARCHAR`
    case "timestamp":
    case "timestamptz":
      return finite(value, `epoch_us(${value})`)
    case "float32":
    case "float64":
      return `CASE WHEN isnan(${value}) THEN 'nan' WHEN ${value} = 0 THEN '0' ELSE lower(hex(${value}::BIT::BLOB)) END`
    case "bytes":
      return `lower(hex(${value}))`
  }
}

/** A non-negative BIGINT below 2⁶⁰: the first 15 hex digits of the MD5 of the text's UTF-8 bytes. */
export const digestDuckDb = (text: string): string => `('0x' || left(md5(${text}), 15))::UBIGINT::BIGINT`

const finite = (value: string, number: string): string =>
  `CASE WHEN isfinite(${value}) THEN (${number})::VARCHAR WHEN ${value} > '1970-01-01' THEN 'infinity' WHEN ${value} IS NOT NULL THEN '-infinity' END`
