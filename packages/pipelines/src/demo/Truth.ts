import type { ColumnType } from "@northstar/core/Column"
import type { Table } from "@northstar/core/Table"
import * as Query from "@northstar/connectors/project/Query"
import type { Dialect } from "@northstar/connectors/warehouse/Dialect"
import { Effect } from "effect"
import type { Reconciled } from "./Report.ts"
import type { Scene } from "./Scene.ts"

/** A row's values by column, as text: instants in Unix milliseconds, everything else as it is written. */
export type Values = Readonly<Record<string, string | null>>

/** The rows that a table must hold, as its source itself has them. */
export interface Truth {
  readonly table: Table
  readonly rows: ReadonlyArray<Values>
}

/** Rows of one table at most. */
const rowsMax = 200_000

/** Every value of a table in the warehouse against the truth. A card number and its token are the same. */
export const compare = Effect.fn("Truth.compare")(function* ({ dialect, project }: Scene, { table, rows }: Truth) {
  const columns = Object.entries(table.columns)
  const list = columns.map(([name, { type }]) => `${text(dialect, dialect.id(name), type)} as ${dialect.id(name)}`)
  const found = yield* Query.query(project, `select ${list.join(", ")} from curated.${dialect.id(table.name)}`, {
    rowsMax
  })
  // Sound: every column is selected as text.
  const curated = found.rows as ReadonlyArray<Values>
  const keyOf = (row: Values) => table.key.map((name) => row[name]).join("\0")
  const contents = (row: Values) => JSON.stringify(columns.map(([name]) => masked(row[name] ?? null)))
  const expected = new Map(rows.map((row) => [keyOf(row), contents(row)]))
  const actual = new Map(curated.map((row) => [keyOf(row), contents(row)]))
  const keys = new Set([...expected.keys(), ...actual.keys()])
  const differing = [...keys].filter((key) => expected.get(key) !== actual.get(key)).length
  return {
    table: table.name,
    sourceRows: rows.length,
    curatedRows: curated.length,
    differing,
    money: sums(table, rows, curated)
  } satisfies Reconciled
})

const text = ({ epochMs }: Dialect, column: string, type: ColumnType): string =>
  type.kind === "timestamptz" ? `cast(${epochMs(column)} as varchar)` : `cast(${column} as varchar)`

/** A token that stands for a card number. */
export const token = /tok_v\d+_[\w-]+/g

/** Digits as people write them on cards. */
const card = /\b(?:\d{4} ){3}\d{4}\b/g

const masked = (value: string | null): string | null =>
  value?.replaceAll(token, "[card]").replaceAll(card, "[card]") ?? null

const sums = (table: Table, source: ReadonlyArray<Values>, curated: ReadonlyArray<Values>): Reconciled["money"] => {
  const [pair] = table.money
  if (pair === undefined) return []
  const sum = (rows: ReadonlyArray<Values>, currency: string) =>
    rows.reduce((total, row) => (row[pair.currency] === currency ? total + BigInt(row[pair.amount] ?? 0) : total), 0n)
  const currencies = [...new Set([...source, ...curated].map((row) => row[pair.currency] ?? ""))].toSorted()
  return currencies.map((currency) => ({
    currency: currency.toUpperCase(),
    sourceMinor: sum(source, currency),
    curatedMinor: sum(curated, currency)
  }))
}
