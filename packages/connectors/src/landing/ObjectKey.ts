import { Effect } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"

/**
 * Parts of keys: ASCII letters, digits and `_ = . -`, not starting with a dot. So byte order is text order, no key
 * leaves its folder, and what starts with a dot is the store's own.
 */
const part = /^[A-Za-z0-9_=-][A-Za-z0-9_=.-]{0,199}$/

/** Accepts `a/b/c` of such parts; anything else is `Misconfigured`, since keys come from stream names. */
export const check = (key: string): Effect.Effect<void, ConnectorError> => {
  if (key.split("/").every((name) => part.test(name))) return Effect.void
  const detail = `${JSON.stringify(key)} is not an object key`
  return Effect.fail(
    new ConnectorError({
      connector: "landing",
      operation: "check key",
      detail,
      action: "Name streams with letters, digits, '_', '-', '=' and '.', parts separated by '/'",
      reason: new Misconfigured({ detail })
    })
  )
}

/** A name of the outside world as part of a key: for people only, so that different names may become equal. */
export const partOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9_-]+/g, "_").slice(0, 100)
