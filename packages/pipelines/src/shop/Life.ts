import type { Row } from "@northstar/core/Table"
import type { Random } from "effect"
import type { lineStatuses, orderLines, orders, orderStatuses } from "../Tables.ts"
import * as Notes from "./Notes.ts"
import type { Order } from "./OnlineRetail.ts"
import type { Statement } from "./Statement.ts"

/** One transaction of the shop's application. */
export interface ShopEvent {
  /** On the shop's own clock, Unix milliseconds. */
  readonly atMs: number
  readonly kind: Kind
  readonly statements: ReadonlyArray<Statement>
}

export type Kind =
  | (typeof orderStatuses)[number]
  | "renumbered"
  | "deleted"
  | "restored"
  | "line deleted"
  | "line restored"
  | "line added"
  | "quantity corrected"
  | "notes changed"
  | "customer changed"

/** The rows of an order at one moment. */
export interface OrderRows {
  readonly order: Row<typeof orders>
  readonly lines: ReadonlyArray<Row<typeof orderLines>>
}

type OrderStatus = (typeof orderStatuses)[number]
type LineStatus = (typeof lineStatuses)[number]

/** A status that an order reaches, with what its lines are then. */
export interface Step {
  readonly atMs: number
  readonly status: OrderStatus
  readonly lines: LineStatus
}

/** One order as the data set has it, and the statuses it runs through after it was placed. */
export interface Life {
  readonly rows: OrderRows
  readonly steps: ReadonlyArray<Step>
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Instant as ISO 8601 text. */
export const iso = (atMs: number): string => new Date(atMs).toISOString()

/** Draws the life of an order. One in six has long notes, which none of its steps touches. */
export const draw = (order: Order, random: Random.Random): Life => {
  const [first, ...steps] = stepsOf(order, random)
  return { rows: rowsOf(order, first, random), steps }
}

/** The transaction that moves an order and its lines to a step. */
export const moved = (orderId: bigint, step: Step): ShopEvent => ({
  atMs: step.atMs,
  kind: step.status,
  statements: [setStatus(orderId, step.status, step.atMs), ...setLines(orderId, step)]
})

/** The order as it stands at an instant, having run through its steps before it. */
export const after = ({ rows, steps }: Life, instantMs: number): OrderRows => {
  const past = steps.filter((step) => step.atMs < instantMs)
  const last = past.at(-1)
  const lastOfLines = past.findLast(movesLines)
  return {
    order: last ? { ...rows.order, status: last.status, updated_at: iso(last.atMs) } : rows.order,
    lines: lastOfLines
      ? rows.lines.map((line) => ({ ...line, status: lastOfLines.lines, updated_at: iso(lastOfLines.atMs) }))
      : rows.lines
  }
}

/** The steps from one instant up to and including another, Unix milliseconds, as transactions. */
export const between = ({ rows, steps }: Life, fromMs: number, toMs: number): ReadonlyArray<ShopEvent> =>
  steps.filter((step) => step.atMs >= fromMs && step.atMs <= toMs).map((step) => moved(rows.order.id, step))

const stepsOf = (order: Order, random: Random.Random): readonly [Step, ...Array<Step>] => {
  const within = (min: number, max: number) => Math.floor(min + (max - min) * random.nextDoubleUnsafe())
  const atMs = order.placedAtMs
  if (order.kind === "adjustment") return [{ atMs, status: "adjusted", lines: "adjusted" }]
  const placed: Step = { atMs, status: "placed", lines: "placed" }
  if (order.kind === "credit") {
    return [placed, { atMs: atMs + within(hourMs, 24 * hourMs), status: "credited", lines: "credited" }]
  }
  const paid = atMs + within(3 * minuteMs, 20 * minuteMs)
  const picked = paid + within(hourMs, 8 * hourMs)
  const shipped = picked + within(hourMs, 24 * hourMs)
  return [
    placed,
    { atMs: paid, status: "paid", lines: "placed" },
    { atMs: picked, status: "picked", lines: "picked" },
    { atMs: shipped, status: "shipped", lines: "shipped" },
    { atMs: shipped + within(24 * hourMs, 72 * hourMs), status: "delivered", lines: "shipped" }
  ]
}

const rowsOf = (order: Order, first: Step, random: Random.Random): OrderRows => {
  const at = iso(order.placedAtMs)
  const lines = order.lines.map((line, index): OrderRows["lines"][number] => ({
    order_id: order.id,
    line_no: index + 1,
    product_code: line.productCode,
    quantity: line.quantity,
    unit_price_minor: line.unitPriceMinor,
    amount_minor: line.unitPriceMinor * BigInt(line.quantity),
    currency: "GBP",
    status: first.lines,
    placed_at: iso(line.placedAtMs),
    updated_at: at
  }))
  return {
    order: {
      id: order.id,
      order_number: order.number,
      kind: order.kind,
      credits_order_id: order.creditsOrderId,
      customer_id: order.customerId,
      country: order.country,
      status: first.status,
      currency: "GBP",
      total_minor: lines.reduce((sum, line) => sum + line.amount_minor, 0n),
      placed_at: at,
      updated_at: at,
      notes: random.nextDoubleUnsafe() < 1 / 6 ? Notes.draw(random) : null
    },
    lines
  }
}

const setStatus = (orderId: bigint, status: OrderStatus, atMs: number): Statement => ({
  text: "update orders set status = $1, updated_at = $2 where id = $3",
  values: [status, iso(atMs), orderId]
})

const setLines = (orderId: bigint, step: Step): ReadonlyArray<Statement> =>
  movesLines(step)
    ? [
        {
          text: "update order_lines set status = $1, updated_at = $2 where order_id = $3",
          values: [step.lines, iso(step.atMs), orderId]
        }
      ]
    : []

/** Payment and delivery leave the lines alone. */
const movesLines = (step: Step): boolean => step.status !== "paid" && step.status !== "delivered"
