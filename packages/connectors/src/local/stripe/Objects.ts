import type { Stripe } from "stripe"

/** The API version whose shapes this server speaks; written into events as the version that rendered them. */
export const apiVersion: Stripe.LatestApiVersion = "2026-10-28.endive"

/** The object of every list and retrieve route, by its `object` name. */
export interface Shapes {
  readonly charge: Stripe.Charge
  readonly payment_intent: Stripe.PaymentIntent
  readonly refund: Stripe.Refund
  readonly dispute: Stripe.Dispute
  readonly payout: Stripe.Payout
  readonly balance_transaction: Stripe.BalanceTransaction
  readonly customer: Stripe.Customer
  readonly event: Stripe.EventBase
}

/** The name of an object's type, as in its field `object`. */
export type Kind = keyof Shapes

/** What the shopper's card shows of itself; never its number. */
export interface Card {
  readonly brand: "visa" | "mastercard" | "amex"
  readonly last4: string
  readonly expMonth: number
  readonly expYear: number
  /** Stands for the card's number: two payments with one card have the same. */
  readonly fingerprint: string
}

interface Born {
  readonly id: string
  /** Unix seconds. */
  readonly created: number
}

interface Money {
  /** Minor units of `currency`. */
  readonly amount: number
  /** Lower-case ISO code. */
  readonly currency: string
}

interface Described {
  readonly metadata: Record<string, string>
  readonly description: string | null
}

type CustomerInput = Born & Described & { readonly email: string | null; readonly name: string | null }

export const customer = (input: CustomerInput): Stripe.Customer => ({
  ...input,
  object: "customer",
  address: null,
  balance: 0,
  customer_account: null,
  default_source: null,
  delinquent: false,
  discount: null,
  invoice_prefix: input.id.slice(-8).toUpperCase(),
  invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
  livemode: false,
  next_invoice_sequence: 1,
  phone: null,
  preferred_locales: [],
  shipping: null,
  tax_exempt: "none",
  test_clock: null
})

type IntentInput = Born &
  Money &
  Described & { readonly customer: string | null; readonly capture_method: "automatic" | "automatic_async" | "manual" }

export const paymentIntent = (input: IntentInput): Stripe.PaymentIntent => ({
  ...input,
  object: "payment_intent",
  allowed_payment_method_types: null,
  amount_capturable: 0,
  amount_received: 0,
  application: null,
  application_fee_amount: null,
  automatic_payment_methods: null,
  canceled_at: null,
  cancellation_reason: null,
  client_secret: `${input.id}_secret_local`,
  confirmation_method: "automatic",
  customer_account: null,
  excluded_payment_method_types: null,
  last_payment_error: null,
  latest_charge: null,
  livemode: false,
  managed_payments: null,
  next_action: null,
  on_behalf_of: null,
  payment_method: null,
  payment_method_configuration_details: null,
  payment_method_options: { card: cardOptions },
  payment_method_types: cardOnly,
  payment_record: null,
  processing: null,
  receipt_email: null,
  review: null,
  setup_future_usage: null,
  shipping: null,
  source: null,
  statement_descriptor: null,
  statement_descriptor_suffix: null,
  status: "requires_payment_method",
  transfer_data: null,
  transfer_group: null
})

// Shared by every intent: objects are never changed in place.
const cardOnly = ["card"]
const cardOptions: Stripe.PaymentIntent.PaymentMethodOptions.Card = {
  installments: null,
  mandate_options: null,
  network: null,
  request_three_d_secure: "automatic"
}

type ChargeInput = Born &
  Money &
  Described & {
    readonly customer: string | null
    readonly payment_intent: string
    readonly payment_method: string
    readonly card: Card
    readonly billing: { readonly name: string | null; readonly email: string | null }
    readonly isDeclined: boolean
  }

export const charge = ({ card, billing, isDeclined, ...input }: ChargeInput): Stripe.Charge => ({
  ...input,
  object: "charge",
  amount_captured: 0,
  amount_refunded: 0,
  application: null,
  application_fee: null,
  application_fee_amount: null,
  balance_transaction: null,
  billing_details: { address: null, phone: null, tax_id: null, ...billing },
  calculated_statement_descriptor: isDeclined ? null : "NORTHSTAR RETAIL",
  captured: false,
  disputed: false,
  failure_balance_transaction: null,
  failure_code: isDeclined ? "card_declined" : null,
  failure_message: isDeclined ? "Your card was declined." : null,
  fraud_details: {},
  livemode: false,
  on_behalf_of: null,
  outcome: isDeclined ? declined : authorised,
  paid: !isDeclined,
  payment_method_details: cardDetails(card, input.amount),
  receipt_email: null,
  receipt_number: null,
  receipt_url: isDeclined ? null : `https://pay.stripe.com/receipts/${input.id}`,
  refunded: false,
  review: null,
  shipping: null,
  source: null,
  source_transfer: null,
  statement_descriptor: null,
  statement_descriptor_suffix: null,
  status: isDeclined ? "failed" : "succeeded",
  transfer_data: null,
  transfer_group: null
})

const authorised: Stripe.Charge.Outcome = {
  advice_code: null,
  network_advice_code: null,
  network_decline_code: null,
  network_status: "approved_by_network",
  reason: null,
  risk_level: "normal",
  risk_score: 12,
  seller_message: "Payment complete.",
  type: "authorized"
}

const declined: Stripe.Charge.Outcome = {
  ...authorised,
  advice_code: "try_again_later",
  network_decline_code: "05",
  network_status: "declined_by_network",
  reason: "generic_decline",
  seller_message: "The bank did not return any further details with this decline.",
  type: "issuer_declined"
}

const cardDetails = (card: Card, amount: number): Stripe.Charge.PaymentMethodDetails => ({
  type: "card",
  card: {
    amount_authorized: amount,
    authorization_code: null,
    brand: card.brand,
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: "pass" },
    country: "US",
    electronic_commerce_indicator: null,
    exp_month: card.expMonth,
    exp_year: card.expYear,
    fingerprint: card.fingerprint,
    funding: "credit",
    installments: null,
    last4: card.last4,
    mandate: null,
    network: card.brand,
    network_transaction_id: null,
    regulated_status: "unregulated",
    three_d_secure: null,
    transaction_link_id: null,
    wallet: null
  }
})
