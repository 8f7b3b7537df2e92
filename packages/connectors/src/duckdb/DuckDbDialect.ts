import type { ColumnType } from "@northstar/core/Column"
import { type Dialect, literal } from "../warehouse/Dialect.ts"
import { canonicalDuckDb, digestDuckDb } from "./Canonical.ts"

const id = (name: string): string => `"${name.replaceAll('"', '""')}"`

const type = (of: ColumnType): string => {
  switch (of.kind) {
    case "int16":
      return "SMALLINT"
    case "int32":
      return "INTEGER"
    case "int64":
      return "BIGINT"
    case "decimal":
      return `DECIMAL(${of.precision},${of.scale})`
    case "float32":
      return "FLOAT"
    case "float64":
      return "DOUBLE"
    case "boolean":
      return "BOOLEAN"
    case "date":
      return "DATE"
    case "time":
      return "TIME"
    case "timestamp":
      return "TIMESTAMP"
    case "timestamptz":
      return "TIMESTAMPTZ"
    case "uuid":
      return "UUID"
    case "bytes":
      return "BLOB"
    case "text":
    case "json":
      return "VARCHAR"
  }
}

/** PostgreSQL writes `0044-03-15 00:00:00 BC`, DuckDB reads `0044-03-15 (BC) 00:00:00`. */
const commonEra = (text: string): string =>
  `CASE WHEN ${text} LIKE '% BC' THEN regexp_replace(${text}, '^([0-9]+-[0-9]+-[0-9]+)(.*) BC$', '\\1 (BC)\\2') ELSE ${text} END`

const parse = (text: string, of: ColumnType): string => {
  switch (of.kind) {
    case "text":
    case "json":
      return text
    case "int16":
    case "int32":
    case "int64":
      // A cast would round "1.7" to 2; a fraction is not an integer here.
      return `CASE WHEN NOT contains(${text}, '.') THEN TRY_CAST(${text} AS ${type(of)}) END`
    case "decimal":
      // A cast would round digits beyond the scale away.
      return `CASE WHEN length(split_part(${text}, '.', 2)) <= ${of.scale} AND NOT contains(lower(${text}), 'e') THEN TRY_CAST(${text} AS ${type(of)}) END`
    case "bytes":
      return `CASE WHEN starts_with(${text}, '\\x') THEN TRY(from_hex(substr(${text}, 3))) END`
    case "date":
    case "timestamp":
    case "timestamptz":
      return `TRY_CAST(${commonEra(text)} AS ${type(of)})`
    default:
      return `TRY_CAST(${text} AS ${type(of)})`
  }
}

const event: Dialect["event"] = (value, of, zone) => {
  if (of.kind === "timestamptz") return { at: value, day: `CAST(timezone(${literal(zone)}, ${value}) AS DATE)` }
  const local = `CAST(${value} AS TIMESTAMP)`
  return { at: `timezone(${literal(zone)}, ${local})`, day: `CAST(${value} AS DATE)` }
}

/** How DuckDB says it. Sessions run with `TimeZone = 'UTC'`. */
export const duckdb: Dialect = {
  name: "duckdb",
  id,
  type,
  versionType: "HUGEINT",
  parse,
  instant: (ms) => `make_timestamptz(${ms}::BIGINT * 1000)`,
  epochMs: (instant) => `epoch_ms(${instant})`,
  event,
  newest: (value, version) => `arg_max_null(${value}, ${version})`,
  jsonAt: (json, index) => `json_extract_string(${json}, '$[${index}]')`,
  jsonHas: (json, text) => `coalesce(json_contains(${json}, ${literal(JSON.stringify(text))}), false)`,
  jsonObject: (entries) =>
    `to_json(struct_pack(${entries.map(([name, value]) => `${id(name)} := ${value}`).join(", ")}))::VARCHAR`,
  jsonArray: (texts) => `to_json([${texts.join(", ")}])::VARCHAR`,
  segment: (file) => `read_parquet(${literal(file)}, file_row_number = true)`,
  rowNumber: "file_row_number",
  createStage: (name, query) => `CREATE OR REPLACE TEMP TABLE ${id(name)} AS ${query}`,
  canonical: canonicalDuckDb,
  digest: digestDuckDb
}
