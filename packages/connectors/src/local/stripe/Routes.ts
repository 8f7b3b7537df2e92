import { Result } from "effect"
import { deleted, expand, listed, urlOf } from "./Expand.ts"
import * as Form from "./Form.ts"
import { shown } from "./Ledger.ts"
import * as Lists from "./Lists.ts"
import type { Kind } from "./Objects.ts"
import * as Payments from "./Payments.ts"
import * as Refunds from "./Refunds.ts"
import { type Answered, missing } from "./Refused.ts"
import type { World } from "./World.ts"

/** The account that the API key belongs to. */
const account = "acct_northstar_local"

/** A request after its headers and encodings. */
export interface Call {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly form: Form.Form
  /** The API version that the caller asked for. */
  readonly version: string
}

/** Does what a request asks for. */
export const run = (world: World, call: Call): Answered<object> => {
  const [, root, plural = "", id, verb] = call.path.split("/")
  const kind = Lists.kinds[plural]
  if (root === "v1" && call.path === "/v1/balance" && call.method === "GET") return Result.succeed(balance(world))
  if (call.path === "/v1/account" && call.method === "GET") return Result.succeed({ id: account, object: "account" })
  if (root !== "v1" || kind === undefined) return unrecognised(call)
  const answer = answerOf(world, call, kind, id, verb)
  if (answer === undefined) return unrecognised(call)
  return Result.flatMap(answer, (object) => expand(world.state, object, call.form))
}

const answerOf = (
  world: World,
  call: Call,
  kind: Kind,
  id: string | undefined,
  verb: string | undefined
): Answered<object> | undefined => {
  if (call.method === "GET" && verb === undefined)
    return id === undefined ? list(world, kind, call) : retrieve(world, kind, id)
  if (call.method === "DELETE" && kind === "customer" && id !== undefined) {
    return Result.map(world.deleteCustomer(id), () => deleted(id))
  }
  if (call.method !== "POST") return undefined
  if (id === undefined) return create(world, kind, call.form)
  return verb === undefined ? update(world, kind, id, call.form) : act(world, kind, id, verb, call)
}

const list = (world: World, kind: Kind, call: Call): Answered<object> =>
  Result.map(Lists.page(world.state, kind, call.form), (page) => {
    const data = page.data.map((object) => shown(world.state, kind, object))
    return listed({ data, hasMore: page.hasMore }, urlOf(kind))
  })

const retrieve = (world: World, kind: Kind, id: string): Answered<object> => {
  const object = world.state.get(kind, id)
  if (object === undefined) return missing(kind, id, "id", 404)
  if (world.state.collections[kind].isRemoved(id)) return Result.succeed(deleted(id))
  return Result.succeed(shown(world.state, kind, object))
}

const create = (world: World, kind: Kind, form: Form.Form): Answered<object> | undefined => {
  if (kind === "customer") {
    const [email, name, metadata] = [Form.text(form, "email"), Form.text(form, "name"), Form.record(form, "metadata")]
    return Result.succeed(
      world.addCustomer({
        ...(email === undefined ? {} : { email }),
        ...(name === undefined ? {} : { name }),
        ...(metadata === undefined ? {} : { metadata })
      })
    )
  }
  if (kind === "refund") {
    return Refunds.create(world.state, {
      charge: Form.text(form, "charge"),
      paymentIntent: Form.text(form, "payment_intent"),
      amountMinor: Form.integer(form, "amount"),
      reason: Form.text(form, "reason"),
      metadata: Form.record(form, "metadata")
    })
  }
  if (kind !== "payment_intent") return undefined
  const intent = Payments.create(world.state, {
    amountMinor: Form.integer(form, "amount") ?? Number.NaN,
    currency: Form.text(form, "currency") ?? "",
    customer: Form.text(form, "customer"),
    capture: captureMethod(Form.text(form, "capture_method")),
    metadata: Form.record(form, "metadata"),
    description: Form.text(form, "description")
  })
  if (Form.text(form, "confirm") !== "true") return intent
  return Result.flatMap(intent, ({ id }) => confirm(world, id, form))
}

const captureMethod = (method: string | undefined) =>
  method === "manual" || method === "automatic" ? method : "automatic_async"

/** As with Stripe's test cards, `pm_card_chargeDeclined` is declined; that answer is an error of status 402. */
const confirm = (world: World, id: string, form: Form.Form): Answered<object> => {
  const isDeclined = Form.text(form, "payment_method") === "pm_card_chargeDeclined"
  return Result.flatMap(Payments.confirm(world.state, id, isDeclined ? "declined" : "succeeded"), (charge) => {
    if (!isDeclined) return retrieve(world, "payment_intent", id)
    const message = "Your card was declined."
    const decline_code = "generic_decline"
    return Result.fail({
      status: 402,
      type: "card_error",
      code: "card_declined",
      decline_code,
      message,
      charge: charge.id
    })
  })
}

const act = (
  world: World,
  kind: Kind,
  id: string,
  verb: string,
  { form, version }: Call
): Answered<object> | undefined => {
  if (kind !== "payment_intent") return undefined
  if (verb === "confirm") return confirm(world, id, form)
  if (verb === "cancel") {
    return Payments.cancel(world.state, id, Form.text(form, "cancellation_reason") ?? "requested_by_customer")
  }
  if (verb !== "capture") return undefined
  const amountMinor = Form.integer(form, "amount_to_capture")
  const isReversing = version !== "" && version < "2025-03-31"
  return Result.flatMap(Payments.capture(world.state, id, { amountMinor, isReversing }), () =>
    retrieve(world, "payment_intent", id)
  )
}

const updatable: Partial<Record<Kind, string>> = {
  charge: "charge.updated",
  customer: "customer.updated",
  dispute: "charge.dispute.updated",
  payout: "payout.updated",
  refund: "refund.updated"
}

/** Only metadata; an intent's change has no event, as with Stripe. */
const update = (world: World, kind: Kind, id: string, form: Form.Form): Answered<object> | undefined => {
  const object = world.state.get(kind, id)
  if (object === undefined) return missing(kind, id, "id", 404)
  if (!("metadata" in object)) return undefined
  const metadata = { ...object.metadata, ...Form.record(form, "metadata") }
  return Result.succeed(world.state.change(kind, id, { metadata }, [updatable[kind] ?? []].flat()))
}

const balance = (world: World): object => {
  const parts = (name: "available" | "pending") =>
    [...world.balance()].map(([currency, amounts]) => {
      const amount = amounts[name]
      return { amount, currency, source_types: { card: amount } }
    })
  return { object: "balance", available: parts("available"), livemode: false, pending: parts("pending") }
}

const unrecognised = ({ method, path }: Call): Answered<never> => {
  const message = `Unrecognized request URL (${method}: ${path}).`
  return Result.fail({ status: 404, type: "invalid_request_error", message })
}
