import { assert, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Answered } from "../../../src/local/stripe/Refused.ts"
import { idOf } from "../../../src/local/stripe/State.ts"
import { step } from "../../../src/local/stripe/Traffic.ts"
import { make, type World } from "../../../src/local/stripe/World.ts"
import { dayMs, emptyWorld, fullHistory, paid } from "./Histories.ts"

/** What a balance transaction says in short: category, amount and fee in minor units, currency. */
const short = (world: World) =>
  world.objects("balance_transaction").map((it) => `${it.reporting_category} ${it.amount} ${it.fee} ${it.currency}`)

const cases: Readonly<Record<string, readonly [act: (world: World) => unknown, transactions: ReadonlyArray<string>]>> =
  {
    "a payment": [(world) => paid(world), ["charge 10000 320 usd"]],
    "a declined payment": [(world) => paid(world, { outcome: "declined" }), []],
    "an authorisation": [(world) => paid(world, { capture: "manual" }), []],
    "a cancelled authorisation": [(world) => world.cancel(paid(world, { capture: "manual" }).paymentIntent.id), []],
    "a partial capture": [
      (world) => world.capture(paid(world, { capture: "manual" }).paymentIntent.id, { amountMinor: 4000 }),
      ["charge 4000 146 usd"]
    ],
    "a partial capture by an API version before 2025-03-31": [
      (world) => {
        const { id } = paid(world, { capture: "manual" }).paymentIntent
        return world.capture(id, { amountMinor: 4000, isReversing: true })
      },
      ["charge 10000 320 usd", "partial_capture_reversal -6000 0 usd"].toSorted()
    ],
    "a partial refund": [
      (world) => world.refund({ charge: paid(world).charge.id, amountMinor: 2500 }),
      ["charge 10000 320 usd", "refund -2500 0 usd"]
    ],
    "a refund that fails": [
      (world) => {
        const { id } = Result.getOrThrow(world.refund({ charge: paid(world).charge.id }))
        return world.settleRefund(id, "failed")
      },
      ["charge 10000 320 usd", "refund -10000 0 usd", "refund_failure 10000 0 usd"]
    ],
    "a refund that waits for funds": [
      (world) => world.refund({ charge: paid(world).charge.id, pending: "insufficient_funds" }),
      ["charge 10000 320 usd"]
    ],
    "a dispute won": [
      (world) => {
        const { id } = Result.getOrThrow(world.dispute({ charge: paid(world).charge.id }))
        return world.resolveDispute(id, "won")
      },
      ["charge 10000 320 usd", "dispute -10000 1500 usd", "dispute_reversal 10000 0 usd"]
    ],
    "a dispute lost, its fee apart": [
      (world) => {
        const { id } = Result.getOrThrow(world.dispute({ charge: paid(world).charge.id, hasFeeApart: true }))
        return world.resolveDispute(id, "lost")
      },
      ["charge 10000 320 usd", "dispute -10000 0 usd", "fee -1500 0 usd"]
    ],
    "an inquiry": [
      (world) => world.dispute({ charge: paid(world).charge.id, isInquiry: true }),
      ["charge 10000 320 usd"]
    ],
    "a payment without decimals": [
      (world) => paid(world, { amountMinor: 5000, currency: "JPY" }),
      ["charge 5000 185 jpy"]
    ],
    "a payment with three decimals": [
      (world) => paid(world, { amountMinor: 5120, currency: "kwd" }),
      ["charge 5120 250 kwd"]
    ],
    "a converted payment": [(world) => paid(world, { amountMinor: 100_000, currency: "krw" }), ["charge 7300 242 usd"]]
  }

for (const [name, [act, transactions]] of Object.entries(cases)) {
  it.effect(`${name} has its balance transactions`, () =>
    Effect.gen(function* () {
      const world = yield* emptyWorld()
      act(world)
      assert.deepEqual(short(world).toSorted(), transactions.toSorted())
      consistent(world)
    })
  )
}

