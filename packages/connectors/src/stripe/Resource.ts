import type { Stripe } from "stripe"

/** A page of a list as the `stripe` package asks for it. */
export interface PageRequest {
  readonly limit: number
  readonly created: { readonly gte: number; readonly lte: number }
  readonly starting_after?: string
}

/** One type of Stripe's objects. */
export interface Resource {
  /** What Stripe calls the object, also where another object refers to it. */
  readonly object: string
  /** The permission that a restricted key needs, as the dashboard and as Stripe's errors name it. */
  readonly permission: string
  readonly list: (stripe: Stripe, page: PageRequest) => Promise<unknown>
  readonly retrieve: (stripe: Stripe, id: string) => Promise<unknown>
  /**
   * Types of events after which the object, or the one their object refers to, is another; at most 20. Empty for
   * objects that never change.
   */
  readonly events: ReadonlyArray<string>
  /** Fields that change although the object is an entry of a ledger: they cannot be captured. */
  readonly changing: ReadonlyArray<string>
  /** Whether the object can be deleted: then sweeps look for those that they no longer meet. */
  readonly isDeletable: boolean
}

const mutable = { changing: [], isDeletable: false }
const disputes = ["closed", "created", "funds_reinstated", "funds_withdrawn", "updated"].map(
  (name) => `charge.dispute.${name}`
)
const refunds = ["charge.refund.updated", "refund.created", "refund.failed", "refund.updated"]
const of = (object: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.map((name) => `${object}.${name}`)

/** What can be captured, by the name of the table at the source. */
export const resources: ReadonlyMap<string, Resource> = new Map<string, Resource>([
  [
    "stripe.charges",
    {
      ...mutable,
      object: "charge",
      permission: "Charges and Refunds: Read (rak_charge_read)",
      list: (stripe, page) => stripe.charges.list(page),
      retrieve: (stripe, id) => stripe.charges.retrieve(id),
      // A refund and a dispute change their charge, which need not get an event of its own.
      events: [
        ...of("charge", ["captured", "expired", "failed", "pending", "refunded", "succeeded", "updated"]),
        ...disputes,
        ...refunds
      ]
    }
  ],
  [
    "stripe.payment_intents",
    {
      ...mutable,
      object: "payment_intent",
      permission: "Payment Intents: Read (rak_payment_intent_read)",
      list: (stripe, page) => stripe.paymentIntents.list(page),
      retrieve: (stripe, id) => stripe.paymentIntents.retrieve(id),
      events: [
        ...of("payment_intent", ["amount_capturable_updated", "canceled", "created", "partially_funded"]),
        ...of("payment_intent", ["payment_failed", "processing", "requires_action", "succeeded"]),
        ...of("charge", ["captured", "failed", "succeeded"])
      ]
    }
  ],
  [
    "stripe.refunds",
    {
      ...mutable,
      object: "refund",
      permission: "Charges and Refunds: Read (rak_charge_read)",
      list: (stripe, page) => stripe.refunds.list(page),
      retrieve: (stripe, id) => stripe.refunds.retrieve(id),
      events: refunds
    }
  ],
  [
    "stripe.disputes",
    {
      ...mutable,
      object: "dispute",
      permission: "Disputes: Read (rak_dispute_read)",
      list: (stripe, page) => stripe.disputes.list(page),
      retrieve: (stripe, id) => stripe.disputes.retrieve(id),
      events: disputes
    }
  ],
  [
    "stripe.payouts",
    {
      ...mutable,
      object: "payout",
      permission: "Payouts: Read (rak_payout_read)",
      list: (stripe, page) => stripe.payouts.list(page),
      retrieve: (stripe, id) => stripe.payouts.retrieve(id),
      events: of("payout", ["canceled", "created", "failed", "paid", "reconciliation_completed", "updated"])
    }
  ],
  [
    "stripe.balance_transactions",
    {
      object: "balance_transaction",
      permission: "Balance: Read (rak_balance_read)",
      list: (stripe, page) => stripe.balanceTransactions.list(page),
      retrieve: (stripe, id) => stripe.balanceTransactions.retrieve(id),
      events: [],
      // `pending` becomes `available` without an event; `available_on` says when.
      changing: ["status"],
      isDeletable: false
    }
  ],
  [
    "stripe.customers",
    {
      object: "customer",
      permission: "Customers: Read (rak_customer_read)",
      list: (stripe, page) => stripe.customers.list(page),
      retrieve: (stripe, id) => stripe.customers.retrieve(id),
      events: of("customer", ["created", "deleted", "updated"]),
      changing: [],
      isDeletable: true
    }
  ]
])

/** Whether the objects are entries of a ledger: written once, so that their creation is their version. */
export const isLedger = ({ events }: Resource): boolean => events.length === 0
