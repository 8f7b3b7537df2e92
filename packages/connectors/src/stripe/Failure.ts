import { Duration, Predicate } from "effect"
import {
  ConnectorError,
  InvalidData,
  Misconfigured,
  RateLimited,
  Unauthorized,
  Unavailable
} from "@northstar/core/ConnectorError"
import { maskText } from "../cards/Tripwire.ts"

/** What was asked for, and the permission that a restricted key needs for it. */
export interface Asked {
  /** Such as `list stripe.charges`. */
  readonly operation: string
  readonly permission: string
}

/** Stripe says that it has no such object, or none that a page could start after, for this key's account and mode. */
export class Missing {
  readonly _tag = "Missing"
}

/** How long to leave Stripe alone after it refused requests until the attempts were used up. */
export const retryAfter = Duration.seconds(30)

/**
 * What an error of the `stripe` package means, and what to do about it. Of Stripe's message nothing is kept, since it
 * quotes ids and parts of keys: only the error's type and code, the HTTP status and the request's id.
 */
export const fromDriver = (asked: Asked, thrown: unknown): ConnectorError | Missing => {
  const type = text(thrown, "type") ?? (thrown instanceof Error ? thrown.name : "unknown failure")
  const code = name(text(thrown, "code"))
  const status =
    Predicate.hasProperty(thrown, "statusCode") && typeof thrown.statusCode === "number" ? thrown.statusCode : undefined
  if (code === "resource_missing" || status === 404) return new Missing()
  const request = name(text(thrown, "requestId"))
  const parts = [type, code, status === undefined ? undefined : `HTTP ${status}`, request]
  const detail = maskText(parts.filter((part) => part !== undefined).join(", "))
  const cause = new Error(detail)
  const fail = (reason: ConnectorError["reason"], action: string) =>
    new ConnectorError({ connector: "stripe", operation: asked.operation, detail, action, reason })
  if (status === 429 || type === "StripeRateLimitError") {
    return fail(new RateLimited({ retryAfter }), "It is tried again. If it stays, others use the account's limit too")
  }
  if (status === 401 || type === "StripeAuthenticationError") {
    return fail(new Unauthorized({ cause }), "Check the API key: it is wrong, expired or of another account")
  }
  if (status === 403 || type === "StripePermissionError") {
    return fail(new Unauthorized({ cause }), `Give the restricted key the permission ${asked.permission}`)
  }
  // What the package says of bytes that are no JSON, and of JSON that is no object.
  if ((type === "StripeAPIError" && status === undefined) || type === "TypeError")
    return malformed(asked.operation, "an answer that is no JSON")
  if (type === "StripeInvalidRequestError") {
    return fail(new Misconfigured({ detail }), "Look the request up in the dashboard under Developers, Logs")
  }
  return fail(new Unavailable({ cause }), "Check that Stripe's API can be reached, and status.stripe.com")
}

/** An answer that Stripe never gives. */
export const malformed = (operation: string, detail: string): ConnectorError =>
  new ConnectorError({
    connector: "stripe",
    operation,
    detail,
    action: "Nothing was stored. Try again; if it repeats, something between here and Stripe alters its answers",
    reason: new InvalidData({ detail })
  })

/** Something about the contracts or options cannot be done. */
export const misconfigured = (operation: string, detail: string, action: string): ConnectorError =>
  new ConnectorError({ connector: "stripe", operation, detail, action, reason: new Misconfigured({ detail }) })

/** A text that is a name, as Stripe's codes and ids are. */
const name = (text: string | undefined): string | undefined =>
  text !== undefined && /^\w{1,80}$/.test(text) ? text : undefined

const text = (of: unknown, name: string): string | undefined =>
  Predicate.hasProperty(of, name) && typeof of[name] === "string" ? of[name] : undefined
