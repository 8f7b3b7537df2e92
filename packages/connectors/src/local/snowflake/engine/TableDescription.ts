import type { DuckDBConnection } from "@duckdb/node-api"
import type { DescribedColumn } from "../account/Account.ts"
import { run } from "./Execution.ts"
import { decodeName } from "../sql/Names.ts"

/** The columns of a table or view, given as DuckDB SQL, as DESCRIBE prints them. */
export const describe = async (
  connection: DuckDBConnection,
  object: string
): Promise<ReadonlyArray<DescribedColumn>> => {
  const result = await run(connection, `DESCRIBE ${object}`, new AbortController().signal)
  return (await result.getRows()).map(([column, type, nullable]) => ({
    name: decodeName(String(column)),
    type: snowflakeType(String(type)),
    nullable: nullable !== "NO"
  }))
}

/** Snowflake's name of a DuckDB type: the spelling of `SqlType`. */
const snowflakeType = (type: string): string => {
  if (type.startsWith("DECIMAL")) return type.replace("DECIMAL", "NUMBER")
  return names.get(type) ?? type
}

const names: ReadonlyMap<string, string> = new Map([
  ["BIGINT", "NUMBER(38,0)"],
  ["HUGEINT", "NUMBER(38,0)"],
  ["INTEGER", "NUMBER(38,0)"],
  ["DOUBLE", "FLOAT"],
  ["TIMESTAMP", "TIMESTAMP_NTZ(6)"],
  ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP_LTZ(6)"],
  ["TIME", "TIME(6)"],
  ["BLOB", "BINARY"],
  ["JSON", "VARIANT"]
])
