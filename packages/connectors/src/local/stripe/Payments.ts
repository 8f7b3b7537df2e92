import { Result } from "effect"
import type { Stripe } from "stripe"
import * as Ledger from "./Ledger.ts"
import * as Objects from "./Objects.ts"
import { reverse } from "./Refunds.ts"
import { type Answered, missing, refused } from "./Refused.ts"
import { decimals } from "./Settings.ts"
import { idOf, type State } from "./State.ts"

/** A payment to be made. */
export interface PaymentInput {
  /** Goes into `metadata.order_id` of the intent and its charges. */
  readonly orderId?: string | undefined
  /** Minor units of `currency`. */
  readonly amountMinor: number
  /** ISO code; of three-decimal currencies the last digit of the amount must be 0. */
  readonly currency: string
  readonly customer?: string | null | undefined
  /** `automatic_async`: the charge's balance transaction follows after 30 s. `manual`: only authorised. Default: `automatic`. */
  readonly capture?: "automatic" | "automatic_async" | "manual" | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  readonly description?: string | undefined
}

export interface Billing {
  readonly name?: string | undefined
  readonly email?: string | undefined
}

export type Outcome = "succeeded" | "declined"

/** Creates an intent that waits for a payment method. */
export const create = (state: State, input: PaymentInput): Answered<Stripe.PaymentIntent> => {
  const currency = input.currency.toLowerCase()
  if (!Number.isSafeInteger(input.amountMinor) || input.amountMinor <= 0 || input.amountMinor > 99_999_999) {
    return refused(
      "parameter_invalid_integer",
      "This value must be a positive integer of at most eight digits",
      "amount"
    )
  }
  if (!/^[a-z]{3}$/.test(currency)) return refused("invalid_currency", `Invalid currency: ${currency}`, "currency")
  if (decimals(currency) === 3 && input.amountMinor % 10 !== 0) {
    return refused("invalid_amount", `The last digit of an amount in ${currency} must be 0`, "amount")
  }
  const customer = input.customer ?? null
  if (customer !== null && state.get("customer", customer) === undefined) {
    return missing("customer", customer, "customer", 400)
  }
  const order = input.orderId === undefined ? {} : { order_id: input.orderId }
  const intent = Objects.paymentIntent({
    id: state.id("pi"),
    created: state.now,
    amount: input.amountMinor,
    currency,
    customer,
    capture_method: input.capture ?? "automatic",
    metadata: { ...input.metadata, ...order },
    description: input.description ?? null
  })
  state.add("payment_intent", intent)
  state.emit("payment_intent.created", intent)
  return Result.succeed(intent)
}

/** Attempts to charge the intent; a declined attempt leaves its failed charge and the intent open for another. */
export const confirm = (state: State, id: string, outcome: Outcome, billing: Billing = {}): Answered<Stripe.Charge> => {
  const intent = state.get("payment_intent", id)
  if (intent === undefined) return missing("payment_intent", id, "intent", 404)
  if (intent.status !== "requires_payment_method") return unexpected(intent, "confirm")
  const method = state.id("pm")
  const charge = Objects.charge({
    id: state.id("ch"),
    created: state.now,
    amount: intent.amount,
    currency: intent.currency,
    customer: idOf(intent.customer),
    payment_intent: id,
    payment_method: method,
    card: cardOf(state),
    billing: { name: billing.name ?? null, email: billing.email ?? null },
    isDeclined: outcome === "declined",
    metadata: intent.metadata,
    description: intent.description
  })
  state.add("charge", charge)
  if (outcome === "declined") return Result.succeed(decline(state, charge))
  if (intent.capture_method === "manual") return Result.succeed(authorise(state, charge))
  const isLate = intent.capture_method === "automatic_async"
  const captured = { captured: true, amount_captured: charge.amount }
  const paid = state.change("charge", charge.id, isLate ? captured : { ...captured, ...book(state, charge) }, [])
  state.emit("charge.succeeded", paid)
  if (isLate) {
    state.schedule(state.nowMs + 30_000, () => {
      state.change("charge", charge.id, book(state, charge), ["charge.updated"])
    })
  }
  succeed(state, id, charge)
  return Result.succeed(paid)
}

/**
 * Takes an authorised amount or part of it. Since API version 2025-03-31 one balance transaction shows the captured
 * amount; a caller of an older version (`isReversing`) leaves the two of before: the full amount, and a refund object
 * with a `partial_capture_reversal` of the rest.
 */
