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
  readonly payments: ReadonlyArray<{
    readonly label: string
    readonly currency: string
    readonly objects: number
    readonly ledgerMinor: bigint
  }>
}

/** Labels of what Stripe's objects and its ledger agree on; every other names a mismatch. */
const agreeing = new Set(["matched", "converted", "fee"])

/** Whether the ledger is explained: nothing has the label of a mismatch. */
export const isExplained = ({ payments }: Marts): boolean =>
  payments.length > 0 && payments.every(({ label }) => agreeing.has(label))

/** Days of all currencies, and lines of the other two, at most. */
const rowsMax = 100

/** Reads the marts of daily revenue, of the fulfilment backlog and of payments against the ledger. */
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
  const payments = yield* select(
    `select label, coalesce(settlement_currency, currency) as currency, count(*) as objects,
      cast(sum(ledger_minor) as varchar) as minor from marts.payment_match group by 1, 2 order by 1, 2`
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
    })),
    payments: payments.map((row) => ({
      label: String(row["label"]),
      currency: String(row["currency"]).toUpperCase(),
      objects: Number(row["objects"]),
      ledgerMinor: BigInt(String(row["minor"]))
    }))
  } satisfies Marts
})

/** The marts as text for a terminal. */
export const text = ({ backlog, days, payments }: Marts): string =>
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
    ),
    "",
    "marts.payment_match",
    table(
      ["payments, refunds, disputes and payouts", "number", "moved on the ledger"],
      payments.map(({ currency, label, ledgerMinor, objects }) => [
        label.replaceAll("_", " "),
        count(objects),
        Report.money(ledgerMinor, currency)
      ])
    )
  ].join("\n")
