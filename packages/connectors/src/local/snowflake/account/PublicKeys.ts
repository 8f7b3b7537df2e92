import { createHash, createPublicKey, type KeyObject } from "node:crypto"
import { SnowflakeError } from "../Statement.ts"

/** A user has room for two keys, so that one can be exchanged while the other is in use. */
export type KeySlot = "RSA_PUBLIC_KEY" | "RSA_PUBLIC_KEY_2"

/** The public keys of an account's users. */
export class PublicKeys {
  readonly #keys = new Map<string, Map<KeySlot, KeyObject>>()

  find(user: string, fingerprint: string): KeyObject | undefined {
    return [...(this.#keys.get(user)?.values() ?? [])].find((key) => fingerprintOf(key) === fingerprint)
  }

  /** Keeps a key, given as PEM or as its base64 alone, and gives its fingerprint. */
  set(user: string, slot: KeySlot, text: string): string {
    const key = read(text)
    this.#keys.set(user, new Map([...(this.#keys.get(user) ?? []), [slot, key]]))
    return fingerprintOf(key)
  }

  remove(user: string): void {
    this.#keys.delete(user)
  }
}

const read = (text: string): KeyObject => {
  try {
    const body = text.replaceAll(/-----[A-Z ]+-----|\s/g, "")
    return createPublicKey({ key: Buffer.from(body, "base64"), format: "der", type: "spki" })
  } catch {
    const reason = "New public key rejected by current policy. Reason: 'Invalid public key'"
    throw new SnowflakeError("003052", "22023", `SQL execution error: ${reason}`)
  }
}

const fingerprintOf = (key: KeyObject): string =>
  `SHA256:${createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest("base64")}`