it.effect("what the API refuses changes nothing", () =>
  Effect.gen(function* () {
    const world = yield* emptyWorld()
    const { charge, paymentIntent } = paid(world)
    const answers: ReadonlyArray<Answered<unknown>> = [
      world.refund({ charge: charge.id, amountMinor: 10_001 }),
      world.refund({ charge: "ch_absent" }),
      world.capture(paymentIntent.id),
      world.cancel(paymentIntent.id),
      world.pay({ amountMinor: 0, currency: "usd" }),
      world.pay({ amountMinor: 5125, currency: "kwd" }),
      world.pay({ amountMinor: 1, currency: "dollars" }),
      world.payOut(1, "usd"),
      world.settleRefund("re_absent", "failed")
    ]
    const codes = answers.map((answer) => (Result.isFailure(answer) ? answer.failure.code : "done"))
    assert.deepEqual(codes, [
      "amount_too_large",
      "resource_missing",
      "payment_intent_unexpected_state",
      "payment_intent_unexpected_state",
      "parameter_invalid_integer",
      "invalid_amount",
      "invalid_currency",
      "balance_insufficient",
      "resource_missing"
    ])
    world.refund({ charge: charge.id })
    assert.isTrue(Result.isFailure(world.refund({ charge: charge.id, amountMinor: 1 })))
    assert.strictEqual(world.objects("refund").length, 1)
  })
)

it.effect("an automatic payout takes what is available and is itemised at noon of the next day", () =>
  Effect.gen(function* () {
    const world = yield* emptyWorld()
    paid(world)
    world.advance(dayMs)
    paid(world)
    world.advance(dayMs)
    const [payout] = world.objects("payout")
    assert.deepEqual(
      [payout?.amount, payout?.status, payout?.reconciliation_status],
      [9680, "in_transit", "in_progress"]
    )
    assert.strictEqual(linked(world, payout?.id ?? "").length, 0)
    assert.deepEqual(world.balance().get("usd"), { available: 0, pending: 9680 })
    world.advance(dayMs)
    assert.strictEqual(world.objects("payout")[0]?.status, "paid")
    assert.strictEqual(world.objects("payout")[0]?.reconciliation_status, "completed")
    assert.deepEqual(
      linked(world, payout?.id ?? "").map(({ net }) => net),
      [-9680, 9680]
    )
    Result.getOrThrow(world.failPayout(payout?.id ?? ""))
    world.advance(dayMs)
    assert.strictEqual(world.objects("payout").at(-1)?.amount, 9680)
    world.advance(2 * dayMs)
    consistent(world)
  })
)

it.effect("the full history is consistent, and a seed gives it again", () =>
  Effect.gen(function* () {
    const [world, again] = [yield* fullHistory, yield* fullHistory]
    consistent(world)
    assert.deepEqual(again.objects("event"), world.objects("event"))
  })
)

const Seed = Schema.Int
it.effect.prop(
  "after any history the objects explain the balance transactions, these the balance, and payouts tie out",
  [Seed],
  ([seed]) =>
    Effect.gen(function* () {
      const world = yield* emptyWorld({ seed })
      for (let index = 0; index < 300; index += 1) step(world)
      consistent(world)
      world.advance(40 * dayMs)
      consistent(world)
    }),
  { arbitrary: { runs: 30 } }
)

it.effect("without a start of its own the world's time is that of the clock, plus what was skipped", () =>
  Effect.gen(function* () {
    yield* TestClock.adjust("10 days")
    const world = yield* make()
    paid(world)
    world.advance(dayMs)
    yield* TestClock.adjust("1 day")
    assert.strictEqual(world.nowMs, 12 * dayMs)
    assert.lengthOf(world.objects("payout"), 1)
  })
)

