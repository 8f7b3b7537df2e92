import * as Check from "@northstar/core/Check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"

/**
 * Stripe's objects as curated tables. Amounts are integer minor units of the `currency` beside them, lower-case ISO 4217
 * as Stripe writes it; zero- and three-decimal currencies are among them, so nothing here divides by 100. Stripe's days are
 * UTC days. Names before `renamedFrom` are the shop's, behind it Stripe's paths.
 */
const zone = "UTC"

const created = Column.renamedFrom(Column.timestamptz, "created")
const amount = Column.renamedFrom(Column.int64, "amount")
/** The shop writes the order's number into every payment it makes. */
const orderNumber = Column.renamedFrom(Column.nullable(Column.text), "metadata.order_id")
const money = [{ amount: "amount_minor", currency: "currency" }] as const
const currency = Check.notNull("currency", "block")

/** Every movement of the Stripe balance: the ledger that payouts tie out to. `kind` is Stripe's `reporting_category`. */
export const paymentEvents = Table.make("fct_payment_event", {
  source: "stripe.balance_transactions",
  columns: {
    id: Column.text,
    kind: Column.renamedFrom(Column.text, "reporting_category"),
    type: Column.text,
    /** The charge, refund, dispute, payout or fee that moved the money. */
    source_id: Column.renamedFrom(Column.nullable(Column.text), "source"),
    amount_minor: amount,
    fee_minor: Column.renamedFrom(Column.int64, "fee"),
    net_minor: Column.renamedFrom(Column.int64, "net"),
    /** Of the settlement, not of the order. */
    currency: Column.text,
    /** Settlement per presentment unit; NULL where no currency was changed. Text: Stripe's own digits. */
    exchange_rate: Column.nullable(Column.text),
    created_at: created,
    /** When the money can be paid out. */
    available_at: Column.renamedFrom(Column.timestamptz, "available_on")
  },
  key: ["id"],
  event: { column: "created_at", zone },
  money,
  checks: [currency]
})

/** Payments of customers, as they stand: what was authorised, captured, given back. */
export const charges = Table.make("charge", {
  source: "stripe.charges",
  columns: {
    id: Column.text,
    payment_intent_id: Column.renamedFrom(Column.nullable(Column.text), "payment_intent"),
    stripe_customer_id: Column.renamedFrom(Column.nullable(Column.text), "customer"),
    order_number: orderNumber,
    amount_minor: amount,
    captured_minor: Column.renamedFrom(Column.int64, "amount_captured"),
    refunded_minor: Column.renamedFrom(Column.int64, "amount_refunded"),
    currency: Column.text,
    status: Column.text,
    is_captured: Column.renamedFrom(Column.boolean, "captured"),
    is_disputed: Column.renamedFrom(Column.boolean, "disputed"),
    balance_transaction_id: Column.renamedFrom(Column.nullable(Column.text), "balance_transaction"),
    card_brand: Column.renamedFrom(Column.nullable(Column.text), "payment_method_details.card.brand"),
    card_last4: Column.renamedFrom(Column.nullable(Column.text), "payment_method_details.card.last4"),
    created_at: created
  },
  key: ["id"],
  event: { column: "created_at", zone },
  money,
  checks: [currency, Check.between("amount_minor", { min: "0" })]
})

/** What became of the attempts to pay. */
export const paymentIntents = Table.make("payment_intent", {
  source: "stripe.payment_intents",
  columns: {
    id: Column.text,
    order_number: orderNumber,
    stripe_customer_id: Column.renamedFrom(Column.nullable(Column.text), "customer"),
    amount_minor: amount,
    received_minor: Column.renamedFrom(Column.int64, "amount_received"),
    currency: Column.text,
    status: Column.text,
    created_at: created
  },
  key: ["id"],
  event: { column: "created_at", zone },
  money,
  checks: [currency]
})

/** Money given back, or being given back: each refund is a row of its own, several of one charge included. */
export const refunds = Table.make("fct_refund", {
  source: "stripe.refunds",
  columns: {
    id: Column.text,
    charge_id: Column.renamedFrom(Column.nullable(Column.text), "charge"),
    payment_intent_id: Column.renamedFrom(Column.nullable(Column.text), "payment_intent"),
    amount_minor: amount,
    currency: Column.text,
    reason: Column.nullable(Column.text),
    /** `succeeded` counts; `pending`, `failed` and `canceled` do not. */
    status: Column.nullable(Column.text),
    pending_reason: Column.nullable(Column.text),
    failure_reason: Column.nullable(Column.text),
    balance_transaction_id: Column.renamedFrom(Column.nullable(Column.text), "balance_transaction"),
    failure_balance_transaction_id: Column.renamedFrom(Column.nullable(Column.text), "failure_balance_transaction"),
    created_at: created
  },
  key: ["id"],
  event: { column: "created_at", zone },
  money,
  checks: [currency, Check.between("amount_minor", { min: "0" })]
})

/** Payments that customers contest with their bank. What it cost or brought back stands in `fct_payment_event`. */
export const disputes = Table.make("fct_dispute", {
  source: "stripe.disputes",
  columns: {
    id: Column.text,
    charge_id: Column.renamedFrom(Column.text, "charge"),
    amount_minor: amount,
    currency: Column.text,
    reason: Column.text,
    status: Column.text,
    evidence_due_at: Column.renamedFrom(Column.nullable(Column.timestamptz), "evidence_details.due_by"),
    created_at: created
  },
  key: ["id"],
  event: { column: "created_at", zone },
  money,
  checks: [currency]
})

/** Money that Stripe sends to the bank. */
export const payouts = Table.make("fct_payout", {
  source: "stripe.payouts",
  columns: {
    id: Column.text,
    amount_minor: amount,
    currency: Column.text,
    status: Column.text,
    method: Column.text,
    /** Only automatic payouts name what they are made of. */
    is_automatic: Column.renamedFrom(Column.boolean, "automatic"),
    reconciliation_status: Column.text,
    failure_code: Column.nullable(Column.text),
    balance_transaction_id: Column.renamedFrom(Column.nullable(Column.text), "balance_transaction"),
    /** When the bank should have it. */
    arrival_at: Column.renamedFrom(Column.timestamptz, "arrival_date"),
    created_at: created
  },
  key: ["id"],
  event: { column: "created_at", zone },
  money,
  checks: [currency]
})

/** Everything that is captured of Stripe. */
export const all = [paymentEvents, charges, paymentIntents, refunds, disputes, payouts] as const

/** Those whose every version finance looks back on. */
export const facts = [paymentEvents, refunds, disputes, payouts] as const
