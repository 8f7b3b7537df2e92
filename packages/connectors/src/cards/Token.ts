import { createHmac } from "node:crypto"
import { Redacted } from "effect"
import type { CardKeys } from "./CardKeys.ts"

const pattern = /^tok_v([1-9]\d{0,3})_[A-Za-z0-9_-]{43}$/

/**
 * The token of a card number's digits under the newest key: `tok_v<n>_` and the base64url of an HMAC-SHA-256. Version 1
 * is keyed by the first key over the digits, each next one by the next key over the text of the token before. So a token
 * can be brought to the newest key without the number, and comes out as if it had been made with it.
 */
export const tokenise = (digits: string, keys: CardKeys): string => chain(digits, 0, keys)

/** A token brought to the newest key; as it is where it has that version or one of a key that is not known here. */
export const upgrade = (token: string, keys: CardKeys): string => chain(token, versionOf(token) ?? 0, keys)

/** The key version in a token; `undefined` for other texts. */
export const versionOf = (text: string): number | undefined => {
  const version = pattern.exec(text)?.[1]
  return version === undefined ? undefined : Number(version)
}

const chain = (text: string, version: number, keys: CardKeys): string =>
  Redacted.value(keys)
    .slice(version)
    .reduce(
      (before, key, index) =>
        `tok_v${version + index + 1}_${createHmac("sha256", key).update(before).digest("base64url")}`,
      text
    )
