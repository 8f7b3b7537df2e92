import { Result } from "effect"
import type { Stripe } from "stripe"
import * as Ledger from "./Ledger.ts"
import * as MoneyObjects from "./MoneyObjects.ts"
import { type Answered, missing, refused } from "./Refused.ts"
import { idOf, type State } from "./State.ts"

/** A refund to be made, of a charge or of an intent's last charge. */
export interface RefundInput {
  readonly charge?: string | undefined
  readonly paymentIntent?: string | undefined
  /** Minor units of the charge's currency; default: what is left of it. */
  readonly amountMinor?: number | undefined
  readonly reason?: Stripe.Refund.Reason | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** A pending refund is settled by `settle`; one that waits for funds has no balance transaction until then. */
  readonly pending?: "processing" | "insufficient_funds" | undefined
}

export const create = (state: State, input: RefundInput): Answered<Stripe.Refund> => {
  const intent = input.paymentIntent === undefined ? undefined : state.get("payment_intent", input.paymentIntent)
  if (input.paymentIntent !== undefined && intent === undefined) {
    return missing("payment_intent", input.paymentIntent, "payment_intent", 400)
  }
  const id = input.charge ?? idOf(intent?.latest_charge) ?? ""
  const charge = state.get("charge", id)
  if (charge === undefined) return missing("charge", id, "charge", 400)
  const left = charge.amount_captured - returned(state, charge)
  const amount = input.amountMinor ?? left
  const problem = refusal(state, charge, amount, left)
  if (problem !== undefined) return problem
  const refund = state.add("refund", {
    ...MoneyObjects.refund({
      id: state.id("re"),
      created: state.now,
      amount,
      currency: charge.currency,
      charge: id,
      payment_intent: idOf(charge.payment_intent),
      customer: idOf(charge.customer),
      payment_method: charge.payment_method,
      reason: input.reason ?? null,
      metadata: { ...input.metadata }
    }),
    ...(input.pending === undefined ? { status: "succeeded" } : { pending_reason: input.pending })
  })
  const isBooked = input.pending !== "insufficient_funds"
  const booked = isBooked ? state.change("refund", refund.id, book(state, refund), []) : refund
  state.emit("refund.created", booked)
  addRefunded(state, charge, amount)
  return Result.succeed(booked)
}

/** Ends a pending refund, or lets one that succeeded fail as late as banks do: then the money comes back to the balance. */
export const settle = (state: State, id: string, outcome: "succeeded" | "failed"): Answered<Stripe.Refund> => {
  const refund = state.get("refund", id)
  if (refund === undefined) return missing("refund", id, "id", 404)
  const isOpen = refund.status === "pending" || (refund.status === "succeeded" && outcome === "failed")
  if (!isOpen) return refused("status_transition_invalid", `A refund that is ${refund.status} cannot be ${outcome}`)
  const { pending_reason: _, ...settled } = refund
  state.replace("refund", settled)
  if (outcome === "succeeded") {
    const booked = refund.balance_transaction === null ? book(state, refund) : {}
    return Result.succeed(state.change("refund", id, { status: "succeeded", ...booked }, updated))
  }
  const failure =
    refund.balance_transaction === null
      ? {}
      : { failure_balance_transaction: Ledger.post(state, { ...entryOf(refund, 1), ...failureTypes }).id }
  const patch = { status: "failed", failure_reason: "expired_or_canceled_card", ...failure }
  const failed = state.change("refund", id, patch, [...updated, "refund.failed"])
  const charge = state.get("charge", idOf(refund.charge) ?? "")
  if (charge !== undefined) {
    const amount_refunded = charge.amount_refunded - refund.amount
    state.change("charge", charge.id, { amount_refunded, refunded: false }, ["charge.updated"])
  }
  return Result.succeed(failed)
}

/** The refund object with which API versions before 2025-03-31 release the rest of a partial capture; tells its amount. */
export const reverse = (state: State, charge: Stripe.Charge, amount: number): number => {
  state.reversed.set(charge.id, amount)
  const refund = MoneyObjects.refund({
    id: state.id("re"),
    created: state.now,
    amount,
    currency: charge.currency,
    charge: charge.id,
    payment_intent: idOf(charge.payment_intent),
    customer: idOf(charge.customer),
    payment_method: charge.payment_method,
    reason: null,
    metadata: {}
  })
  const entry = { ...entryOf(refund, -1), category: "partial_capture_reversal" }
  const balance_transaction = Ledger.post(state, { ...entry, availableOn: Ledger.availableOn(state) }).id
  state.emit("refund.created", state.add("refund", { ...refund, balance_transaction, status: "succeeded" }))
  return amount
}

const updated = ["refund.updated", "charge.refund.updated"]

const failureTypes = { type: "refund_failure", category: "refund_failure" } as const

/** What went back to the card of what was captured: the rest that `reverse` released was never captured. */
const returned = (state: State, charge: Stripe.Charge): number =>
  charge.amount_refunded - (state.reversed.get(charge.id) ?? 0)

const refusal = (state: State, charge: Stripe.Charge, amount: number, left: number): Answered<never> | undefined => {
  if (charge.disputed && isCharged(state, charge)) {
    return refused("charge_disputed", `Charge ${charge.id} has been charged back; cannot issue a refund.`)
  }
  if (!charge.captured) return refused("charge_not_refundable", `Charge ${charge.id} has not been captured.`)
  if (left <= 0) return refused("charge_already_refunded", `Charge ${charge.id} has already been refunded.`)
  if (!Number.isSafeInteger(amount) || amount <= 0 || amount > left) {
    return refused(
      "amount_too_large",
      `Refund amount (${amount}) is greater than unrefunded amount (${left})`,
      "amount"
    )
  }
  return undefined
}

/** An inquiry moves no money and leaves the charge refundable. */
const isCharged = (state: State, charge: Stripe.Charge): boolean =>
  state.collections.dispute
    .page({ limit: 10, createdFrom: 0, createdThrough: Infinity, where: [["charge", [charge.id]]] }, Infinity)
    .data.some((dispute) => !dispute.is_charge_refundable)

const addRefunded = (state: State, charge: Stripe.Charge, amount: number): void => {
  const amount_refunded = charge.amount_refunded + amount
  const refunded = returned(state, { ...charge, amount_refunded }) >= charge.amount_captured
  state.change("charge", charge.id, { amount_refunded, refunded }, ["charge.refunded"])
}

const book = (state: State, refund: Stripe.Refund): { readonly balance_transaction: string } => ({
  balance_transaction: Ledger.post(state, entryOf(refund, -1)).id
})

const entryOf = (refund: Stripe.Refund, sign: 1 | -1): Ledger.Entry => ({
  type: "refund",
  category: "refund",
  amount: sign * refund.amount,
  currency: refund.currency,
  source: refund.id,
  description: "REFUND FOR CHARGE"
})
