import * as Check from "@northstar/core/Check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"

/** The zone in which the shop reads its business dates. */
export const zone = "Europe/London"

/** ISO 4217 codes the shop sells in; all of them have two minor digits. */
export const currencies = ["GBP", "EUR", "USD"] as const

/**
 * `sale` is what a customer buys. `credit` gives money back for an earlier sale, in negative quantities on an order of its
 * own. `adjustment` moves stock without money: goods written off, or found.
 */
export const orderKinds = ["sale", "credit", "adjustment"] as const

/**
 * A sale goes placed → paid → picked → shipped → delivered, or is cancelled before it is paid and then never counts as
 * revenue. A credit goes placed → credited. An adjustment is adjusted at once.
 */
export const orderStatuses = [
  "placed",
  "paid",
  "picked",
  "shipped",
  "delivered",
  "cancelled",
  "credited",
  "adjusted"
] as const

/** A line follows its order through the warehouse; payment and delivery concern the order as a whole. */
export const lineStatuses = ["placed", "picked", "shipped", "cancelled", "credited", "adjusted"] as const

/** Who buys. `id` is the shop's customer number. */
export const customers = Table.make("customers", {
  columns: {
    id: Column.int64,
    name: Column.pii(Column.text),
    email: Column.pii(Column.text),
    country: Column.text,
    created_at: Column.timestamptz,
    updated_at: Column.timestamptz
  },
  key: ["id"],
  event: { column: "created_at", zone }
})

/** What is sold. Codes differ by case: `15056BL` and `15056bl` are two products. Postage and charges are products too. */
export const products = Table.make("products", {
  columns: {
    code: Column.text,
    name: Column.nullable(Column.text),
    created_at: Column.timestamptz,
    updated_at: Column.timestamptz
  },
  key: ["code"],
  event: { column: "created_at", zone },
  checks: [Check.notNull("name", "warn")]
})

/** Orders as the shop keeps them: one row an order, changed in place. */
export const orders = Table.make("orders", {
  columns: {
    id: Column.int64,
    /** Invoice number, as printed. */
    order_number: Column.text,
    kind: Column.text,
    /** Of a credit: the sale it gives back, where it is known. */
    credits_order_id: Column.nullable(Column.int64),
    /** NULL where the till did not ask. */
    customer_id: Column.nullable(Column.int64),
    country: Column.text,
    status: Column.text,
    currency: Column.text,
    /** Sum of the lines' amounts, minor units of `currency`; negative for credits. */
    total_minor: Column.int64,
    placed_at: Column.timestamptz,
    updated_at: Column.timestamptz,
    /** What customer and staff wrote: free text, kilobytes long, so that PostgreSQL keeps it outside the row (TOAST). */
    notes: Column.nullable(Column.pii(Column.text))
  },
  key: ["id"],
  businessKey: ["order_number"],
  event: { column: "placed_at", zone },
  checks: [
    Check.oneOf("kind", orderKinds),
    Check.oneOf("status", orderStatuses),
    Check.oneOf("currency", currencies),
    // A million pounds either way: the largest real order is 1 % of it.
    Check.between("total_minor", { min: "-100000000", max: "100000000" }),
    // A third of the shop's lines belong to orders without a customer.
    Check.notNull("customer_id", "warn"),
    // Money without a currency means that the contract is wrong, not the row: nothing may be published.
    Check.notNull("currency", "block")
  ]
})

/** Lines of orders. Negative quantities are legal: they give goods back or write them off. */
export const orderLines = Table.make("order_lines", {
  columns: {
    order_id: Column.int64,
    /** From 1 within the order; a product may stand on several lines of one order. */
    line_no: Column.int32,
    product_code: Column.text,
    quantity: Column.int32,
    /** Minor units of `currency`. */
    unit_price_minor: Column.int64,
    /** `quantity` × `unit_price_minor`. */
    amount_minor: Column.int64,
    currency: Column.text,
    status: Column.text,
    placed_at: Column.timestamptz,
    updated_at: Column.timestamptz
  },
  key: ["order_id", "line_no"],
  event: { column: "placed_at", zone },
  checks: [
    Check.oneOf("status", lineStatuses),
    Check.oneOf("currency", currencies),
    Check.between("quantity", { min: "-100000", max: "100000" }),
    Check.between("unit_price_minor", { min: "0", max: "10000000" }),
    // Gifts, samples and stock adjustments cost nothing; a day full of them does not happen.
    Check.between("unit_price_minor", { min: "1" }, "warn"),
    Check.between("amount_minor", { min: "-100000000", max: "100000000" }),
    Check.notNull("currency", "block")
  ]
})

/** Every table of the shop, parents before children. */
export const all = [customers, products, orders, orderLines] as const
