import { readFile, rm } from "node:fs/promises"
import { randomUUID } from "node:crypto"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { DuckDBConnection } from "@duckdb/node-api"
import { encodeName } from "../sql/Names.ts"

/** Bytes counted for a value: texts are taken to be short, as DuckDB does not say how long they are. */
const textBytes = 24
const valueBytes = 8

/** What the statements of one connection scan, from DuckDB's profile, which skips row groups by their bounds as Snowflake skips partitions. */
export class ScanMeter {
  readonly #connection: DuckDBConnection
  readonly #widths = new Map<string, number>()
  readonly #file = join(tmpdir(), `northstar-snowflake-${randomUUID()}.json`)

  constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  /** Makes DuckDB write a profile after each statement. */
  async begin(): Promise<void> {
    await this.#connection.run("SET enable_profiling = 'json'")
    await this.#connection.run(`SET profiling_output = '${this.#file.replaceAll("'", "''")}'`)
    await this.#connection.run(`SET custom_profiling_settings = '{"CUMULATIVE_ROWS_SCANNED": "true"}'`)
  }

  /** Rows that the statement scanned which has just ended. */
  async rows(): Promise<number> {
    const profile = await readFile(this.#file, "utf8").catch(() => "")
    return Number(/"cumulative_rows_scanned":\s*(\d+)/.exec(profile)?.[1] ?? 0)
  }

  /** Bytes of an average row of these tables, given by their keys, as they were when first asked for. */
  async rowBytes(tables: ReadonlySet<string>): Promise<number> {
    if (tables.size === 0) return 0
    const key = [...tables].join("\n")
    const width = this.#widths.get(key) ?? (await this.#rowBytes(tables))
    this.#widths.set(key, width)
    return width
  }

  async #rowBytes(tables: ReadonlySet<string>): Promise<number> {
    const names = [...tables].map((key) => `(${placeOf(key).map(literal).join(", ")})`)
    const result = await this.#connection.run(
      `SELECT sum(CASE WHEN data_type IN ('VARCHAR', 'JSON', 'BLOB') THEN ${textBytes} ELSE ${valueBytes} END)::DOUBLE / count(DISTINCT (database_name, schema_name, table_name))
       FROM duckdb_columns() WHERE (database_name, schema_name, table_name) IN (${names.join(", ")})`
    )
    return Number((await result.getRows())[0]?.[0] ?? 0)
  }

  async end(): Promise<void> {
    await rm(this.#file, { force: true })
  }
}

/** DuckDB's database, schema and table of an `objectKey`, or of one followed by the session of a temporary table. */
const placeOf = (key: string): ReadonlyArray<string> => {
  const [database = "", schema = "", name = "", session] = key.split("\0").map(encodeName)
  return session === undefined ? [database, schema, name] : ["temp", "main", [database, schema, name].join(".~.")]
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`
