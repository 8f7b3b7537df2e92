import { fileURLToPath } from "node:url"

/** A view over curated tables, in the SQL that DuckDB and Snowflake share. */
export interface Mart {
  /** Name of the view in schema `marts`. */
  readonly name: string
  /** Path of the file that holds the view's SELECT, without a semicolon. */
  readonly file: string
  /** Curated tables that the view reads. */
  readonly tables: ReadonlyArray<string>
}

const mart = (name: string, tables: ReadonlyArray<string>): Mart => ({
  name,
  file: fileURLToPath(new URL(`../marts/${name}.sql`, import.meta.url)),
  tables
})

/** Northstar's operational marts. None reads another, so that they can be created in any order. */
export const all: ReadonlyArray<Mart> = [
  mart("orders_current", ["orders", "order_lines"]),
  mart("order_lines_current", ["order_lines", "orders", "products"]),
  mart("daily_order_revenue", ["orders"]),
  mart("fulfilment_backlog", ["orders", "order_lines"]),
  mart("order_lifecycle", [
    "orders",
    "charge",
    "fct_payment_event",
    "fct_refund",
    "fct_dispute",
    "fct_shipment",
    "fct_shipment_event",
    "fct_return"
  ]),
  mart("daily_payments", ["fct_payment_event"]),
  mart("payment_match", ["charge", "orders", "fct_payment_event", "fct_refund", "fct_dispute", "fct_payout"]),
  mart("stock_current", ["stock_level", "products"])
]
