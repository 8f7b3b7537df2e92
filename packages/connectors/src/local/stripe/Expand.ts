import { Result } from "effect"
import * as Form from "./Form.ts"
import { shown } from "./Ledger.ts"
import { kinds } from "./Lists.ts"
import type { Kind } from "./Objects.ts"
import { type Answered, refused } from "./Refused.ts"
import type { State } from "./State.ts"

type Fields = Record<string, unknown>

const prefixes: Readonly<Record<string, Kind>> = {
  ch: "charge",
  pi: "payment_intent",
  re: "refund",
  du: "dispute",
  po: "payout",
  txn: "balance_transaction",
  cus: "customer"
}

const depthMax = 4

/** Puts the objects in the place of their ids, along paths such as `data.source` or `latest_charge.balance_transaction`. */
export const expand = (state: State, answer: object, form: Form.Form): Answered<object> => {
  let expanded: unknown = answer
  for (const path of Form.list(form, "expand")) {
    const parts = path.split(".")
    if (parts.length > depthMax) {
      return refused("parameter_invalid", `You cannot expand more than ${depthMax} levels of a property`, "expand")
    }
    const outcome = along(state, expanded, parts)
    if (outcome === undefined)
      return refused("parameter_invalid", `This property cannot be expanded (${path}).`, "expand")
    expanded = outcome
  }
  return Result.succeed(expanded as object)
}

/** A copy with the path expanded, or `undefined` where the path leads to nothing that can be. */
const along = (state: State, value: unknown, path: ReadonlyArray<string>): unknown => {
  if (value === null) return null
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => along(state, item, path))
    return items.includes(undefined) ? undefined : items
  }
  const object = typeof value === "string" ? objectOf(state, value) : value
  const [name, ...rest] = path
  if (name === undefined) return object
  if (typeof object !== "object" || object === null) return undefined
  const fields = object as Fields
  const inner = name === "refunds" && fields["object"] === "charge" ? refundsOf(state, fields) : fields[name]
  // A refund without a failure has no such field at all.
  if (inner === undefined) return name === "failure_balance_transaction" ? object : undefined
  const next = along(state, inner, rest)
  return next === undefined ? undefined : { ...fields, [name]: next }
}

const objectOf = (state: State, id: string): object | undefined => {
  const kind = prefixes[id.slice(0, id.indexOf("_"))]
  if (kind === undefined) return undefined
  if (kind === "customer" && state.collections.customer.isRemoved(id)) return deleted(id)
  const object = state.get(kind, id)
  return object === undefined ? undefined : shown(state, kind, object)
}

/** What is left of a customer. */
export const deleted = (id: string) => ({ id, object: "customer", deleted: true }) as const

/** A charge shows its refunds only when asked to, at most ten. */
const refundsOf = (state: State, charge: Fields): object => {
  const where = [["charge", [String(charge["id"])]]] as const
  const query = { limit: 10, createdFrom: 0, createdThrough: Infinity, where }
  return listed(state.collections.refund.page(query, Infinity), `/v1/charges/${String(charge["id"])}/refunds`)
}

/** A list in the API's form. */
export const listed = (page: { readonly data: ReadonlyArray<object>; readonly hasMore: boolean }, url: string) => ({
  object: "list",
  data: page.data,
  has_more: page.hasMore,
  url
})

/** The route of a kind. */
export const urlOf = (kind: Kind): string => `/v1/${Object.keys(kinds).find((plural) => kinds[plural] === kind) ?? ""}`
