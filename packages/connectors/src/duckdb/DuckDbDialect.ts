import type { ColumnType } from "@northstar/core/Column"
import { type Dialect, literal } from "../warehouse/Dialect.ts"
import { isOfOurEra, patterns } from "../warehouse/ValueText.ts"
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

/** The cast of texts that match `pattern` as a whole. */
const only = (pattern: string, text: string, of: ColumnType): string =>
  `CASE WHEN regexp_full_match(${text}, ${literal(pattern)}) THEN TRY_CAST(${text} AS ${type(of)}) END`

/** Source types all of whose texts DuckDB casts exactly or not at all, per kind of column. */
const exact: Partial<Record<ColumnType["kind"], RegExp>> = {
  int16: /^(smallint|integer|bigint)$/,
  int32: /^(smallint|integer|bigint)$/,
  int64: /^(smallint|integer|bigint)$/,
  timestamp: /^timestamp(\(\d\))? without time zone$/,
  timestamptz: /^timestamp(\(\d\))? with time zone$/
}

/**
 * Types of PostgreSQL that print days of all eras, 24:00:00 and infinity, all of which DuckDB holds. A text without a type is
 * that of a key, which was looked at when its row came.
 */
const printsMore = /^((date|time(stamp)?(\(\d\))? with(out)? time zone)?)$/

const parse = (text: string, of: ColumnType, sourceType = ""): string => {
  if (of.kind in patterns && !printsMore.test(sourceType)) return parseStrictly(text, of)
  if (exact[of.kind]?.test(sourceType) === true) {
    return `TRY_CAST(${of.kind.startsWith("int") ? text : commonEra(text)} AS ${type(of)})`
  }
  switch (of.kind) {
    case "text":
    case "json":
      return text
    case "int16":
    case "int32":
    case "int64":
      // A cast would round "1.7" and "15e-1" to 2 and read "1_0" as 10.
      return only("-?[0-9]+", text, of)
    case "decimal":
      // A cast would round digits beyond the scale away.
      return only(`-?[0-9]+([.][0-9]{0,${of.scale}}0*)?`, text, of)
    case "float32":
    case "float64":
      // A cast makes what is too large infinite, reads "1_000" as a number and drops spaces around one.
      return `CASE WHEN regexp_full_match(${text}, '-?Infinity|NaN') OR (regexp_full_match(${text}, '[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?') AND isfinite(TRY_CAST(${text} AS ${type(of)}))) THEN TRY_CAST(${text} AS ${type(of)}) END`
    case "bytes":
      return `CASE WHEN starts_with(${text}, '\\x') AND length(${text}) % 2 = 0 THEN TRY(from_hex(substr(${text}, 3))) END`
    case "date":
      // A cast would drop a time of day.
      return `CASE WHEN regexp_full_match(${text}, '-?infinity|[0-9]{4,7}-[0-9]{2}-[0-9]{2}( BC)?') THEN TRY_CAST(${commonEra(text)} AS DATE) END`
    case "time":
    case "timestamp":
      // A cast would drop a zone and digits beyond microseconds.
      return `CASE WHEN NOT regexp_matches(${text}, '[.][0-9]{7}|:[0-9.]+ ?[-+Z]') THEN TRY_CAST(${commonEra(text)} AS ${type(of)}) END`
    case "timestamptz":
      return `CASE WHEN NOT regexp_matches(${text}, '[.][0-9]{7}') THEN TRY_CAST(${commonEra(text)} AS TIMESTAMPTZ) END`
    default:
      return `TRY_CAST(${text} AS ${type(of)})`
  }
}

/** What any other source wrote: the same texts as in every other engine. */
const parseStrictly = (text: string, of: ColumnType): string => {
  // Sound: asked for its kinds only.
  const pattern = patterns[of.kind as keyof typeof patterns]
  const era = of.kind === "time" || of.kind === "uuid" ? "" : ` AND ${isOfOurEra(text)}`
  return `CASE WHEN regexp_full_match(${text}, ${literal(pattern)})${era} THEN TRY_CAST(${text} AS ${type(of)}) END`
}

/** At the far ends of the calendar another zone's time does not exist: NULL there, rather than an error for the batch. */
const event: Dialect["event"] = (value, of, zone) => {
  if (of.kind === "timestamptz") return { at: value, day: `CAST(TRY(timezone(${literal(zone)}, ${value})) AS DATE)` }
  const local = `TRY_CAST(${value} AS TIMESTAMP)`
  return { at: `TRY(timezone(${literal(zone)}, ${local}))`, day: `CAST(${value} AS DATE)` }
}

/** How DuckDB says it. Sessions run with `TimeZone = 'UTC'`. */
export const duckdb: Dialect = {
  name: "duckdb",
  id,
  type,
  versionType: "HUGEINT",
  parse,
  instantOfUs: (us) => `make_timestamptz(${us})`,
  instant: (ms) => `make_timestamptz(${ms}::BIGINT * 1000)`,
  epochMs: (instant) => `epoch_ms(${instant})`,
  event,
  newest: (value, version) => `arg_max_null(${value}, ${version})`,
  jsonAt: (json, index) => `json_extract_string(${json}, '$[${index}]')`,
  jsonHas: (json, text) => `coalesce(json_contains(${json}, ${literal(JSON.stringify(text))}), false)`,
  jsonObject: (entries) =>
    `to_json(struct_pack(${entries.map(([name, value]) => `${id(name)} := ${value}`).join(", ")}))::VARCHAR`,
  jsonArray: (texts) => `to_json([${texts.join(", ")}])::VARCHAR`,
  segments: (attached) => {
    const files = attached.map(({ file }) => literal(file))
    const same = attached.map(
      ({ segment }, index) => `(${files[index]}, ${literal(segment.file.path)}, ${segment.writtenAtMs * 1000})`
    )
    return `read_parquet([${files.join(", ")}], filename = '_segment_file', file_row_number = true, hive_partitioning = false) AS r
    JOIN (VALUES ${same.join(", ")}) AS f (_segment_file, _segment, _written_us) ON r._segment_file = f._segment_file`
  },
  rowNumber: "r.file_row_number",
  createStage: (name, columns) =>
    `CREATE OR REPLACE TEMP TABLE ${id(name)} (${columns.map(([sql, of]) => `${sql} ${of}`).join(", ")})`,
  columnsOf: (schema) =>
    `SELECT table_name AS t, column_name AS c, data_type AS d FROM information_schema.columns WHERE table_schema = ${literal(schema)} ORDER BY 1, 2`,
  selectTree: "SELECT json_serialize_sql(CAST(? AS VARCHAR)) AS tree",
  canonical: canonicalDuckDb,
  digest: digestDuckDb
}