export const capture = (
  state: State,
  id: string,
  options: { readonly amountMinor?: number | undefined; readonly isReversing?: boolean | undefined } = {}
): Answered<Stripe.Charge> => {
  const intent = state.get("payment_intent", id)
  if (intent === undefined) return missing("payment_intent", id, "intent", 404)
  const charge = state.get("charge", idOf(intent.latest_charge) ?? "")
  if (intent.status !== "requires_capture" || charge === undefined) return unexpected(intent, "capture")
  const amount = options.amountMinor ?? charge.amount
  if (!Number.isSafeInteger(amount) || amount <= 0 || amount > charge.amount) {
    return refused("amount_too_large", "The amount to capture is more than what was authorised", "amount_to_capture")
  }
  const rest = charge.amount - amount
  const isReversing = options.isReversing === true && rest > 0
  const booked = book(state, isReversing ? charge : { ...charge, amount })
  const reversed = isReversing ? { amount_refunded: reverse(state, charge, rest) } : {}
  const patch = { captured: true, amount_captured: amount, ...booked, ...reversed }
  const events = isReversing ? ["charge.captured", "charge.refunded"] : ["charge.captured"]
  const captured = state.change("charge", charge.id, patch, events)
  succeed(state, id, { ...captured, amount })
  return Result.succeed(captured)
}

/** Gives up an intent that is not paid; an authorisation is released without any balance transaction or refund. */
export const cancel = (
  state: State,
  id: string,
  reason: Stripe.PaymentIntent.CancellationReason
): Answered<Stripe.PaymentIntent> => {
  const intent = state.get("payment_intent", id)
  if (intent === undefined) return missing("payment_intent", id, "intent", 404)
  if (intent.status === "succeeded" || intent.status === "canceled") return unexpected(intent, "cancel")
  const charge = state.get("charge", idOf(intent.latest_charge) ?? "")
  if (reason === "expired" && charge !== undefined) state.emit("charge.expired", charge)
  const patch = {
    status: "canceled",
    canceled_at: state.now,
    cancellation_reason: reason,
    amount_capturable: 0
  } as const
  return Result.succeed(state.change("payment_intent", id, patch, ["payment_intent.canceled"]))
}

const decline = (state: State, charge: Stripe.Charge): Stripe.Charge => {
  state.emit("charge.failed", charge)
  const error = {
    charge: charge.id,
    code: "card_declined",
    decline_code: "generic_decline",
    message: "Your card was declined.",
    type: "card_error"
  } as const
  const patch = { latest_charge: charge.id, last_payment_error: error }
  state.change("payment_intent", idOf(charge.payment_intent) ?? "", patch, ["payment_intent.payment_failed"])
  return charge
}

const authorise = (state: State, charge: Stripe.Charge): Stripe.Charge => {
  const id = idOf(charge.payment_intent) ?? ""
  state.emit("charge.succeeded", charge)
  const patch = {
    status: "requires_capture",
    amount_capturable: charge.amount,
    latest_charge: charge.id,
    payment_method: charge.payment_method,
    last_payment_error: null
  } as const
  state.change("payment_intent", id, patch, ["payment_intent.amount_capturable_updated"])
  state.schedule(state.nowMs + authorisationMs, () => {
    if (state.get("payment_intent", id)?.status === "requires_capture") cancel(state, id, "expired")
  })
  return charge
}

/** Seven days, then an authorisation that was not captured is void. */
const authorisationMs = 7 * 86_400_000

const succeed = (state: State, id: string, charge: Stripe.Charge): void => {
  const patch = {
    status: "succeeded",
    amount_capturable: 0,
    amount_received: charge.amount,
    latest_charge: charge.id,
    payment_method: charge.payment_method,
    last_payment_error: null
  } as const
  state.change("payment_intent", id, patch, ["payment_intent.succeeded"])
}

const book = (state: State, charge: Stripe.Charge): { readonly balance_transaction: string } => {
  const { amount, currency, id: source, description } = charge
  const availableOn = Ledger.availableOn(state)
  const entry = { type: "charge", category: "charge", fee: "payment", amount, currency, source, description } as const
  return { balance_transaction: Ledger.post(state, { ...entry, availableOn }).id }
}

const unexpected = (intent: Stripe.PaymentIntent, verb: string): Answered<never> =>
  refused(
    "payment_intent_unexpected_state",
    `You cannot ${verb} this PaymentIntent because it has a status of ${intent.status}.`
  )

const cardOf = (state: State): Objects.Card => {
  const brand = (["visa", "mastercard", "amex"] as const)[Math.floor(state.random * 3)] ?? "visa"
  const last4 = String(Math.floor(state.random * 10_000)).padStart(4, "0")
  const expYear = 2027 + Math.floor(state.random * 5)
  return {
    brand,
    last4,
    expMonth: 1 + Math.floor(state.random * 12),
    expYear,
    fingerprint: state.id("fp").slice(3, 19)
  }
}
