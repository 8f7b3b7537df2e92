import { maskText } from "@northstar/connectors/cards/Tripwire"
import { Cause, Predicate, Schema } from "effect"
import { codeOf, type ExitName } from "./ExitCode.ts"

/** A failure as people and programs see it: what failed on what, and what to do next. */
export interface Failure {
  readonly code: number
  readonly name: ExitName
  readonly message: string
  readonly action: string
}

/** By the tag of an error, or of a `ConnectorError`'s reason. */
const names: Readonly<Record<string, ExitName>> = {
  Unavailable: "unavailable",
  RateLimited: "unavailable",
  Busy: "busy",
  Unauthorized: "misconfigured",
  Misconfigured: "misconfigured",
  InvalidData: "bad_data",
  StorageFull: "storage_full",
  HistoryLost: "history_lost",
  WatermarkConflict: "busy",
  ExpectationFailed: "bad_data",
  LedgerError: "unavailable"
}

/** An argument of the command line of which only its use shows that it is wrong. */
export class WrongArgument extends Schema.TaggedError<WrongArgument>()("WrongArgument", {
  detail: Schema.String,
  action: Schema.String
}) {}

/** The failure behind a cause: its first typed error; anything else is a defect. */
export const fromCause = (cause: Cause.Cause<unknown>): Failure => {
  const reason = cause.reasons.find(Cause.isFailReason)
  return reason === undefined ? defect(Cause.squash(cause)) : fromError(reason.error)
}

/** The failure behind a thrown or typed error. */
export const fromError = (error: unknown): Failure => {
  const tag = Predicate.hasProperty(error, "_tag") ? String(error._tag) : ""
  if (tag === "ConnectorError" && isDetailed(error)) {
    const name = names[error.reason._tag] ?? "defect"
    return make(name, `${error.connector}: ${error.operation}: ${error.detail}`, error.action)
  }
  const name = names[tag]
  if (name !== undefined && error instanceof Error) return split(name, error.message)
  if (error instanceof WrongArgument) return make("usage", error.detail, error.action)
  if (isUsage(error)) return usage(error.message)
  return defect(error)
}

/** A wrong command line. */
const usage = (message: string): Failure =>
  make(
    "usage",
    message.replace(/\n?See more help with --help\n?/, "").trim(),
    "Run the command with --help to see its flags and arguments."
  )

/** The text for a terminal or a log. */
export const render = ({ action, message, name }: Failure): string => {
  const isAsked = name === "interrupted" || name === "terminated"
  return `${isAsked ? "" : "error: "}${message}\n${action === "" ? "" : `next:  ${action}\n`}`
}

/** A stop that was asked for. */
export const stopped = (name: "interrupted" | "terminated"): Failure =>
  make(name, "Stopped as asked; nothing was lost.", "Run the command again to go on from where it stands.")

const make = (name: ExitName, message: string, action: string): Failure => ({
  code: codeOf(name),
  name,
  // Whatever an outside system's message quotes: no card number is shown.
  message: maskText(message),
  action: maskText(action)
})

const defect = (error: unknown): Failure =>
  make(
    "defect",
    error instanceof Error ? error.message : String(error),
    "This is a bug: run again with --debug and report what it prints."
  )

/** Messages of the core say what failed and then, behind the last full stop, what to do. */
const split = (name: ExitName, message: string): Failure => {
  const at = message.lastIndexOf(". ")
  return at < 0 ? make(name, message, "") : make(name, message.slice(0, at), message.slice(at + 2))
}

interface Detailed {
  readonly connector: string
  readonly operation: string
  readonly detail: string
  readonly action: string
  readonly reason: { readonly _tag: string }
}

/** By shape and not by class: a project may bring its own copy of the core. */
const isDetailed = (error: unknown): error is Detailed =>
  Predicate.hasProperty(error, "connector") &&
  Predicate.hasProperty(error, "detail") &&
  Predicate.hasProperty(error, "action") &&
  Predicate.hasProperty(error, "reason") &&
  Predicate.hasProperty(error.reason, "_tag")

/** What oclif throws for a command line it does not understand. */
const isUsage = (error: unknown): error is Error =>
  error instanceof Error &&
  Predicate.hasProperty(error, "oclif") &&
  Predicate.hasProperty(error.oclif, "exit") &&
  error.oclif.exit === codeOf("usage")
