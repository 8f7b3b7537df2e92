import type { Duration } from "effect"
import {
  Busy,
  ConnectorError,
  InvalidData,
  Misconfigured,
  StorageFull,
  Unauthorized,
  Unavailable
} from "@northstar/core/ConnectorError"
import { Malformed } from "./Wire.ts"

/**
 * What a driver's error means for a pipeline, and what to do about it. Of the server's error only the SQLSTATE and the
 * primary message are kept, and not even that one where it quotes values (data exceptions, constraint violations).
 */
export const fromDriver = (operation: string, thrown: unknown): ConnectorError => {
  if (thrown instanceof ConnectorError) return thrown
  const code = codeOf(thrown)
  // Five characters as well: the system's EPIPE. No class of SQLSTATEs begins with E.
  const isServers = /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code)
  const quotesValues = isServers && (code.startsWith("22") || code.startsWith("23"))
  const text = quotesValues ? `the server refused a value (SQLSTATE ${code})` : messageOf(thrown)
  const cause = new Error(isServers ? `${code}: ${text}` : text)
  const fail = (action: string, reason: ConnectorError["reason"], detail = text) =>
    new ConnectorError({ connector: "postgres", operation, detail, action, reason })
  if (thrown instanceof Malformed) return invalid(operation, text)
  if (!isServers) return fail(checkNetwork, new Unavailable({ cause }))
  if (code === "55006") return busy(operation, text, holderOf(text))
  if (code.startsWith("28"))
    return fail("Check user and password of the URL, and pg_hba.conf.", new Unauthorized({ cause }))
  if (code === "42501") return fail("Grant the right that the message names to the role.", new Unauthorized({ cause }))
  if (code === "53100") return fail("Free space on the database server.", new StorageFull({ cause }))
  if (code.startsWith("58")) return fail("Read the database server's log.", new Unavailable({ cause }))
  if (code === "57014" || code === "55P03")
    return fail("Try again when the server is less busy.", new Unavailable({ cause }))
  if (code.startsWith("22") || code.startsWith("23")) return invalid(operation, text)
  if (retryable.some((start) => code.startsWith(start))) return fail("Try again.", new Unavailable({ cause }))
  return fail("Check the setup of the database.", new Misconfigured({ detail: text }), `${text} (SQLSTATE ${code})`)
}

/** Something at the server is not set up as it must be; `action` names the fix. */
export const misconfigured = (operation: string, detail: string, action: string): ConnectorError =>
  new ConnectorError({ connector: "postgres", operation, detail, action, reason: new Misconfigured({ detail }) })

/** Bytes or answers that a server never sends. */
export const invalid = (operation: string, detail: string): ConnectorError =>
  new ConnectorError({
    connector: "postgres",
    operation,
    detail,
    action: "Nothing was stored. Try again; if it repeats, report it with the server's version.",
    reason: new InvalidData({ detail })
  })

/** Another session holds the slot; if it is dead, the server ends it within `leavesWithin`. */
export const busy = (
  operation: string,
  detail: string,
  holder: string,
  leavesWithin?: Duration.Duration
): ConnectorError =>
  new ConnectorError({
    connector: "postgres",
    operation,
    detail,
    action: "Stop the other reader, or wait until it ends.",
    reason: new Busy({ holder, ...(leavesWithin === undefined ? {} : { leavesWithin }) })
  })

/** The server does not answer any more. */
export const unavailable = (operation: string, detail: string): ConnectorError =>
  new ConnectorError({
    connector: "postgres",
    operation,
    detail,
    action: checkNetwork,
    reason: new Unavailable({ cause: new Error(detail) })
  })

const checkNetwork = "Check that the server runs and that host and port of the URL are right."

/** Connection lost, serialisation failures, exhausted resources, operator intervention, internal errors. */
const retryable = ["08", "40", "53", "57", "XX"]

const codeOf = (thrown: unknown): string =>
  typeof thrown === "object" && thrown !== null && "code" in thrown && typeof thrown.code === "string"
    ? thrown.code
    : ""

const messageOf = (thrown: unknown): string =>
  thrown instanceof AggregateError && thrown.message === ""
    ? thrown.errors.map(messageOf).join(", ")
    : typeof thrown === "object" && thrown !== null && "message" in thrown
      ? String(thrown.message)
      : "unknown failure"

/** `replication slot "x" is active for PID 42` */
const holderOf = (text: string): string => /PID \d+/.exec(text)?.[0] ?? "another session"
