import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { moneyExponent } from "../../src/stripe/Currency.ts"
import { fromDriver, Missing } from "../../src/stripe/Failure.ts"
import { headSequence, cycleSequence, position, reachableMs } from "../../src/stripe/Position.ts"
import { liveRates, make, shared, testRates } from "../../src/stripe/RateLimiter.ts"
import { resources } from "../../src/stripe/Resource.ts"

describe("rate limiter", () => {
  const takeAll = Effect.fnUntraced(function* (limiter: ReturnType<typeof make>, count: number, lane: "live" | "long") {
    const fiber = yield* Effect.forkChild(
      Effect.forEach(Array.from({ length: count }), () => limiter.take("charges", lane), { discard: true }).pipe(
        Effect.andThen(Clock.currentTimeMillis)
      )
    )
    yield* TestClock.adjust("1 minute")
    return yield* Fiber.join(fiber)
  })

  it.effect("an endpoint gets 25 requests a second, a history in test mode 10", () =>
    Effect.gen(function* () {
      assert.approximately(yield* takeAll(make(liveRates), 100, "live"), 3960, 10)
      const startedMs = yield* Clock.currentTimeMillis
      assert.approximately((yield* takeAll(make(testRates), 100, "long")) - startedMs, 9900, 10)
    })
  )

  it.effect("endpoints share the account's budget, and a pause holds back all of them", () =>
    Effect.gen(function* () {
      const limiter = make({ perSecond: 100, perEndpoint: 100, longPerSecond: 40 })
      const fiber = yield* Effect.forkChild(
        Effect.forEach(
          ["a", "b", "c", "d"],
          (endpoint) => Effect.forEach(Array.from({ length: 100 }), () => limiter.take(endpoint, "live")),
          { concurrency: 4 }
        ).pipe(Effect.andThen(Clock.currentTimeMillis))
      )
      yield* TestClock.adjust("1 minute")
      assert.approximately(yield* Fiber.join(fiber), 3990, 10)
      const nowMs = yield* Clock.currentTimeMillis
      yield* limiter.pause(Duration.seconds(5))
      const paused = yield* Effect.forkChild(Effect.andThen(limiter.take("a", "live"), Clock.currentTimeMillis))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(paused)) - nowMs, 5000)
    })
  )

  it("readers of one account share a limiter, other accounts have their own", () => {
    assert.strictEqual(shared("x", liveRates), shared("x", liveRates))
    assert.notStrictEqual(shared("x", liveRates), shared("y", liveRates))
  })
})

it("a head is reached by a cycle that began later, and by no earlier one", () => {
  assert.isTrue(cycleSequence(1000) < headSequence(1000))
  assert.isTrue(cycleSequence(1001) > headSequence(1000))
  assert.strictEqual(reachableMs(headSequence(1000)), 1001)
})

it.effect("a position is read from its text as it was", () =>
  Effect.gen(function* () {
    const walk = { begunMs: 5, since: 1, until: 2, after: { id: "ch_1", created: 2 } }
    const progress = {
      eventsMs: 1,
      events: walk,
      listedMs: 2,
      listed: null,
      sweptMs: null,
      long: { kind: "history" as const, walk },
      backfill: "b"
    }
    const at = {
      epoch: 1,
      account: "acct_1",
      anchor: { table: "stripe.charges", id: "ch_1" },
      isLive: false,
      sequence: 1_796_950_800_002_000n,
      tables: { "stripe.charges": progress }
    }
    const text = Schema.encodeSync(position.codec)(at)
    assert.deepStrictEqual(yield* Schema.decodeEffect(position.codec)(text), at)
  })
)

it("Stripe takes at most 20 types of events in one question", () => {
  for (const { events } of resources.values()) assert.isAtMost(events.length, 20)
})

it("amounts have the decimals that Stripe gives their currency", () => {
  const day = "2026-11-23"
  const found = ["usd", "JPY", "kwd", "isk", "ugx", "huf"].map((currency) => moneyExponent(currency, day))
  assert.deepStrictEqual(found, [2, 0, 3, 2, 2, 2])
})

it("an error keeps nothing of Stripe's message, which quotes keys and ids", () => {
  const thrown = (more: object) => Object.assign(new Error("sk_live_secret ch_1 4242424242424242"), more)
  const cases: ReadonlyArray<readonly [object, string]> = [
    [{ type: "StripeRateLimitError", statusCode: 429 }, "RateLimited"],
    [{ type: "StripeAuthenticationError", statusCode: 401 }, "Unauthorized"],
    [{ type: "StripePermissionError", statusCode: 403 }, "Unauthorized"],
    [{ type: "StripeInvalidRequestError", statusCode: 400, code: "parameter_invalid" }, "Misconfigured"],
    [{ type: "StripeAPIError" }, "InvalidData"],
    [{ type: "StripeAPIError", statusCode: 500 }, "Unavailable"],
    [{ type: "StripeConnectionError" }, "Unavailable"]
  ]
  for (const [more, reason] of cases) {
    const error = fromDriver({ operation: "list stripe.charges", permission: "p" }, thrown(more))
    if (error instanceof Missing) return assert.fail("is not missing")
    assert.strictEqual(error.reason._tag, reason)
    const all = `${error.message} ${JSON.stringify(error)} ${String(error.cause)}`
    for (const secret of ["secret", "ch_1", "4242"]) assert.notInclude(all, secret)
  }
})
