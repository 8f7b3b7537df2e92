import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import type { Table } from "@northstar/core/Table"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Marts from "../src/Marts.ts"
import * as OnlineRetail from "../src/shop/OnlineRetail.ts"
import * as Replay from "../src/shop/Replay.ts"
import * as Tables from "../src/Tables.ts"

it("every file of marts is listed once", () => {
  const folder = new URL("../marts/", import.meta.url)
  expect(Marts.all.map(({ file }) => basename(file)).toSorted()).toEqual(readdirSync(folder).toSorted())
})

it.each(Marts.all)("mart $name reads the curated tables it is said to read", (mart) => {
  const read = [...sqlOf(mart).matchAll(/curated\.(\w+)/g)].map(([, table]) => table)
  expect(new Set(read)).toEqual(new Set(mart.tables))
})

it.each(Marts.all)("D1 dialects: mart $name uses only words that DuckDB and Snowflake share", (mart) => {
  const sql = sqlOf(mart).replaceAll(/'[^']*'/g, "''")
  expect(sql).toMatch(/^select\s/)
  expect(sql).not.toMatch(/::|;|"|\[|\{|\$|\?/)
  const calls = [...sql.matchAll(/(\w+)\(/g)].map(([, name]) => name ?? "")
  expect(calls.filter((name) => !functions.has(name))).toEqual([])
  const named = [...sql.matchAll(/(?<=\bas |\) |\bcurated\.\w+ )\w+/g)].map(([name]) => name)
  const known = new Set([...keywords, ...functions, ...names, ...named])
  const words = [...sql.matchAll(/\b[a-z_]\w*/g)].map(([word]) => word)
  expect(words.filter((word) => !known.has(word))).toEqual([])
})

it.live("daily revenue is that of the data set, to the penny, and the backlog holds what has not shipped", () =>
  Effect.gen(function* () {
    const orders = yield* OnlineRetail.load
    const newestMs = orders.at(-1)?.placedAtMs ?? 0
    const { history } = yield* Replay.plan(orders, { seed: "marts", liveFromMs: newestMs + 1 })
    const marts = yield* Effect.promise(() => martsOf(history.map(({ values }) => values as ReadonlyArray<Column>)))

    expect(marts.orders_current).toHaveLength(698)
    expect(marts.order_lines_current).toHaveLength(14_553)
    expect(marts.orders_current?.reduce((sum, row) => sum + Number(row.line_count), 0)).toBe(14_553)
    expect(
      marts.daily_order_revenue?.toSorted((a, b) => String(a.business_date).localeCompare(String(b.business_date)))
    ).toEqual(revenueOf(orders))
    const open = marts.orders_current?.filter(({ kind, status }) => kind === "sale" && unshipped.has(String(status)))
    const sum = (name: string) => marts.fulfilment_backlog?.reduce((total, row) => total + Number(row[name]), 0)
    expect(open?.length).toBeGreaterThan(0)
    expect(sum("order_count")).toBe(open?.length)
    expect(sum("total_minor")).toBe(open?.reduce((total, row) => total + Number(row.total_minor), 0))
    expect(marts.fulfilment_backlog?.map(({ age }) => age)).toContain("under 4 h")
  })
)

const unshipped = new Set(["placed", "paid", "picked"])

/** December is winter in London: the date of the instant in UTC is the business date. */
const revenueOf = (orders: ReadonlyArray<OnlineRetail.Order>) => {
  const days = Map.groupBy(orders, ({ placedAtMs }) => new Date(placedAtMs).toISOString().slice(0, 10))
  return [...days].map(([business_date, all]) => {
    const sumOf = (kind: OnlineRetail.Order["kind"]) => {
      const lines = all.filter((order) => order.kind === kind).flatMap((order) => order.lines)
      return lines.reduce((sum, line) => sum + line.unitPriceMinor * BigInt(line.quantity), 0n)
    }
    const count = (kind: OnlineRetail.Order["kind"]) => String(all.filter((order) => order.kind === kind).length)
    return {
      business_date,
      currency: "GBP",
      sale_count: count("sale"),
      credit_count: count("credit"),
      sales_minor: String(sumOf("sale")),
      credits_minor: String(sumOf("credit")),
      net_minor: String(sumOf("sale") + sumOf("credit"))
    }
  })
}

type Column = ReadonlyArray<string | number | bigint | null>
type MartRows = ReadonlyArray<Readonly<Record<string, unknown>>>

/** The rows of all marts in DuckDB, over curated tables with one column of values per contract column. */
const martsOf = async (tables: ReadonlyArray<ReadonlyArray<Column>>): Promise<Readonly<Record<string, MartRows>>> => {
  const folder = mkdtempSync(join(tmpdir(), "northstar-marts-"))
  const instance = await DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  await connection.run("create schema curated; create schema marts; set timezone = 'UTC'")
  for (const [index, table] of Tables.all.entries()) {
    const file = join(folder, `${table.name}.json`)
    writeFileSync(file, json(table, tables[index] ?? []))
    await connection.run(curated(table, file))
  }
  const marts: Record<string, MartRows> = {}
  for (const mart of Marts.all) {
    await connection.run(`create or replace view marts.${mart.name} as ${sqlOf(mart)}`)
    marts[mart.name] = (await connection.runAndReadAll(`from marts.${mart.name}`)).getRowObjectsJson()
  }
  connection.closeSync()
  instance.closeSync()
  rmSync(folder, { recursive: true })
  return marts
}

const json = (table: Table, columns: ReadonlyArray<Column>): string => {
  const names = Object.keys(table.columns)
  const rows = (columns[0] ?? []).map((_, row) => names.map((name, index) => [name, columns[index]?.[row] ?? null]))
  const text = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)
  return rows.map((row) => JSON.stringify(Object.fromEntries(row), text)).join("\n")
}

const curated = (table: Table, file: string): string => {
  const types = { int32: "integer", int64: "bigint", text: "text", timestamptz: "timestamptz" } as Record<
    string,
    string
  >
  const columns = Object.entries(table.columns).map(([name, { type }]) => `${name}: '${types[type.kind]}'`)
  return `create table curated.${table.name} as
    select *, now() as _source_commit_at, cast(${table.event?.column} at time zone '${table.event?.zone}' as date) as _business_date
    from read_json('${file}', format = 'newline_delimited', columns = { ${columns.join(", ")} })`
}

/** Without comments. */
const sqlOf = (mart: Marts.Mart): string => readFileSync(mart.file, "utf8").replaceAll(/--.*\n/g, "")

/** Aggregates, `datediff('minute', a, b)` (boundaries crossed, in both) and conversions that both engines read alike. */
const functions = new Set(["cast", "coalesce", "count", "sum", "min", "max", "datediff"])
const keywords =
  "select from where group by left join cross on and in not is null case when then else end as bigint curated".split(
    " "
  )

/** Names of curated tables and their columns. */
const names = [
  ...Tables.all.map(({ name }) => name),
  ...Tables.all.flatMap(({ columns }) => Object.keys(columns)),
  "_business_date",
  "_source_commit_at"
]
