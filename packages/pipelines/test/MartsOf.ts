import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import type { Table } from "@northstar/core/Table"
import * as Marts from "../src/Marts.ts"
import * as Partners from "../src/Partners.ts"
import * as Payments from "../src/Payments.ts"
import * as Tables from "../src/Tables.ts"

/** Values by column. */
export type Row = Readonly<Record<string, unknown>>
export type MartRows = ReadonlyArray<Row>

/** The tables of all sources. */
export const tables: ReadonlyArray<Table> = [...Tables.all, ...Payments.all, ...Partners.all.map(({ table }) => table)]

/** The rows of marts, default of all, in DuckDB over curated tables with these rows, and empty ones. */
export const martsOf = async (
  rows: ReadonlyArray<readonly [Table, ReadonlyArray<Row>]>,
  only?: ReadonlyArray<string>
): Promise<Readonly<Record<string, MartRows>>> => {
  const folder = mkdtempSync(join(tmpdir(), "northstar-marts-"))
  const instance = await DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  await connection.run("create schema curated; create schema marts; set timezone = 'UTC'")
  const chosen = Marts.all.filter(({ name }) => only?.includes(name) ?? true)
  for (const table of tables.filter(({ name }) => chosen.some((mart) => mart.tables.includes(name)))) {
    const file = join(folder, `${table.name}.json`)
    writeFileSync(file, json(rows.find(([of]) => of === table)?.[1] ?? []))
    await connection.run(curated(table, file))
  }
  const marts: Record<string, MartRows> = {}
  for (const mart of chosen) {
    await connection.run(`create or replace view marts.${mart.name} as ${sqlOf(mart)}`)
    marts[mart.name] = (await connection.runAndReadAll(`from marts.${mart.name}`)).getRowObjectsJson()
  }
  connection.closeSync()
  instance.closeSync()
  rmSync(folder, { recursive: true })
  return marts
}

const json = (rows: ReadonlyArray<Row>): string => {
  const text = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)
  return rows.map((row) => JSON.stringify(row, text)).join("\n")
}

const curated = (table: Table, file: string): string => {
  const types = { int32: "integer", int64: "bigint", text: "text", timestamptz: "timestamptz" } as Record<
    string,
    string
  >
  const columns = Object.entries(table.columns).map(([name, { type }]) => {
    const sql = type.kind === "decimal" ? `decimal(${type.precision}, ${type.scale})` : (types[type.kind] ?? type.kind)
    return `${name}: '${sql}'`
  })
  const { column, zone } = table.event ?? { column: "now()", zone: "UTC" }
  return `create table curated.${table.name} as
    select *, now() as _source_commit_at, cast(cast(${column} as timestamptz) at time zone '${zone}' as date) as _business_date
    from read_json('${file}', format = 'newline_delimited', columns = { ${columns.join(", ")} })`
}

/** Without comments. */
export const sqlOf = (mart: Marts.Mart): string => readFileSync(mart.file, "utf8").replaceAll(/--.*\n/g, "")
