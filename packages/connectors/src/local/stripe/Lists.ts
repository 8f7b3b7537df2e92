import { Result } from "effect"
import type { Page, PageQuery } from "./Collection.ts"
import * as Form from "./Form.ts"
import type { Kind, Shapes } from "./Objects.ts"
import { type Answered, missing, refused } from "./Refused.ts"
import type { State } from "./State.ts"

/** The plural under which a type has its routes. */
export const kinds: Readonly<Record<string, Kind>> = {
  charges: "charge",
  payment_intents: "payment_intent",
  refunds: "refund",
  disputes: "dispute",
  payouts: "payout",
  balance_transactions: "balance_transaction",
  customers: "customer",
  events: "event"
}

const filters: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  charge: ["customer", "payment_intent"],
  payment_intent: ["customer"],
  refund: ["charge", "payment_intent"],
  dispute: ["charge", "payment_intent"],
  payout: ["status"],
  balance_transaction: ["currency", "payout", "source", "type"],
  customer: ["email"],
  event: ["type", "types"]
}

const common = new Set(["limit", "starting_after", "ending_before", "created", "expand"])

const eventsKeptSeconds = 30 * 86_400

/** One page of a type's list, newest first; of events only those of the last 30 days. */
export const page = <K extends Kind>(state: State, kind: K, form: Form.Form): Answered<Page<Shapes[K]>> => {
  const unknown = Object.keys(form).find((name) => !common.has(name) && !filters[kind].includes(name))
  if (unknown !== undefined) return refused("parameter_unknown", `Received unknown parameter: ${unknown}`, unknown)
  const limit = Form.integer(form, "limit") ?? 10
  if (!(limit >= 1 && limit <= 100)) {
    return refused("parameter_invalid_integer", "This value must be between 1 and 100 (inclusive).", "limit")
  }
  const collection = state.collections[kind]
  for (const name of ["starting_after", "ending_before"]) {
    const cursor = Form.text(form, name)
    if (cursor !== undefined && collection.get(cursor) === undefined) return missing(kind, cursor, name, 400)
  }
  const types = Form.list(form, "types")
  if (types.length > 20) return refused("parameter_invalid", "You may pass up to 20 event types.", "types")
  const range = createdRange(form)
  if (range === undefined) return refused("parameter_invalid_integer", "Invalid timestamp in created", "created")
  const oldest = kind === "event" ? state.now - eventsKeptSeconds : 0
  const query: PageQuery = {
    limit,
    startingAfter: Form.text(form, "starting_after"),
    endingBefore: Form.text(form, "ending_before"),
    createdFrom: Math.max(range.from, oldest),
    createdThrough: range.through,
    where: filters[kind].flatMap((name) => {
      const values = Form.list(form, name)
      return values.length === 0 ? [] : [[name === "types" ? "type" : name, values] as const]
    })
  }
  return Result.succeed(collection.page(query, state.nowMs))
}

/** `created=1` or `created[gt|gte|lt|lte]=1` as an inclusive range. */
const createdRange = (form: Form.Form): { readonly from: number; readonly through: number } | undefined => {
  const created = form["created"]
  if (created === undefined) return { from: 0, through: Infinity }
  if (typeof created === "string") {
    const at = Form.integer(form, "created") ?? Number.NaN
    return Number.isNaN(at) ? undefined : { from: at, through: at }
  }
  const bound = (name: string, shift: number, otherwise: number) => {
    const value = Form.integer(created, name)
    return value === undefined ? otherwise : value + shift
  }
  const from = Math.max(bound("gte", 0, 0), bound("gt", 1, 0))
  const through = Math.min(bound("lte", 0, Infinity), bound("lt", -1, Infinity))
  return Number.isNaN(from) || Number.isNaN(through) ? undefined : { from, through }
}