it.effect("random histories reach every state", () =>
  Effect.gen(function* () {
    const world = yield* emptyWorld({ seed: "states" })
    for (let index = 0; index < 3000; index += 1) step(world)
    const states = (objects: ReadonlyArray<{ readonly status: string | null }>) =>
      [...new Set(objects.map(({ status }) => status))].toSorted()
    assert.deepEqual(states(world.objects("charge")), ["failed", "succeeded"])
    assert.deepEqual(states(world.objects("payment_intent")), [
      "canceled",
      "requires_capture",
      "requires_payment_method",
      "succeeded"
    ])
    assert.deepEqual(states(world.objects("refund")), ["failed", "pending", "succeeded"])
    assert.deepEqual(states(world.objects("dispute")), [
      "lost",
      "needs_response",
      "under_review",
      "warning_closed",
      "warning_needs_response",
      "warning_under_review",
      "won"
    ])
    assert.includeMembers(states(world.objects("payout")), ["failed", "paid"])
    assert.deepEqual([...new Set(world.objects("balance_transaction").map((it) => it.reporting_category))].toSorted(), [
      "charge",
      "dispute",
      "dispute_reversal",
      "fee",
      "partial_capture_reversal",
      "payout",
      "payout_reversal",
      "refund",
      "refund_failure"
    ])
  })
)

const linked = (world: World, payout: string) =>
  world.state.collections.balance_transaction.page(
    { limit: 100_000, createdFrom: 0, createdThrough: Infinity, where: [["payout", [payout]]] },
    Infinity
  ).data

/** Checks the account against itself: objects against transactions, transactions against the balance and the payouts. */
const consistent = (world: World): void => {
  const transactions = world.objects("balance_transaction")
  const sums = new Map<string, number>()
  const balance = new Map<string, number>()
  for (const { amount, fee, net, currency, exchange_rate, source } of transactions) {
    assert.strictEqual(net, amount - fee)
    if (exchange_rate === null) sums.set(idOf(source) ?? "", (sums.get(idOf(source) ?? "") ?? 0) + amount)
    balance.set(currency, (balance.get(currency) ?? 0) + net)
  }
  for (const [currency, { available, pending }] of world.balance()) {
    assert.strictEqual(available + pending, balance.get(currency), `balance in ${currency}`)
  }
  explained(world, sums)
  payoutsTieOut(world)
}

/** Of what settles in its own currency: every object's transactions sum to what the object says. */
const explained = (world: World, sums: ReadonlyMap<string, number>): void => {
  const settlesApart = (it: { readonly currency: string }) => !world.state.settings.settlesIn.includes(it.currency)
  const refunds = world.objects("refund")
  for (const charge of world.objects("charge")) {
    if (settlesApart(charge)) continue
    const given = refunds.filter((it) => it.charge === charge.id && it.status !== "failed")
    const refunded = given.reduce((sum, it) => sum + it.amount, 0)
    assert.strictEqual(charge.amount_refunded, refunded, `refunds of ${charge.id}`)
    const reversed = world.state.reversed.get(charge.id) ?? 0
    const isBooked = charge.balance_transaction !== null
    assert.strictEqual(sums.get(charge.id) ?? 0, isBooked ? charge.amount_captured + reversed : 0, charge.id)
    assert.isAtMost(charge.amount_refunded - reversed, charge.amount_captured)
  }
  for (const refund of refunds) {
    const isBooked = refund.balance_transaction !== null && refund.status !== "failed"
    if (!settlesApart(refund)) assert.strictEqual(sums.get(refund.id) ?? 0, isBooked ? -refund.amount : 0, refund.id)
  }
  for (const dispute of world.objects("dispute")) {
    if (settlesApart(dispute)) continue
    const isMoney = !dispute.status.startsWith("warning") && dispute.status !== "won"
    const shown = dispute.balance_transactions.reduce((sum, it) => sum + it.amount, 0)
    assert.strictEqual(shown + 0, isMoney ? -dispute.amount : 0, dispute.id)
  }
}

const payoutsTieOut = (world: World): void => {
  const seen = new Set<string>()
  for (const payout of world.objects("payout")) {
    const items = linked(world, payout.id)
    if (payout.reconciliation_status !== "completed") {
      assert.strictEqual(items.length, 0)
      continue
    }
    const paidOut = items.filter((it) => it.id !== payout.balance_transaction)
    assert.strictEqual(
      paidOut.reduce((sum, it) => sum + it.net, 0),
      payout.amount,
      payout.id
    )
    for (const { id, currency } of items) {
      assert.isFalse(seen.has(id), `${id} is in two payouts`)
      assert.strictEqual(currency, payout.currency)
      seen.add(id)
    }
  }
}
