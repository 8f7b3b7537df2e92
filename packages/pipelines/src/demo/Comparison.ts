import { open } from "@northstar/connectors/postgres/Connection"
import * as Query from "@northstar/connectors/project/Query"
import * as Reconcile from "@northstar/connectors/project/Reconcile"
import { Effect } from "effect"
import * as Report from "./Report.ts"
import type { Scene } from "./Scene.ts"

/** The columns that hold money, by table. */
const money: Readonly<Record<string, string>> = { orders: "total_minor", order_lines: "amount_minor" }

/** Most currencies that a table may hold. */
const currenciesMax = 100

/** Every table at the source and in the warehouse: rows by `northstar reconcile`, and sums of money by either side's own SQL. */
export const make = Effect.fn("Comparison.make")(function* (scene: Scene) {
  const { tables } = yield* Reconcile.reconcile(scene.shop, { full: true })
  return yield* Effect.forEach(tables, ({ curatedRows, differences, sourceRows, table }) =>
    Effect.map(sums(scene, table), (money): Report.Reconciled => ({
      table,
      sourceRows,
      curatedRows,
      differing: differences.length,
      money
    }))
  )
})

const sums = Effect.fnUntraced(function* ({ project, url }: Scene, table: string) {
  const column = money[table]
  if (column === undefined) return []
  const sql = (schema: string) =>
    `select currency, cast(sum(${column}) as varchar) as minor from ${schema}.${table} group by currency`
  const source = yield* Effect.scoped(Effect.flatMap(open({ url }), (connection) => connection.query(sql("public"))))
  const curated = yield* Query.query(project, sql("curated"), { rowsMax: currenciesMax })
  const sourceMinor = new Map(source.map(([currency, minor]) => [String(currency), BigInt(minor ?? 0)]))
  const curatedMinor = new Map(curated.rows.map((row) => [String(row["currency"]), BigInt(String(row["minor"]))]))
  return [...new Set([...sourceMinor.keys(), ...curatedMinor.keys()])].toSorted().map((currency) => ({
    currency,
    sourceMinor: sourceMinor.get(currency) ?? 0n,
    curatedMinor: curatedMinor.get(currency) ?? 0n
  }))
})

/** Whether every table is the same on both sides. */
export const agrees = (tables: ReadonlyArray<Report.Reconciled>): boolean => tables.every(Report.isAgreed)

/** Rows that differ, of all tables. */
export const differing = (tables: ReadonlyArray<Report.Reconciled>): number =>
  tables.reduce((sum, table) => sum + table.differing, 0)

/** Where the two sides' sums of money are farthest apart, and how far, if they are. */
export const gap = (tables: ReadonlyArray<Report.Reconciled>) =>
  tables
    .flatMap((table) => table.money)
    .map(({ currency, curatedMinor, sourceMinor }) => ({
      currency,
      minor: curatedMinor > sourceMinor ? curatedMinor - sourceMinor : sourceMinor - curatedMinor
    }))
    .filter(({ minor }) => minor > 0n)
    .reduce<{ readonly currency: string; readonly minor: bigint } | undefined>(
      (most, each) => (most === undefined || each.minor > most.minor ? each : most),
      undefined
    )
