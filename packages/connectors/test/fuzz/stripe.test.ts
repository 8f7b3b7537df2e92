import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Result } from "effect"
import { ConnectorError } from "@northstar/core/ConnectorError"
import * as Client from "../../src/stripe/Client.ts"
import { Missing } from "../../src/stripe/Failure.ts"
import { resources } from "../../src/stripe/Resource.ts"
import * as Shape from "../../src/stripe/Shape.ts"
import { tables } from "../stripe/Fixture.ts"
import { type Dice, fuzz } from "./Dice.ts"

const charge = {
  id: "ch_1",
  object: "charge",
  amount: 1999,
  amount_captured: 1999,
  amount_refunded: 0,
  currency: "usd",
  status: "succeeded",
  captured: true,
  refunded: false,
  disputed: false,
  payment_intent: { id: "pi_1", object: "payment_intent", amount: 1999 },
  balance_transaction: "txn_1",
  metadata: { order_id: "7", "a.b": "é😀" },
  payment_method_details: { card: { last4: "4242" } },
  outcome: { type: "authorized", risk: { score: 12.5, reasons: [] } },
  created: 1_796_950_800
}

/** Values that do not belong where they stand; the long numbers are not what JSON readers make of them. */
const oddities = [
  "null",
  "true",
  '""',
  "[]",
  "{}",
  "-1",
  "0.1",
  "1e400",
  "9007199254740993",
  "-99999999999999999999",
  '"1"',
  '["x"]',
  '{"id":"x"}',
  '{"id":7,"object":"y"}',
  '"\\ud800"',
  '"\\u0000"',
  '{"__proto__":{"id":"z"}}'
]

/** An object's JSON with one of its values replaced, left out, or with bytes damaged. */
const alter = (dice: Dice, object: object): string => {
  const text = JSON.stringify(object)
  if (dice.below(4) === 0) return dice.damage(Buffer.from(text)).toString("utf8")
  const names = Object.keys(object)
  const name = dice.pick(names)
  if (dice.below(4) === 0) return JSON.stringify({ ...object, [name]: undefined })
  return JSON.stringify({ ...object, [name]: "\0" }).replace('"\\u0000"', () => dice.pick(oddities))
}

let body = ""
let server: Server
beforeAll(async () => {
  server = createServer((_, response) => {
    response.setHeader("content-type", "application/json")
    response.end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
afterAll(() => server.close())

const charges = resources.get("stripe.charges") ?? assert.fail("no charges")
const everyShape = Effect.runSync(Shape.ofTables(Object.values(tables)))
const shape = everyShape.find(({ table }) => table === "stripe.charges") ?? assert.fail("no shape")

const ask = <A>(use: (client: Client.Client) => Effect.Effect<A, ConnectorError | Missing>) =>
  Effect.gen(function* () {
    const { port } = server.address() as AddressInfo
    const client = yield* Client.make({
      apiKey: Redacted.make("sk_test_x"),
      rates: { perSecond: 1e6, perEndpoint: 1e6, longPerSecond: 1e6 },
      server: { host: "127.0.0.1", port, protocol: "http" }
    })
    return yield* Effect.exit(use(client))
  }).pipe(Effect.scoped, Effect.runPromise)

const page = { limit: 100, created: { gte: 0, lte: 1 } }

/** A failure that is none of ours would end a task without a word of what to do. */
const isTyped = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isSuccess(exit) ||
  exit.cause.reasons.every(
    (reason) => reason._tag === "Fail" && (reason.error instanceof ConnectorError || reason.error instanceof Missing)
  )

/** Every row that an object gives is exactly what its JSON says, digit by digit, or is refused. */
const assertExact = (json: string, object: Client.StripeObject): void => {
  const row = Shape.texts(shape, object)
  if (Result.isFailure(row)) return assert.instanceOf(row.failure, ConnectorError)
  const amount = row.success[shape.columns.findIndex(({ path }) => path === "amount")]
  const written = /"amount":(-?\d{16,}|1e400)/.exec(json)?.[1]
  if (written !== undefined && amount !== undefined) assert.strictEqual(amount, written)
}

fuzz(
  "Stripe: an altered page is a page of objects with ids and times, or a typed error",
  { runs: 120 },
  async (dice) => {
    const objects = Array.from({ length: 1 + dice.below(3) }, () =>
      dice.below(2) === 0 ? JSON.stringify(charge) : alter(dice, charge)
    )
    body = `{"object":"list","data":[${objects.join(",")}],"has_more":false,"url":"/v1/charges"}`
    const isCut = dice.below(4) === 0
    if (isCut) body = dice.damage(Buffer.from(body)).toString("utf8")
    const exit = await ask((client) => client.list("stripe.charges", charges, page, "live"))
    assert.isTrue(isTyped(exit), JSON.stringify(exit))
    if (Exit.isFailure(exit)) return
    for (const [index, object] of exit.value.data.entries()) {
      assert.isTrue(typeof object.id === "string" && Number.isInteger(object.created))
      assertExact(isCut ? "" : (objects[index] ?? ""), object)
    }
  }
)

fuzz("Stripe: an altered object is an object with id and time, gone, or a typed error", { runs: 120 }, async (dice) => {
  body = alter(dice, charge)
  const exit = await ask((client) => client.retrieve("stripe.charges", charges, "ch_1"))
  assert.isTrue(isTyped(exit), JSON.stringify(exit))
  if (Exit.isSuccess(exit) && exit.value !== undefined) assertExact(body, exit.value)
})

fuzz("Stripe: an object of any content is a row of texts, or a typed error", { runs: 1200 }, (dice) => {
  for (const of of everyShape) {
    const json = alter(dice, charge)
    let object: unknown
    try {
      object = JSON.parse(json)
    } catch {
      return
    }
    if (typeof object !== "object" || object === null) return
    const row = Shape.texts(of, object as Client.StripeObject)
    if (Result.isFailure(row)) assert.instanceOf(row.failure, ConnectorError)
    else for (const text of row.success) assert.isTrue(text === null || typeof text === "string")
  }
})

it("Stripe: a number that reading JSON has rounded is refused, wherever it is (found)", () => {
  const big = "9007199254740993"
  for (const text of [`{"amount":${big}}`, `{"amount":1e400}`, `{"outcome":{"risk":{"score":[${big}]}}}`]) {
    const row = Shape.texts(shape, { ...charge, ...(JSON.parse(text) as object) })
    assert.isTrue(Result.isFailure(row) && row.failure.reason._tag === "InvalidData", text)
  }
  assert.isTrue(Result.isSuccess(Shape.texts(shape, { ...charge, amount: Number.MAX_SAFE_INTEGER })))
})
