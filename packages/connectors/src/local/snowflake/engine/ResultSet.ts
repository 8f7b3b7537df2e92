import { gzipSync } from "node:zlib"
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalType,
  DuckDBDecimalValue,
  type DuckDBResult,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue
} from "@duckdb/node-api"
import { type ResultColumn, type ResultTable, SnowflakeError } from "../Statement.ts"

/** `statementTypeId` of an answer, by which drivers tell a count of changed rows from a result. */
export const statementType = {
  query: 0x1000,
  insert: 0x3100,
  update: 0x3200,
  delete: 0x3300,
  merge: 0x3400,
  copy: 0x3600,
  account: 0x4000,
  session: 0x4300,
  transaction: 0x5000,
  ddl: 0x6000
} as const

/** Rows in the answer itself, and in each chunk that is fetched by its own URL after it. */
export const chunkRows = 10_000

/** The columns of a result as an answer describes them. */
export const rowType = ({ columns }: ResultTable): ReadonlyArray<object> => columns.map(toRowType)

/** The number of rows in each chunk after the first rows. */
export const chunkSizes = ({ rows }: ResultTable): ReadonlyArray<number> => {
  const chunks = Math.max(0, Math.ceil(rows.length / chunkRows) - 1)
  return Array.from({ length: chunks }, (_, index) => Math.min(chunkRows, rows.length - (index + 1) * chunkRows))
}

/** A chunk's body, from 0: gzipped JSON of its rows without the outer brackets. */
export const chunkBody = ({ rows }: ResultTable, index: number): Buffer =>
  gzipSync(JSON.stringify(rows.slice((index + 1) * chunkRows, (index + 2) * chunkRows)).slice(1, -1))

const toRowType = ({ name, type, precision, scale, nullable }: ResultColumn): object => ({
  name,
  type,
  nullable,
  precision: precision ?? null,
  scale: scale ?? null,
  length: type === "text" ? 16_777_216 : type === "binary" ? 8_388_608 : null,
  byteLength: type === "text" ? 16_777_216 : type === "binary" ? 8_388_608 : null,
  database: "",
  schema: "",
  table: ""
})

/** A one-row result of whole numbers, such as the counts of a DML statement. */
export const counts = (entries: ReadonlyArray<readonly [name: string, count: number]>): ResultTable => ({
  columns: entries.map(([name]) => ({ name, type: "fixed", precision: 19, scale: 0, nullable: false })),
  rows: [entries.map(([, count]) => String(count))]
})

/** A result of one text, such as `Statement executed successfully.` */
export const message = (text: string, name = "status"): ResultTable => ({
  columns: [{ name, type: "text", nullable: true }],
  rows: [[text]]
})

/** DuckDB's result in Snowflake's types and texts. A type that Snowflake does not have is refused. */
export const fromDuckDb = async (result: DuckDBResult, decodeName: (name: string) => string): Promise<ResultTable> => {
  const types = result.columnTypes()
  const columns = result.columnNames().map((name, index): ResultColumn => ({
    name: decodeName(name),
    nullable: true,
    ...columnType(types[index] as DuckDBType, name)
  }))
  const rows = await result.getRows()
  return {
    columns,
    rows: rows.map((row) => row.map((value, index) => encode(value, columns[index]?.type ?? "text")))
  }
}

const columnType = (type: DuckDBType, name: string): Pick<ResultColumn, "type" | "precision" | "scale"> => {
  if (type instanceof DuckDBDecimalType) return { type: "fixed", precision: type.width, scale: type.scale }
  switch (type.typeId) {
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UTINYINT:
    case DuckDBTypeId.USMALLINT:
    case DuckDBTypeId.UINTEGER:
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.HUGEINT:
      return { type: "fixed", precision: 38, scale: 0 }
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      return { type: "real" }
    case DuckDBTypeId.BOOLEAN:
      return { type: "boolean" }
    case DuckDBTypeId.DATE:
      return { type: "date" }
    case DuckDBTypeId.TIME:
      return { type: "time", precision: 0, scale: 6 }
    case DuckDBTypeId.TIMESTAMP:
      return { type: "timestamp_ntz", precision: 0, scale: 6 }
    case DuckDBTypeId.TIMESTAMP_TZ:
      return { type: "timestamp_ltz", precision: 0, scale: 6 }
    case DuckDBTypeId.BLOB:
      return { type: "binary" }
    case DuckDBTypeId.VARCHAR:
      return { type: type.alias === "JSON" ? "variant" : "text" }
    // The type of a bare NULL.
    case DuckDBTypeId.SQLNULL:
      return { type: "text" }
    default:
      throw new SnowflakeError("000002", "0A000", `Unsupported feature 'column ${name} of type ${type.toString()}'.`)
  }
}

const encode = (value: DuckDBValue, type: ResultColumn["type"]): string | null => {
  if (value === null) return null
  if (typeof value === "boolean") return value ? "1" : "0"
  if (typeof value === "number") return type === "real" ? real(value) : String(value)
  if (value instanceof DuckDBDateValue) return String(value.days)
  if (value instanceof DuckDBTimeValue || value instanceof DuckDBTimestampValue) return seconds(value.micros)
  if (value instanceof DuckDBTimestampTZValue) return seconds(value.micros)
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex").toUpperCase()
  if (value instanceof DuckDBDecimalValue) return decimal(value)
  return String(value)
}

/** Snowflake's words for what is not a number, which its drivers read. */
const real = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf"

/** Seconds since 1970 (or midnight) with six decimals, DuckDB's precision. Before 1970 Snowflake's fraction counts down with its sign, as a decimal does. */
const seconds = (micros: bigint): string => {
  const absolute = micros < 0n ? -micros : micros
  const fraction = String(absolute % 1_000_000n).padStart(6, "0")
  return `${micros < 0n ? "-" : ""}${absolute / 1_000_000n}.${fraction}`
}

/** All digits of the scale, and a zero before the point. */
const decimal = ({ value, scale }: DuckDBDecimalValue): string => {
  if (scale === 0) return String(value)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0")
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
