import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Stripe } from "stripe"
import { idOf } from "../../../src/local/stripe/State.ts"
import { answered, refused, server } from "./Client.ts"
import { dayMs, paid } from "./Histories.ts"

it.live("the package walks 250 charges, newest first, over a 503 that it retries", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { local, world, faults, stripe } = yield* server()
      for (let index = 0; index < 250; index += 1) {
        paid(world, { orderId: `order-${index}` })
        if (index % 7 === 0) world.advance(1000)
      }
      faults.refuse("unavailable", { path: "/v1/charges" })
      const charges = yield* answered(() => stripe.charges.list({ limit: 100 }).autoPagingToArray({ limit: 1000 }))
      assert.deepEqual(
        charges.map(({ id }) => id),
        world
          .objects("charge")
          .map(({ id }) => id)
          .toReversed()
      )
      assert.strictEqual(charges[0]?.metadata["order_id"], "order-249")
      assert.deepEqual(
        local.requests.map(({ status }) => status),
        [503, 200, 200, 200]
      )
    })
  )
)

it.live("a page starts after or ends before an object, and keeps to created and to filters", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, stripe } = yield* server()
      const customer = world.addCustomer({ email: "shopper@example.com" })
      const made = Array.from({ length: 12 }, (_, index) => {
        world.advance(1000)
        return paid(world, index % 2 === 0 ? { customer: customer.id } : {}).charge
      })
      const ids = made.map(({ id }) => id).toReversed()
      const page = (params: Stripe.ChargeListParams) =>
        Effect.map(
          answered(() => stripe.charges.list(params)),
          ({ data, has_more }) => [data.map(({ id }) => ids.indexOf(id)), has_more]
        )
      assert.deepEqual(yield* page({}), [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], true])
      assert.deepEqual(yield* page({ limit: 3, starting_after: ids[2]! }), [[3, 4, 5], true])
      assert.deepEqual(yield* page({ limit: 3, ending_before: ids[5]! }), [[2, 3, 4], true])
      assert.deepEqual(yield* page({ limit: 3, ending_before: ids[3]! }), [[0, 1, 2], false])
      const [third, eighth] = [made[3]?.created ?? 0, made[8]?.created ?? 0]
      assert.deepEqual(yield* page({ created: { gte: third, lt: eighth } }), [[4, 5, 6, 7, 8], false])
      assert.deepEqual(yield* page({ created: { gt: third, lte: eighth } }), [[3, 4, 5, 6, 7], false])
      assert.deepEqual(yield* page({ created: third }), [[8], false])
      assert.deepEqual(yield* page({ customer: customer.id, limit: 4 }), [[1, 3, 5, 7], true])
      assert.deepEqual(yield* page({ customer: customer.id, ending_before: ids[5]! }), [[1, 3], false])
      assert.deepEqual(yield* page({ customer: "cus_absent" }), [[], false])
      assert.strictEqual((yield* refused(() => stripe.charges.list({ limit: 101 }))).param, "limit")
      assert.strictEqual((yield* refused(() => stripe.charges.list({ starting_after: "ch_absent" }))).statusCode, 400)
      assert.strictEqual(
        (yield* refused(() => stripe.charges.list({ colour: "red" } as object))).code,
        "parameter_unknown"
      )
    })
  )
)

const amountRefunded = (event: Stripe.Event | undefined) =>
  event?.type === "charge.refunded" || event?.type === "charge.succeeded"
    ? event.data.object.amount_refunded
    : undefined

it.live("events are listed by types and created, for 30 days", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, stripe } = yield* server()
      const { charge } = paid(world)
      world.advance(60_000)
      Result.getOrThrow(world.refund({ charge: charge.id, amountMinor: 100 }))
      const types = ["charge.succeeded", "charge.refunded"]
      const created = { gte: charge.created + 60 }
      const all = yield* answered(() => stripe.events.list({ types, limit: 100 }))
      assert.deepEqual(
        all.data.map(({ type }) => type),
        ["charge.refunded", "charge.succeeded"]
      )
      const late = yield* answered(() => stripe.events.list({ types, created }))
      assert.deepEqual(
        late.data.map(({ type }) => type),
        ["charge.refunded"]
      )
      const [refunded] = late.data
      assert.strictEqual(amountRefunded(refunded), 100)
      assert.deepEqual(refunded?.data.previous_attributes, { amount_refunded: 0, refunded: false })
      assert.strictEqual(amountRefunded(all.data[1]), 0)
      assert.strictEqual(
        (yield* refused(() => stripe.events.list({ types: Array.from({ length: 21 }, () => "x") }))).statusCode,
        400
      )
      world.advance(31 * dayMs)
      assert.lengthOf((yield* answered(() => stripe.events.list({ types }))).data, 0)
    })
  )
)

