import * as Query from "@northstar/connectors/project/Query"
import type { Project } from "@northstar/connectors/project/Project"
import { Effect } from "effect"
import * as Report from "./Report.ts"
import { count, table } from "./Story.ts"

/** What the marts say at the end. */
export interface Marts {
  readonly days: Report.Report["days"]
  readonly backlog: ReadonlyArray<{
    readonly status: string
    readonly age: string
    readonly orders: number
    readonly currency: string
    readonly totalMinor: bigint
  }>
}

/** Days of all currencies, and lines of the backlog, at most. */
const rowsMax = 100

/** Reads the marts of daily revenue and of the fulfilment backlog. */
export const read = Effect.fn("Marts.read")(function* (project: Project) {
  const select = (sql: string) => Effect.map(Query.query(project, sql, { rowsMax }), ({ rows }) => rows)
  const days = yield* select(
    `select cast(business_date as varchar) as date, currency, sale_count as orders,
      cast(net_minor as varchar) as minor from marts.daily_order_revenue order by 1, 2`
  )
  const backlog = yield* select(
    `select status, age, currency, order_count as orders, cast(total_minor as varchar) as minor
      from marts.fulfilment_backlog order by status, age_rank, currency`
  )
  return {
    days: days.map((row) => ({
      date: String(row["date"]),
      currency: String(row["currency"]),
      orders: Number(row["orders"]),
      revenueMinor: BigInt(String(row["minor"]))
    })),
    backlog: backlog.map((row) => ({
      status: String(row["status"]),
      age: String(row["age"]),
      orders: Number(row["orders"]),
      currency: String(row["currency"]),
      totalMinor: BigInt(String(row["minor"]))
    }))
  } satisfies Marts
})

/** Both marts as text for a terminal. */
export const text = ({ backlog, days }: Marts): string =>
  [
    "marts.daily_order_revenue",
    table(
      ["day", "sales", "net revenue"],
      days.map(({ currency, date, orders, revenueMinor }) => [
        date,
        count(orders),
        Report.money(revenueMinor, currency)
      ])
    ),
    "",
    "marts.fulfilment_backlog",
    table(
      ["orders that are", "age", "number", "worth"],
      backlog.map(({ age, currency, orders, status, totalMinor }) => [
        status,
        age,
        count(orders),
        Report.money(totalMinor, currency)
      ])
    )
  ].join("\n")
