import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Stripe } from "stripe"
import { answered, refused, server } from "./Client.ts"
import { emptyWorld, paid } from "./Histories.ts"

it.live("401, 403, 404, 429 and 500 come as the package's errors, and only what it should is retried", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { local, faults, stripe } = yield* server()
      const missing = yield* refused(() => stripe.charges.retrieve("ch_absent"))
      assert.instanceOf(missing, Stripe.errors.StripeInvalidRequestError)
      assert.deepEqual([missing.statusCode, missing.code, missing.param], [404, "resource_missing", "id"])
      faults.refuse("rateLimited")
      const limited = yield* refused(() => stripe.charges.list())
      assert.instanceOf(limited, Stripe.errors.StripeRateLimitError)
      assert.strictEqual(limited.headers?.["stripe-rate-limited-reason"], "global-rate")
      faults.refuse("forbidden")
      assert.instanceOf(yield* refused(() => stripe.charges.list()), Stripe.errors.StripePermissionError)
      assert.lengthOf(local.requests, 3)
      faults.refuse("locked", { times: 3 })
      assert.strictEqual((yield* refused(() => stripe.charges.list())).code, "lock_timeout")
      faults.refuse("broken", { times: 3 })
      assert.strictEqual((yield* refused(() => stripe.charges.list())).statusCode, 500)
      assert.lengthOf(local.requests, 9)
      faults.refuse("cutBefore")
      assert.lengthOf((yield* answered(() => stripe.charges.list())).data, 0)
    })
  )
)

it.live("a wrong key is refused and not repeated in the answer", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { stripe } = yield* server("sk_test_somebody_else")
      const error = yield* refused(() => stripe.charges.list())
      assert.instanceOf(error, Stripe.errors.StripeAuthenticationError)
      assert.notInclude(error.message, "somebody")
    })
  )
)

it.live("a key replays its answer, refuses other parameters, and makes a cut answer safe to ask for again", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, faults, stripe } = yield* server()
      const params = { amount: 1000, currency: "usd", confirm: true, payment_method: "pm_card_visa" }
      const idempotencyKey = "order-1"
      const first = yield* answered(() => stripe.paymentIntents.create(params, { idempotencyKey }))
      const second = yield* answered(() => stripe.paymentIntents.create(params, { idempotencyKey }))
      assert.strictEqual(second.id, first.id)
      assert.strictEqual(second.lastResponse.headers["idempotent-replayed"], "true")
      const other = yield* refused(() => stripe.paymentIntents.create({ ...params, amount: 1 }, { idempotencyKey }))
      assert.instanceOf(other, Stripe.errors.StripeIdempotencyError)
      faults.refuse("conflict")
      faults.refuse("cutAfter")
      yield* answered(() => stripe.refunds.create({ payment_intent: first.id, amount: 400 }))
      assert.strictEqual(world.objects("refund").length, 1)
      assert.strictEqual(world.objects("charge").length, 1)
    })
  )
)

it.live("limits answer 429 above so many requests a second in all and of one route", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { local, faults, stripe } = yield* server()
      faults.limits = { perSecond: 5, perRoutePerSecond: 2 }
      const calls = Array.from({ length: 8 }, () => answered(() => stripe.charges.list()).pipe(Effect.exit))
      yield* Effect.all(calls, { concurrency: "unbounded" })
      // The eight may fall on either side of a full second.
      assert.isAtLeast(local.requests.filter(({ status }) => status === 429).length, 4)
    })
  )
)

it.live("with list lag new objects are missing from lists in no order while their retrieval answers", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, faults, stripe } = yield* server()
      faults.listLagMs = [0, 10_000]
      const made = Array.from({ length: 30 }, () => paid(world).charge)
      const listed = () => answered(() => stripe.charges.list({ limit: 100 }))
      const early = yield* listed()
      assert.isBelow(early.data.length, 30)
      yield* answered(() => stripe.charges.retrieve(made.at(-1)?.id ?? ""))
      world.advance(4000)
      const later = yield* listed()
      assert.isAbove(later.data.length, early.data.length)
      // Some object is visible before one that was made earlier: a cursor by creation would lose it.
      const places = later.data.map(({ id }) => made.findIndex((charge) => charge.id === id))
      assert.isAbove(Math.max(...places) + 1, places.length)
      world.advance(6001)
      assert.lengthOf((yield* listed()).data, 30)
    })
  )
)

it.live("with list lag lists show changes and deletions late, while retrieval answers them", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, faults, stripe } = yield* server()
      const { charge } = paid(world)
      const customer = world.addCustomer({ email: "a@example.com" })
      faults.listLagMs = [5000, 5000]
      Result.getOrThrow(world.refund({ charge: charge.id, amountMinor: 100 }))
      Result.getOrThrow(world.deleteCustomer(customer.id))
      const refunded = () =>
        Effect.map(
          answered(() => stripe.charges.list()),
          ({ data }) => data.map(({ amount_refunded }) => amount_refunded)
        )
      const customers = () =>
        Effect.map(
          answered(() => stripe.customers.list()),
          ({ data }) => data.length
        )
      assert.strictEqual((yield* answered(() => stripe.charges.retrieve(charge.id))).amount_refunded, 100)
      assert.isTrue((yield* answered(() => stripe.customers.retrieve(customer.id))).deleted)
      assert.deepStrictEqual([yield* refunded(), yield* customers()], [[0], 1])
      world.advance(5000)
      assert.deepStrictEqual([yield* refunded(), yield* customers()], [[100], 0])
    })
  )
)

it.live("an object changes and others appear in the middle of a page walk", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const { world, faults, stripe } = yield* server()
      const { charge } = paid(world)
      for (let index = 0; index < 4; index += 1) paid(world)
      faults.afterPage = () => {
        faults.afterPage = undefined
        Result.getOrThrow(world.refund({ charge: charge.id }))
        paid(world)
      }
      const walked = yield* answered(() => stripe.charges.list({ limit: 2 }).autoPagingToArray({ limit: 100 }))
      assert.lengthOf(walked, 5)
      assert.isTrue(walked.find(({ id }) => id === charge.id)?.refunded)
      assert.lengthOf(world.objects("charge"), 6)
    })
  )
)

it.effect("events are lost, doubled, delayed and out of order as told, and the objects stay what they are", () =>
  Effect.gen(function* () {
    const world = yield* emptyWorld()
    const control = yield* emptyWorld()
    world.faults.eventsMissing = 0.2
    world.faults.eventsDuplicated = 0.2
    world.faults.eventDelayMs = [0, 60_000]
    for (const one of [world, control]) {
      for (let index = 0; index < 200; index += 1) {
        const { charge } = paid(one)
        one.advance(1000)
        Result.getOrThrow(one.refund({ charge: charge.id, amountMinor: 100 }))
      }
      one.advance(60_000)
    }
    assert.deepEqual(world.objects("charge"), control.objects("charge"))
    const seen = new Map<string, Array<string>>()
    for (const { data, type } of world.objects("event")) {
      const { id } = data.object as { readonly id: string }
      seen.set(id, [...(seen.get(id) ?? []), type])
    }
    const charges = world.objects("charge").map(({ id }) => seen.get(id) ?? [])
    assert.isTrue(charges.some((types) => !types.includes("charge.refunded")))
    assert.isTrue(charges.some((types) => types.filter((it) => it === "charge.refunded").length === 2))
    assert.isTrue(charges.some((types) => types[0] === "charge.refunded" && types.includes("charge.succeeded")))
  })
)
