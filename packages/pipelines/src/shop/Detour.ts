import type { Random } from "effect"
import { orderLines, orders } from "../Tables.ts"
import { iso, moved, type OrderRows, type ShopEvent } from "./Life.ts"
import * as Notes from "./Notes.ts"
import { insert, type Statement } from "./Statement.ts"

/** How an order is placed instead, and what then puts it right. */
export interface Detour {
  readonly placed: OrderRows
  readonly events: ReadonlyArray<ShopEvent>
}

/**
 * Draws what goes wrong with a sale, if anything: about one in four is renumbered (a primary key update), deleted and put
 * back, cancelled and reinstated, loses a line and gets it back, starts with a wrong quantity, a missing line or a line
 * too many. Of those with long notes, half have them rewritten. In the end the order is as `rows` says.
 */
export const draw = (rows: OrderRows, placedAtMs: number, random: Random.Random): Detour => {
  const chosen = random.nextDoubleUnsafe()
  const detour = detours.find(({ below }) => chosen < below)?.take(rows, placedAtMs, random)
  return {
    placed: detour?.placed ?? rows,
    events: [...(detour?.events ?? []), ...rewritten(rows, placedAtMs, random)]
  }
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Detours with the cumulated share of sales that take them. All but a correction are over before the order is paid. */
const detours: ReadonlyArray<{
  readonly below: number
  readonly take: (rows: OrderRows, placedAtMs: number, random: Random.Random) => Detour
}> = [
  { below: 0.03, take: (rows, placedAtMs, random) => renumbered(rows, placedAtMs, random) },
  { below: 0.05, take: (rows, placedAtMs) => restored(rows, placedAtMs) },
  { below: 0.09, take: (rows, placedAtMs) => reinstated(rows, placedAtMs) },
  { below: 0.13, take: (rows, placedAtMs) => lineRestored(rows, placedAtMs) },
  { below: 0.18, take: (rows, placedAtMs) => lineAdded(rows, placedAtMs) },
  { below: 0.22, take: (rows, placedAtMs) => lineTooMany(rows, placedAtMs) },
  { below: 0.28, take: (rows, placedAtMs) => corrected(rows, placedAtMs) }
]

/** Saved under a provisional id, with notes, so that the move carries a value that its log record does not. */
const renumbered = (rows: OrderRows, placedAtMs: number, random: Random.Random): Detour => {
  const provisional = rows.order.id + 10_000_000_000n
  const atMs = placedAtMs + minuteMs / 2
  return {
    placed: {
      order: { ...rows.order, id: provisional, notes: rows.order.notes ?? Notes.draw(random) },
      lines: rows.lines.map((line) => ({ ...line, order_id: provisional }))
    },
    events: [
      {
        atMs,
        kind: "renumbered",
        statements: [
          {
            text: "update orders set id = $1, updated_at = $2 where id = $3",
            values: [rows.order.id, iso(atMs), provisional]
          }
        ]
      }
    ]
  }
}

const restored = (rows: OrderRows, placedAtMs: number): Detour => ({
  placed: rows,
  events: [
    {
      atMs: placedAtMs + minuteMs,
      kind: "deleted",
      statements: [{ text: "delete from orders where id = $1", values: [rows.order.id] }]
    },
    {
      atMs: placedAtMs + 2 * minuteMs,
      kind: "restored",
      statements: [insert(orders, [rows.order]), insert(orderLines, rows.lines)]
    }
  ]
})

const reinstated = (rows: OrderRows, placedAtMs: number): Detour => ({
  placed: rows,
  events: [
    moved(rows.order.id, { atMs: placedAtMs + minuteMs, status: "cancelled", lines: "cancelled" }),
    moved(rows.order.id, { atMs: placedAtMs + 2 * minuteMs, status: "placed", lines: "placed" })
  ]
})

const lineRestored = (rows: OrderRows, placedAtMs: number): Detour => {
  const line = lastLine(rows)
  return {
    placed: rows,
    events: [
      deletion(line, placedAtMs + minuteMs),
      { ...addition(line, placedAtMs + 2 * minuteMs), kind: "line restored" }
    ]
  }
}

const lineAdded = (rows: OrderRows, placedAtMs: number): Detour => {
  const line = lastLine(rows)
  return {
    placed: {
      order: { ...rows.order, total_minor: rows.order.total_minor - line.amount_minor },
      lines: rows.lines.slice(0, -1)
    },
    events: [addition(line, placedAtMs + 2 * minuteMs)]
  }
}

const lineTooMany = (rows: OrderRows, placedAtMs: number): Detour => {
  const last = lastLine(rows)
  const extra = { ...last, line_no: last.line_no + 1 }
  return {
    placed: {
      order: { ...rows.order, total_minor: rows.order.total_minor + extra.amount_minor },
      lines: [...rows.lines, extra]
    },
    events: [deletion(extra, placedAtMs + 2 * minuteMs)]
  }
}

/** A late change: the quantity is put right a day after the order was placed, whatever has become of it. */
const corrected = (rows: OrderRows, placedAtMs: number): Detour => {
  const right = lastLine(rows)
  const wrong = { ...right, quantity: right.quantity + 1, amount_minor: right.amount_minor + right.unit_price_minor }
  const atMs = placedAtMs + 24 * hourMs
  return {
    placed: {
      order: { ...rows.order, total_minor: rows.order.total_minor + right.unit_price_minor },
      lines: [...rows.lines.slice(0, -1), wrong]
    },
    events: [
      {
        atMs,
        kind: "quantity corrected",
        statements: [
          {
            text: "update order_lines set quantity = $1, amount_minor = $2, updated_at = $3 where order_id = $4 and line_no = $5",
            values: [right.quantity, right.amount_minor, iso(atMs), right.order_id, right.line_no]
          },
          addToTotal(right.order_id, -right.unit_price_minor, atMs)
        ]
      }
    ]
  }
}

const rewritten = (rows: OrderRows, placedAtMs: number, random: Random.Random): ReadonlyArray<ShopEvent> => {
  if (rows.order.notes === null || random.nextDoubleUnsafe() < 0.5) return []
  const atMs = placedAtMs + 2 * hourMs
  return [
    {
      atMs,
      kind: "notes changed",
      statements: [
        {
          text: "update orders set notes = $1, updated_at = $2 where id = $3",
          values: [Notes.draw(random), iso(atMs), rows.order.id]
        }
      ]
    }
  ]
}

/** Orders of the data set are never empty. */
const lastLine = (rows: OrderRows): OrderRows["lines"][number] => rows.lines.at(-1) as OrderRows["lines"][number]

const addition = (line: OrderRows["lines"][number], atMs: number): ShopEvent => ({
  atMs,
  kind: "line added",
  statements: [
    insert(orderLines, [{ ...line, updated_at: iso(atMs) }]),
    addToTotal(line.order_id, line.amount_minor, atMs)
  ]
})

const deletion = (line: OrderRows["lines"][number], atMs: number): ShopEvent => ({
  atMs,
  kind: "line deleted",
  statements: [
    { text: "delete from order_lines where order_id = $1 and line_no = $2", values: [line.order_id, line.line_no] },
    addToTotal(line.order_id, -line.amount_minor, atMs)
  ]
})

const addToTotal = (orderId: bigint, minor: bigint, atMs: number): Statement => ({
  text: "update orders set total_minor = total_minor + $1, updated_at = $2 where id = $3",
  values: [minor, iso(atMs), orderId]
})
