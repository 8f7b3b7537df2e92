import { assert, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import type { Kind } from "../../../src/local/stripe/Objects.ts"
import { run } from "../../../src/local/stripe/Routes.ts"
import { fullHistory } from "./Histories.ts"
import { validators } from "./Schemas.ts"

const kinds: ReadonlyArray<Kind> = [
  "charge",
  "payment_intent",
  "refund",
  "dispute",
  "payout",
  "balance_transaction",
  "customer",
  "event"
]

const validate = validators()

it.effect("every object and every event's snapshot has the shape that the package's declarations give", () =>
  Effect.gen(function* () {
    const world = yield* fullHistory
    const check = (kind: Kind, object: object) => {
      const problems = validate[kind](object) ? [] : validate[kind].errors
      assert.deepEqual(problems, [], `${kind} ${JSON.stringify(object)}`)
    }
    for (const kind of kinds) {
      const objects = world.objects(kind)
      assert.isAbove(objects.length, 0, kind)
      for (const object of objects) check(kind, object)
    }
    for (const { data } of world.objects("event")) {
      const snapshot = data.object as { readonly object: Kind }
      check(snapshot.object, snapshot)
    }
  })
)

it.effect("the balance, and what is expanded or listed inside another object, has its shape too", () =>
  Effect.gen(function* () {
    const world = yield* fullHistory
    const get = (path: string, expand: ReadonlyArray<string> = []) =>
      Result.getOrThrow(
        run(world, { method: "GET", path, form: { expand: Object.fromEntries(expand.entries()) }, version: "" })
      )
    const check = (kind: Kind | "balance", object: object) =>
      assert.deepEqual(validate[kind](object) ? [] : validate[kind].errors, [], kind)
    check("balance", get("/v1/balance"))
    for (const { id } of world.objects("charge")) {
      const inner = ["refunds.data.balance_transaction", "balance_transaction.source", "customer", "payment_intent"]
      check("charge", get(`/v1/charges/${id}`, inner))
    }
    for (const { id } of world.objects("dispute")) check("dispute", get(`/v1/disputes/${id}`, ["charge"]))
    for (const { id } of world.objects("payout")) {
      check("payout", get(`/v1/payouts/${id}`, ["balance_transaction", "failure_balance_transaction"]))
    }
  })
)

it("the schemas are strict: a missing, an unknown and a mistyped field are found", () => {
  const { refund, balance } = validate
  assert.isFalse(refund({ id: "re_1", object: "refund" }))
  assert.isTrue(balance({ object: "balance", available: [], livemode: false, pending: [] }))
  assert.isFalse(balance({ object: "balance", available: [], livemode: false, pending: [], more: 1 }))
  assert.isFalse(
    balance({ object: "balance", available: [{ amount: "1", currency: "usd" }], livemode: false, pending: [] })
  )
})
