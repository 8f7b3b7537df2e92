import { createHmac, randomBytes } from "node:crypto"
import { inspect } from "node:util"
import { assert, it } from "@effect/vitest"
import { ConfigProvider, Effect, Option, Redacted } from "effect"
import * as CardKeys from "../../src/cards/CardKeys.ts"
import * as Token from "../../src/cards/Token.ts"
import { cardNumber } from "./CardNumbers.ts"

const secrets = [1, 2, 3].map((byte) => Buffer.alloc(32, byte))
const keysOf = (count: number) =>
  CardKeys.parse(
    Redacted.make(
      secrets
        .slice(0, count)
        .map((secret) => secret.toString("base64"))
        .join(",")
    )
  )

it.effect.prop("C1 card data: a token brought to a new key is the token made with it", { cardNumber }, (given) =>
  Effect.gen(function* () {
    const [one, two, three] = [yield* keysOf(1), yield* keysOf(2), yield* keysOf(3)]
    const digits = given.cardNumber
    const first = Token.tokenise(digits, one)
    assert.match(first, /^tok_v1_[\w-]{43}$/)
    assert.strictEqual(Token.upgrade(first, two), Token.tokenise(digits, two))
    assert.strictEqual(Token.upgrade(first, three), Token.tokenise(digits, three))
    assert.strictEqual(Token.upgrade(Token.tokenise(digits, two), three), Token.tokenise(digits, three))
    assert.strictEqual(Token.upgrade(Token.tokenise(digits, three), one), Token.tokenise(digits, three))
  })
)

it.effect("a token is an HMAC over the digits, and the next one over its text", () =>
  Effect.gen(function* () {
    const mac = (version: number, text: string) =>
      createHmac("sha256", Buffer.alloc(32, version)).update(text).digest("base64url")
    const first = `tok_v1_${mac(1, "4111111111111111")}`
    assert.strictEqual(Token.tokenise("4111111111111111", yield* keysOf(1)), first)
    assert.strictEqual(Token.tokenise("4111111111111111", yield* keysOf(2)), `tok_v2_${mac(2, first)}`)
    assert.strictEqual(CardKeys.version(yield* keysOf(3)), 3)
  })
)

it.effect("C1 card data: a bad key is named by its place, and keys are never shown", () =>
  Effect.gen(function* () {
    const good = randomBytes(32).toString("base64")
    const short = randomBytes(31).toString("base64")
    const texts = [`${good},${short}`, `${good},`, `${good},secret of mine!`, `${good},${good}`]
    for (const text of texts) {
      const error = yield* Effect.flip(CardKeys.parse(Redacted.make(text)))
      assert.strictEqual(error.reason._tag, "Misconfigured")
      assert.include(error.message, "2 of NORTHSTAR_CARD_KEYS")
      for (const secret of [good, short, "secret of mine"]) assert.notInclude(inspect(error, { depth: 9 }), secret)
    }
    const keys = yield* keysOf(2)
    const shown = inspect(keys, { depth: 9, showHidden: true }) + JSON.stringify(keys)
    for (const secret of secrets) assert.notInclude(shown, secret.toString("base64"))
  })
)

it.effect("keys come from the environment, and an empty variable is none", () =>
  Effect.gen(function* () {
    const read = (env: Record<string, string>) =>
      CardKeys.fromEnvironment.pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env))
      )
    const text = secrets.map((secret) => secret.toString("base64url")).join(", ")
    assert.strictEqual(CardKeys.version(Option.getOrThrow(yield* read({ NORTHSTAR_CARD_KEYS: text }))), 3)
    assert.isTrue(Option.isNone(yield* read({})))
    assert.isTrue(Option.isNone(yield* read({ NORTHSTAR_CARD_KEYS: " " })))
    assert.include((yield* Effect.flip(read({ NORTHSTAR_CARD_KEYS: "x" }))).message, "openssl rand")
  })
)
