import { quote, unsupported } from "./Construct.ts"
import { decodeNameSql } from "./Names.ts"
import type { Parsing } from "./Parsing.ts"
import { type ObjectName, SnowflakeError } from "../Statement.ts"

/** The DuckDB database, in memory, that holds what Snowflake keeps itself. No encoded name is equal to it. */
export const systemDatabase = "~system"

const view = (name: string): string => `"${systemDatabase}".main."${name}"`

const isWhole = "data_type IN ('HUGEINT', 'BIGINT', 'INTEGER')"
const isDecimal = "data_type LIKE 'DECIMAL%'"

/** Types as INFORMATION_SCHEMA names them; those not listed have one name in both. */
const dataType = `CASE WHEN ${isWhole} OR ${isDecimal} THEN 'NUMBER' WHEN data_type = 'VARCHAR' THEN 'TEXT' WHEN data_type = 'DOUBLE' THEN 'FLOAT'
  WHEN data_type = 'BLOB' THEN 'BINARY' WHEN data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ' WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ'
  WHEN data_type = 'JSON' THEN 'VARIANT' ELSE data_type END`

const placeOf = (kind: string): string =>
  `${decodeNameSql("database_name")} AS "TABLE_CATALOG", ${decodeNameSql("schema_name")} AS "TABLE_SCHEMA", ${decodeNameSql(kind)} AS "TABLE_NAME"`

/**
 * DuckDB statements that make the views behind INFORMATION_SCHEMA, with the columns that our statements read.
 * `systemDatabase` must be attached. The engine itself keeps the table `QUERY_HISTORY` there.
 */
export const systemViews: ReadonlyArray<string> = [
  `CREATE OR REPLACE VIEW ${view("SCHEMATA")} AS SELECT ${decodeNameSql("database_name")} AS "CATALOG_NAME", ${decodeNameSql("schema_name")} AS "SCHEMA_NAME"
   FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main'`,
  `CREATE OR REPLACE VIEW ${view("TABLES")} AS SELECT ${placeOf("table_name")}, 'BASE TABLE' AS "TABLE_TYPE" FROM duckdb_tables() WHERE NOT internal AND NOT temporary
   UNION ALL SELECT ${placeOf("view_name")}, 'VIEW' FROM duckdb_views() WHERE NOT internal AND NOT temporary`,
  `CREATE OR REPLACE VIEW ${view("COLUMNS")} AS SELECT ${placeOf("table_name")}, ${decodeNameSql("column_name")} AS "COLUMN_NAME",
     CAST(column_index AS HUGEINT) AS "ORDINAL_POSITION", CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS "IS_NULLABLE", ${dataType} AS "DATA_TYPE",
     CAST(CASE WHEN ${isWhole} THEN 38 WHEN ${isDecimal} THEN numeric_precision END AS HUGEINT) AS "NUMERIC_PRECISION",
     CAST(CASE WHEN ${isWhole} THEN 0 WHEN ${isDecimal} THEN numeric_scale END AS HUGEINT) AS "NUMERIC_SCALE",
     CAST(CASE WHEN data_type LIKE 'TIME%' THEN 6 END AS HUGEINT) AS "DATETIME_PRECISION"
   FROM duckdb_columns() WHERE NOT internal`
]

/** A view of a database's INFORMATION_SCHEMA as a DuckDB subquery. */
export const systemView = ({ database, name }: ObjectName): string => {
  const column = { SCHEMATA: "CATALOG_NAME", TABLES: "TABLE_CATALOG", COLUMNS: "TABLE_CATALOG" }[name]
  if (column === undefined) {
    const object = `${database}.INFORMATION_SCHEMA.${name}`
    throw new SnowflakeError(
      "002003",
      "42S02",
      `SQL compilation error:\nObject '${object}' does not exist or not authorized.`
    )
  }
  return `(SELECT * FROM ${view(name)} WHERE "${column}" = ${quote(database)})`
}

/** Reads `INFORMATION_SCHEMA.QUERY_HISTORY[_BY_SESSION](…)`: the newest statements, at most RESULT_LIMIT of them (100 by default). */
export const tableFunction = ({ reader, session }: Parsing): string => {
  const parts = [reader.name()]
  while (reader.take(".")) parts.push(reader.name())
  const name = parts.at(-1)!
  if (parts.at(-2) !== "INFORMATION_SCHEMA" || !/^QUERY_HISTORY(_BY_SESSION)?$/.test(name)) {
    throw unsupported(`the table function ${parts.join(".")}`)
  }
  let limit = 100
  let of = session.id
  reader.expect("(")
  while (!reader.take(")")) {
    const argument = reader.oneOf("RESULT_LIMIT", "SESSION_ID")
    reader.expect("=>")
    if (argument === "RESULT_LIMIT") limit = reader.number()
    else of = String(reader.number())
    reader.take(",")
  }
  const where = name === "QUERY_HISTORY" ? "" : ` WHERE CAST("SESSION_ID" AS VARCHAR) = ${quote(of)}`
  return `(SELECT * FROM ${view("QUERY_HISTORY")}${where} ORDER BY "START_TIME" DESC LIMIT ${limit})`
}
