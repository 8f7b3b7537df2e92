import { createSecretKey, type KeyObject } from "node:crypto"
import { Config, Effect, Option, Redacted } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"

/** The keys that make tokens, oldest first: the place in the list, from 1, is the version in a token. */
export type CardKeys = Redacted.Redacted<readonly [KeyObject, ...Array<KeyObject>]>

/** The environment variable that holds the keys. */
export const variable = "NORTHSTAR_CARD_KEYS"

/** A key may not be shorter than the digest that it makes. */
const keyBytesMin = 32

/**
 * Reads keys: base64 (either alphabet) of at least 32 bytes each, separated by commas. A rotation appends one; none is
 * ever taken away or moved. Errors name a key by its place and never show any of it.
 */
export const parse = Effect.fnUntraced(function* (text: Redacted.Redacted): Effect.fn.Return<CardKeys, ConnectorError> {
  const keys: Array<KeyObject> = []
  for (const part of Redacted.value(text).split(",")) {
    const place = keys.length + 1
    if (!/^\s*[A-Za-z0-9+/_-]+={0,2}\s*$/.test(part)) return yield* bad(`key ${place} of ${variable} is not base64`)
    const bytes = Buffer.from(part.trim(), "base64")
    if (bytes.length < keyBytesMin) {
      return yield* bad(`key ${place} of ${variable} has ${bytes.length} bytes, and ${keyBytesMin} are needed`)
    }
    const key = createSecretKey(bytes)
    const twin = keys.findIndex((other) => other.equals(key))
    if (twin >= 0) return yield* bad(`keys ${twin + 1} and ${place} of ${variable} are the same`)
    keys.push(key)
  }
  // Sound: a text split has at least one part, and each made a key.
  return Redacted.make(keys as [KeyObject, ...Array<KeyObject>], { label: "card keys" })
})

/** The keys in `NORTHSTAR_CARD_KEYS`; `none` where it is not set or empty. */
export const fromEnvironment: Effect.Effect<Option.Option<CardKeys>, ConnectorError> = Config.option(
  Config.Redacted(variable)
).pipe(
  // What a provider says of a bad value could show it.
  Effect.catch(() => bad(`${variable} could not be read`)),
  Effect.flatMap((text) =>
    Option.isNone(text) || Redacted.value(text.value).trim() === ""
      ? Effect.succeedNone
      : Effect.asSome(parse(text.value))
  )
)

/** The newest key's version: how many keys there are. */
export const version = (keys: CardKeys): number => Redacted.value(keys).length

const bad = (detail: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "cards",
      operation: "read keys",
      detail,
      action: `Set ${variable} to base64 keys of ${keyBytesMin} random bytes (openssl rand -base64 32), oldest first, separated by commas`,
      reason: new Misconfigured({ detail: variable })
    })
  )
