import type { Stripe } from "stripe"

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

type RefundInput = Born &
  Money & {
    readonly charge: string
    readonly payment_intent: string | null
    readonly customer: string | null
    readonly payment_method: string | null
    readonly reason: Stripe.Refund.Reason | null
    readonly metadata: Record<string, string>
  }

export const refund = (input: RefundInput): Stripe.Refund => ({
  ...input,
  object: "refund",
  balance_transaction: null,
  customer_account: null,
  destination_details: {
    type: "card",
    card: { reference_status: "pending", reference_type: "acquirer_reference_number", type: "refund" }
  },
  receipt_number: null,
  source_transfer_reversal: null,
  status: "pending",
  transfer_reversal: null
})

type DisputeInput = Born &
  Money & {
    readonly charge: string
    readonly payment_intent: string | null
    readonly reason: string
    readonly brand: string
    readonly isInquiry: boolean
  }

export const dispute = ({ brand, isInquiry, ...input }: DisputeInput): Stripe.Dispute => ({
  ...input,
  object: "dispute",
  balance_transactions: [],
  enhanced_eligibility_types: [],
  evidence: noEvidence,
  evidence_details: {
    due_by: input.created + 9 * 86_400,
    enhanced_eligibility: {},
    has_evidence: false,
    past_due: false,
    submission_count: 0,
    submission_method: "not_submitted"
  },
  intended_submission_method: null,
  is_charge_refundable: isInquiry,
  livemode: false,
  metadata: {},
  payment_method_details: {
    type: "card",
    card: { brand, case_type: isInquiry ? "inquiry" : "chargeback", network: brand, network_reason_code: "83" }
  },
  status: isInquiry ? "warning_needs_response" : "needs_response"
})

const noEvidence: Stripe.Dispute.Evidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null
}

type PayoutInput = Born &
  Money & { readonly arrival_date: number; readonly automatic: boolean; readonly method: "standard" | "instant" }

export const payout = (input: PayoutInput): Stripe.Payout => ({
  ...input,
  object: "payout",
  application_fee: null,
  application_fee_amount: null,
  balance_transaction: null,
  description: input.automatic ? "STRIPE PAYOUT" : null,
  destination: "ba_1NorthstarRetailSettlement",
  failure_balance_transaction: null,
  failure_code: null,
  failure_message: null,
  livemode: false,
  metadata: {},
  original_payout: null,
  payout_method: null,
  reconciliation_status: input.automatic ? "in_progress" : "not_applicable",
  reversed_by: null,
  source_type: "card",
  statement_descriptor: null,
  status: "pending",
  trace_id: null,
  type: "bank_account"
})

type TransactionInput = Born &
  Money & {
    readonly available_on: number
    readonly description: string | null
    readonly exchange_rate: number | null
    readonly fee: number
    readonly reporting_category: string
    readonly source: string
    readonly type: Stripe.BalanceTransaction.Type
  }

/** `status` is that of the moment of creation: it is derived from `available_on` whenever the object is shown. */
export const balanceTransaction = (input: TransactionInput): Stripe.BalanceTransaction => ({
  ...input,
  object: "balance_transaction",
  balance_type: "payments",
  fee_details:
    input.fee === 0
      ? []
      : [
          {
            amount: input.fee,
            application: null,
            currency: input.currency,
            description: input.type === "charge" ? "Stripe processing fees" : "Dispute fee",
            type: "stripe_fee"
          }
        ],
  net: input.amount - input.fee,
  status: "pending"
})

interface EventInput extends Born {
  readonly type: string
  readonly apiVersion: string
  readonly object: object
  readonly previous: object | undefined
  readonly request: Stripe.EventBase["request"]
}

export const event = (input: EventInput): Stripe.EventBase => ({
  id: input.id,
  object: "event",
  api_version: input.apiVersion,
  created: input.created,
  data: { object: input.object, ...(input.previous === undefined ? {} : { previous_attributes: input.previous }) },
  livemode: false,
  pending_webhooks: 0,
  request: input.request,
  // The package's union of event names is closed, ours are written out where they are emitted.
  type: input.type as Stripe.EventBase["type"]
})
