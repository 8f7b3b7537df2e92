import { Result } from "effect"
import type { Stripe } from "stripe"
import * as Ledger from "./Ledger.ts"
import * as MoneyObjects from "./MoneyObjects.ts"
import { type Answered, missing, refused } from "./Refused.ts"
import { idOf, type State } from "./State.ts"

/** A shopper's complaint to the bank about a charge. */
export interface DisputeInput {
  readonly charge: string
  /** Minor units of the charge's currency; default: all that was captured. */
  readonly amountMinor?: number | undefined
  /** Default `fraudulent`. */
  readonly reason?: string | undefined
  /** Only a question: moves no money unless it is escalated. */
  readonly isInquiry?: boolean | undefined
  /** The fee is a balance transaction of its own instead of a part of the withdrawal. */
  readonly hasFeeApart?: boolean | undefined
}

/** Opens a dispute; unless it is an inquiry the amount and the fee leave the balance at once. */
export const open = (state: State, input: DisputeInput): Answered<Stripe.Dispute> => {
  const charge = state.get("charge", input.charge)
  if (charge === undefined) return missing("charge", input.charge, "charge", 404)
  if (!charge.captured || charge.disputed) return refused("charge_invalid_parameter", "The charge cannot be disputed")
  const isInquiry = input.isInquiry === true
  const dispute = state.add(
    "dispute",
    MoneyObjects.dispute({
      id: state.id("du"),
      created: state.now,
      amount: input.amountMinor ?? charge.amount_captured,
      currency: charge.currency,
      charge: charge.id,
      payment_intent: idOf(charge.payment_intent),
      reason: input.reason ?? "fraudulent",
      brand: charge.payment_method_details?.card?.brand ?? "visa",
      isInquiry
    })
  )
  state.change("charge", charge.id, { disputed: true }, ["charge.updated"])
  if (isInquiry) {
    state.emit("charge.dispute.created", dispute)
    return Result.succeed(dispute)
  }
  const patch = { balance_transactions: withdraw(state, dispute, input.hasFeeApart === true) }
  return Result.succeed(
    state.change("dispute", dispute.id, patch, ["charge.dispute.created", "charge.dispute.funds_withdrawn"])
  )
}

/** Makes an inquiry a chargeback. */
export const escalate = (state: State, id: string): Answered<Stripe.Dispute> => {
  const dispute = state.get("dispute", id)
  if (dispute === undefined) return missing("dispute", id, "id", 404)
  if (!isInquiryOpen(dispute)) return closed(dispute)
  const patch = {
    status: "needs_response",
    is_charge_refundable: false,
    balance_transactions: withdraw(state, dispute, false)
  } as const
  return Result.succeed(
    state.change("dispute", id, patch, ["charge.dispute.updated", "charge.dispute.funds_withdrawn"])
  )
}

/** Sends the evidence: the bank decides next. */
export const answer = (state: State, id: string): Answered<Stripe.Dispute> => {
  const dispute = state.get("dispute", id)
  if (dispute === undefined) return missing("dispute", id, "id", 404)
  if (!isOpen(dispute)) return closed(dispute)
  const status = isInquiryOpen(dispute) ? "warning_under_review" : "under_review"
  const details = { has_evidence: true, submission_count: 1, submission_method: "manual" } as const
  const evidence_details = { ...dispute.evidence_details, ...details }
  return Result.succeed(state.change("dispute", id, { status, evidence_details }, ["charge.dispute.updated"]))
}

/** The bank's decision; of an inquiry both outcomes end it without money. A win gives the amount back, not the fee. */
export const resolve = (state: State, id: string, outcome: "won" | "lost"): Answered<Stripe.Dispute> => {
  const dispute = state.get("dispute", id)
  if (dispute === undefined) return missing("dispute", id, "id", 404)
  if (!isOpen(dispute)) return closed(dispute)
  if (isInquiryOpen(dispute)) {
    return Result.succeed(state.change("dispute", id, { status: "warning_closed" }, ["charge.dispute.closed"]))
  }
  if (outcome === "lost") {
    return Result.succeed(state.change("dispute", id, { status: "lost" }, ["charge.dispute.closed"]))
  }
  const reinstated = Ledger.post(state, { ...entryOf(dispute, 1), category: "dispute_reversal" })
  const balance_transactions = [...dispute.balance_transactions, reinstated]
  const events = ["charge.dispute.closed", "charge.dispute.funds_reinstated"]
  return Result.succeed(state.change("dispute", id, { status: "won", balance_transactions }, events))
}

const withdraw = (state: State, dispute: Stripe.Dispute, hasFeeApart: boolean): Array<Stripe.BalanceTransaction> => {
  const entry = entryOf(dispute, -1)
  if (!hasFeeApart) return [Ledger.post(state, { ...entry, fee: "dispute" })]
  const withdrawn = Ledger.post(state, entry)
  // The fee is in the currency of settlement already.
  const amount = -(state.settings.disputeFee[withdrawn.currency] ?? 0)
  const description = `Dispute fee (${dispute.id})`
  const currency = withdrawn.currency
  Ledger.post(state, { type: "stripe_fee", category: "fee", amount, currency, source: dispute.id, description })
  return [withdrawn]
}

const entryOf = (dispute: Stripe.Dispute, sign: 1 | -1): Ledger.Entry => ({
  type: "adjustment",
  category: "dispute",
  amount: sign * dispute.amount,
  currency: dispute.currency,
  source: dispute.id,
  description: `Chargeback ${sign === 1 ? "reversal" : "withdrawal"} for ${idOf(dispute.charge)}`
})

const isInquiryOpen = (dispute: Stripe.Dispute): boolean =>
  dispute.status === "warning_needs_response" || dispute.status === "warning_under_review"

const isOpen = (dispute: Stripe.Dispute): boolean =>
  isInquiryOpen(dispute) || dispute.status === "needs_response" || dispute.status === "under_review"

const closed = (dispute: Stripe.Dispute): Answered<never> =>
  refused("status_transition_invalid", `The dispute is ${dispute.status}`)
