import type { ColumnType } from "@northstar/core/Column"
import type { Dialect } from "../warehouse/Dialect.ts"
import { isOfOurEra, patterns } from "../warehouse/ValueText.ts"
import { reservedWords } from "./ReservedWords.ts"
import { canonicalSnowflake, digestSnowflake } from "./SnowflakeCanonical.ts"

/**
 * Names of lower-case letters stand without quotes, so that people find them in the upper case they expect; a reserved word
 * is quoted in that case. So are names of upper-case letters, which are the same to Snowflake: a column that was renamed
 * from one to the other at the source is one column. Every other name is quoted as it is.
 */
const id = (name: string): string => {
  const isPlain = /^([a-z_][a-z0-9_]*|[A-Z_][A-Z0-9_]*)$/.test(name)
  if (isPlain && !reservedWords.has(name.toUpperCase())) return name.toLowerCase()
  return `"${(isPlain ? name.toUpperCase() : name).replaceAll('"', '""')}"`
}

/** A literal; a backslash escapes in Snowflake. */
const literal = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`

const type = (of: ColumnType): string => {
  switch (of.kind) {
    case "int16":
      return "NUMBER(5,0)"
    case "int32":
      return "NUMBER(10,0)"
    case "int64":
      return "NUMBER(19,0)"
    case "decimal":
      return `NUMBER(${of.precision},${of.scale})`
    case "float32":
    case "float64":
      return "FLOAT"
    case "boolean":
      return "BOOLEAN"
    case "date":
      return "DATE"
    case "time":
      return "TIME(6)"
    case "timestamp":
      return "TIMESTAMP_NTZ(6)"
    case "timestamptz":
      return "TIMESTAMP_LTZ(6)"
    case "bytes":
      return "BINARY"
    case "text":
    case "json":
    case "uuid":
      return "VARCHAR"
  }
}

/** Bits of the integer types, which NUMBER does not keep to. */
const bits = { int16: 16n, int32: 32n, int64: 64n } as const

/** Source types whose texts are all numbers, so that their shape need not be looked at. */
const isInteger = /^(smallint|integer|bigint)$/

const matches = (text: string, pattern: string): string => `REGEXP_LIKE(${text}, '${pattern}')`

/** A clock's text with six digits behind the point. */
const sixDigits = (time: string, text: string): string =>
  `${time} || RPAD(COALESCE(REGEXP_SUBSTR(${text}, '[.][0-9]+'), '.'), 7, '0')`

/** Guards come first: a cast alone would take other texts, or round them. What Snowflake cannot hold is NULL as well. */
const parse = (text: string, of: ColumnType, sourceType = ""): string => {
  switch (of.kind) {
    case "text":
    case "json":
      return text
    case "int16":
    case "int32":
    case "int64": {
      const limit = 2n ** (bits[of.kind] - 1n)
      const shape = isInteger.test(sourceType) ? "" : `${matches(text, "-?[0-9]+")} AND `
      return `CASE WHEN ${shape}TRY_TO_NUMBER(${text}, 38, 0) BETWEEN -${limit} AND ${limit - 1n} THEN TRY_TO_NUMBER(${text}, ${type(of).slice(7, -1).replace(",", ", ")}) END`
    }
    case "decimal":
      return `CASE WHEN ${matches(text, `-?[0-9]+([.][0-9]{0,${of.scale}}0*)?`)} THEN TRY_TO_NUMBER(${text}, ${of.precision}, ${of.scale}) END`
    case "float32":
      // Halfway from the greatest single to the next one that there would be: from there on it is infinite.
      return parseFloat(text, "< 3.4028235677973366e38")
    case "float64":
      return parseFloat(text, "<= 1.7976931348623157e308")
    case "boolean":
      return `CASE WHEN ${matches(text, "[a-zA-Z01]+")} AND LOWER(${text}) NOT IN ('on', 'off') THEN TRY_TO_BOOLEAN(${text}) END`
    case "bytes":
      return `CASE WHEN STARTSWITH(${text}, CHR(92) || 'x') AND ${matches(`SUBSTR(${text}, 3)`, "([0-9a-fA-F]{2})*")} THEN TRY_TO_BINARY(SUBSTR(${text}, 3), 'HEX') END`
    case "uuid":
      return `CASE WHEN ${matches(text, patterns.uuid)} THEN LOWER(${text}) END`
    case "date":
      return `CASE WHEN ${matches(text, patterns.date)} AND ${isOfOurEra(text)} THEN TRY_TO_DATE(${text}, 'YYYY-MM-DD') END`
    case "time":
      return `CASE WHEN ${matches(text, patterns.time)} THEN TRY_TO_TIME(${sixDigits(`SUBSTR(${text}, 1, 8)`, text)}, 'HH24:MI:SS.FF6') END`
    case "timestamp":
      return `CASE WHEN ${matches(text, patterns.timestamp)} AND ${isOfOurEra(text)} THEN TRY_TO_TIMESTAMP_NTZ(${sixDigits(dayAndClock(text), text)}, 'YYYY-MM-DD HH24:MI:SS.FF6') END`
    case "timestamptz":
      return `CASE WHEN ${matches(text, patterns.timestamptz)} AND ${isOfOurEra(text)} THEN TRY_TO_TIMESTAMP_LTZ(${sixDigits(dayAndClock(text), text)} || ${offset(text)}, 'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM') END`
  }
}

const dayAndClock = (text: string): string => `SUBSTR(${text}, 1, 10) || ' ' || SUBSTR(${text}, 12, 8)`

/** The offset behind a time of day as `+HH:MM`; without one it is UTC, in which sessions run. */
const offset = (text: string): string =>
  `RPAD(COALESCE(REGEXP_SUBSTR(SUBSTR(${text}, 20), '[-+][0-9:]+'), '+00'), 6, ':00')`

const parseFloat = (text: string, isFinite: string): string =>
  `CASE WHEN ${text} = 'NaN' THEN 'NaN'::FLOAT WHEN ${text} = 'Infinity' THEN 'inf'::FLOAT WHEN ${text} = '-Infinity' THEN '-inf'::FLOAT ` +
  `WHEN ${matches(text, "[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?")} AND ABS(TRY_TO_DOUBLE(${text})) ${isFinite} THEN TRY_TO_DOUBLE(${text}) END`

/** An instant is in UTC without a zone while the session runs in UTC: then one kind of conversion serves all types. */
const event: Dialect["event"] = (value, of, zone) => {
  if (of.kind === "timestamptz") {
    const local = `CONVERT_TIMEZONE('UTC', ${literal(zone)}, CAST(${value} AS TIMESTAMP_NTZ(6)))`
    return { at: value, day: `CAST(${local} AS DATE)` }
  }
  const utc = `CONVERT_TIMEZONE(${literal(zone)}, 'UTC', CAST(${value} AS TIMESTAMP_NTZ(6)))`
  return { at: `CAST(${utc} AS TIMESTAMP_LTZ(6))`, day: `CAST(${value} AS DATE)` }
}

/** A JSON string of a text. TO_JSON escapes control characters; without any, quotes and backslashes are all there is. */
const jsonText = (text: string): string => {
  const escaped = `REPLACE(REPLACE(${text}, CHR(92), CHR(92) || CHR(92)), '"', CHR(92) || '"')`
  return `COALESCE(CASE WHEN REGEXP_INSTR(${text}, '[[:cntrl:]]') > 0 THEN TO_JSON(TO_VARIANT(${text})) ELSE '"' || ${escaped} || '"' END, 'null')`
}

/** Between brackets or braces, comma-separated. */
const list = (open: string, parts: ReadonlyArray<string>, close: string): string =>
  parts.length === 0 ? `'${open}${close}'` : `'${open}' || ${parts.join(" || ',' || ")} || '${close}'`

/** Types as `type` spells them. */
const declaredType = `CASE WHEN data_type = 'NUMBER' THEN 'NUMBER(' || TO_VARCHAR(numeric_precision) || ',' || TO_VARCHAR(numeric_scale) || ')' WHEN data_type = 'TEXT' THEN 'VARCHAR'
  WHEN data_type IN ('TIME', 'TIMESTAMP_NTZ', 'TIMESTAMP_LTZ') THEN data_type || '(' || TO_VARCHAR(datetime_precision) || ')' ELSE data_type END`

/** A stored name as it was given to `id`, in lower-case letters where those of both cases are one name. */
const given = (name: string): string =>
  `CASE WHEN ${matches(name, "[A-Z_][A-Z0-9_]*")} THEN LOWER(${name}) ELSE ${name} END`

/** How Snowflake says it. Sessions run with `TIMEZONE = 'UTC'`. */
export const snowflake: Dialect = {
  name: "snowflake",
  id,
  type,
  versionType: "NUMBER(38,0)",
  parse,
  instantOfUs: (us) => `TO_TIMESTAMP_LTZ(${us}, 6)`,
  instant: (ms) => `TO_TIMESTAMP_LTZ(${ms}, 3)`,
  epochMs: (instant) => `DATE_PART(EPOCH_MILLISECOND, ${instant})`,
  event,
  newest: (value, version) => `MAX_BY(${value}, ${version})`,
  jsonAt: (json, index) => `CAST(GET(PARSE_JSON(${json}), ${index}) AS VARCHAR)`,
  jsonHas: (json, text) =>
    `COALESCE(ARRAY_CONTAINS(TO_VARIANT(${literal(text)}), CAST(PARSE_JSON(${json}) AS ARRAY)), FALSE)`,
  jsonObject: (entries) =>
    `(${list(
      "{",
      entries.map(([name, value]) => `${literal(`${JSON.stringify(name)}:`)} || ${jsonText(value)}`),
      "}"
    )})`,
  jsonArray: (texts) => `(${list("[", texts.map(jsonText), "]")})`,
  segments: (attached) => {
    const same = attached.map(
      ({ segment, file }) =>
        `(${literal(split(file)[1])}, ${literal(segment.file.path)}, ${segment.writtenAtMs * 1000})`
    )
    return `${split(attached[0]!.file)[0]} AS r
    JOIN (VALUES ${same.join(", ")}) AS f (_segment_file, _segment, _written_us) ON r._segment_file = f._segment_file`
  },
  rowNumber: "r._segment_row",
  createStage: (name, columns) =>
    `CREATE OR REPLACE TEMPORARY TABLE ${id(name)} (${columns.map(([sql, of]) => `${sql} ${of}`).join(", ")})`,
  columnsOf: (schema) =>
    `SELECT ${given("table_name")} AS "t", ${given("column_name")} AS "c", ${declaredType} AS "d" FROM information_schema.columns
     WHERE table_schema = ${literal(id(schema).startsWith('"') ? schema : schema.toUpperCase())} ORDER BY 1, 2`,
  selectTree: undefined,
  canonical: canonicalSnowflake,
  digest: digestSnowflake
}

/** `<session table>|<path in the stage>`, as `SnowflakeSegments.attach` names a segment. */
const split = (file: string): readonly [string, string] => {
  const at = file.indexOf("|")
  return [file.slice(0, at), file.slice(at + 1)]
}