it.live("fields are expanded along paths, in lists and in single objects", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, stripe } = yield* server()
      const { charge, paymentIntent } = paid(world)
      Result.getOrThrow(world.refund({ charge: charge.id }))
      const list = yield* answered(() => stripe.balanceTransactions.list({ expand: ["data.source.payment_intent"] }))
      const sources = list.data.map(({ source }) => source as Stripe.Charge | Stripe.Refund)
      assert.deepEqual(
        sources.map(({ object, payment_intent }) => [object, (payment_intent as Stripe.PaymentIntent).id]),
        [
          ["refund", paymentIntent.id],
          ["charge", paymentIntent.id]
        ]
      )
      const one = yield* answered(() =>
        stripe.charges.retrieve(charge.id, { expand: ["refunds", "balance_transaction"] })
      )
      assert.strictEqual(one.refunds?.data[0]?.amount, 10_000)
      assert.strictEqual((one.balance_transaction as Stripe.BalanceTransaction).net, 9680)
      assert.strictEqual(charge.balance_transaction, (one.balance_transaction as Stripe.BalanceTransaction).id)
      const error = yield* refused(() => stripe.charges.retrieve(charge.id, { expand: ["colour"] }))
      assert.include(error.message, "cannot be expanded")
    })
  )
)

it.live("what the package posts is done: confirm, capture, cancel, refund, customers and metadata", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, stripe } = yield* server()
      const customer = yield* answered(() => stripe.customers.create({ email: "shopper@example.com" }))
      const order = { amount: 5000, currency: "eur", customer: customer.id, metadata: { order_id: "7" } }
      const intent = yield* answered(() => stripe.paymentIntents.create({ ...order, capture_method: "manual" }))
      assert.strictEqual(intent.status, "requires_payment_method")
      const held = yield* answered(() => stripe.paymentIntents.confirm(intent.id, { payment_method: "pm_card_visa" }))
      assert.deepEqual([held.status, held.amount_capturable], ["requires_capture", 5000])
      const kept = yield* answered(() => stripe.paymentIntents.capture(intent.id, { amount_to_capture: 3000 }))
      assert.deepEqual([kept.status, kept.amount_received], ["succeeded", 3000])
      const refund = yield* answered(() => stripe.refunds.create({ payment_intent: intent.id, amount: 500 }))
      assert.deepEqual([refund.status, refund.amount, refund.currency], ["succeeded", 500, "eur"])
      const failure = yield* refused(() =>
        stripe.paymentIntents.create({ ...order, confirm: true, payment_method: "pm_card_chargeDeclined" })
      )
      assert.instanceOf(failure, Stripe.errors.StripeCardError)
      const open = yield* answered(() => stripe.paymentIntents.create(order))
      assert.strictEqual((yield* answered(() => stripe.paymentIntents.cancel(open.id))).status, "canceled")
      const charge = yield* answered(() =>
        stripe.charges.update(idOf(kept.latest_charge) ?? "", { metadata: { seen: "1" } })
      )
      assert.deepEqual(charge.metadata, { order_id: "7", seen: "1" })
      const cause = world.objects("event").find(({ type }) => type === "refund.created")?.request
      assert.match(cause?.id ?? "", /^req_/)
      yield* answered(() => stripe.customers.del(customer.id))
      assert.isTrue((yield* answered(() => stripe.customers.retrieve(customer.id))).deleted)
      assert.lengthOf((yield* answered(() => stripe.customers.list())).data, 0)
      const balance = yield* answered(() => stripe.balance.retrieve())
      assert.deepEqual(
        balance.pending.map(({ amount, currency }) => [amount, currency]),
        [[2888, "eur"]]
      )
      assert.deepEqual(
        balance.available.map(({ amount, currency }) => [amount, currency]),
        [[-500, "eur"]]
      )
    })
  )
)

it.live("a capture by an old API version leaves the two balance transactions of then", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, stripe } = yield* server()
      const { paymentIntent } = paid(world, { capture: "manual" })
      const options = { apiVersion: "2024-06-20" } as object
      yield* answered(() => stripe.paymentIntents.capture(paymentIntent.id, { amount_to_capture: 4000 }, options))
      assert.deepEqual(
        world
          .objects("balance_transaction")
          .map((it) => it.reporting_category)
          .toSorted(),
        ["charge", "partial_capture_reversal"]
      )
    })
  )
)

it.live("a payout's balance transactions are found by it once it is reconciled", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, stripe } = yield* server()
      for (let index = 0; index < 3; index += 1) paid(world)
      world.advance(3 * dayMs)
      const [payout] = (yield* answered(() => stripe.payouts.list({ status: "paid" }))).data
      const items = yield* answered(() => stripe.balanceTransactions.list({ payout: payout?.id ?? "", type: "charge" }))
      assert.strictEqual(
        items.data.reduce((sum, { net }) => sum + net, 0),
        payout?.amount
      )
    })
  )
)
