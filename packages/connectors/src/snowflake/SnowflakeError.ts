import { ConnectorError, InvalidData, Unavailable } from "@northstar/core/ConnectorError"
import { kindOf, type Subject } from "./SnowflakeErrorKind.ts"

const connector = "snowflake"

/** What the driver reports, reduced to what may be looked at. `message` can hold row values: it decides, but is never passed on. */
export interface DriverFailure {
  /** Snowflake's code of 6 digits, or the driver's own (4xxxxx); `000000` when there is none. */
  readonly code: string
  readonly message: string
  /** HTTP status, when the answer was not Snowflake's. */
  readonly status: number | undefined
  readonly queryId: string | undefined
}

/** Reads the driver's error object. */
export const failureOf = (cause: unknown): DriverFailure => {
  // Sound: every field is checked, and an Error of any other origin has none of them.
  const error = (cause ?? {}) as {
    readonly code?: unknown
    readonly message?: unknown
    readonly response?: { readonly statusCode?: unknown }
    readonly data?: { readonly queryId?: unknown }
  }
  const { code, message, response, data } = error
  return {
    code: typeof code === "string" || typeof code === "number" ? String(code).padStart(6, "0") : "000000",
    message: typeof message === "string" ? message : "",
    status: typeof response?.statusCode === "number" ? response.statusCode : undefined,
    queryId: typeof data?.queryId === "string" ? data.queryId : undefined
  }
}

/** Nobody knows whether the request was executed: no answer came, or one that is not Snowflake's. */
export const isUnanswered = ({ code }: DriverFailure): boolean => /^(40100[123]|40200[12]|000000)$/.test(code)

/** The session no longer exists, or its tokens cannot be renewed. */
export const isGone = ({ code }: DriverFailure): boolean => /^(390104|390111|390114|401004|407001|407002)$/.test(code)

/** The first words of a statement, up to its first literal or symbol: enough to find it, never a value. */
const opening = (sql: string): string =>
  /^\s*((?:[a-z_][\w$.]*|"[\w$.]*")(?:\s+(?:[a-z_][\w$.]*|"[\w$.]*")){0,3})/i.exec(sql)?.[1]?.slice(0, 80) ??
  "a statement"

/** A failure of the driver as ours: no row values, no literals, no secrets; the query id finds the rest in Snowflake. */
export const fromSnowflake = (subject: Subject, failure: DriverFailure): ConnectorError => {
  const where = subject.sql === undefined ? subject.operation : opening(subject.sql)
  const { code, message, status, queryId } = failure
  const { detail, action, reason } = kindOf(code, message)({ ...subject, where, code, message, status })
  return new ConnectorError({
    connector,
    operation: subject.operation,
    detail: queryId === undefined ? detail : `${detail}, query ${queryId}`,
    action,
    reason
  })
}

/** A session that cannot go on; `detail` says what that means for the statement. */
export const lost = (operation: string, detail: string, action: string): ConnectorError =>
  new ConnectorError({ connector, operation, detail, action, reason: new Unavailable({ cause: detail }) })

/** What came back, or was about to be sent, is not what may be. */
export const refused = (operation: string, detail: string, action: string): ConnectorError =>
  new ConnectorError({ connector, operation, detail, action, reason: new InvalidData({ detail }) })

/** What a statement whose answer was lost with its session means. */
export const outcomeOf = (
  sql: string,
  isInTransaction: boolean
): { readonly detail: string; readonly action: string } => {
  if (/^\s*commit\b/i.test(sql)) {
    return {
      detail: "outcome unknown: COMMIT was sent, and its answer was lost with the session",
      action: "Run again: it reads the watermark, and goes on from what was committed"
    }
  }
  const where = opening(sql)
  if (isInTransaction) {
    return {
      detail: `the session was lost in a transaction (${where}): nothing of it was committed`,
      action: "Run the transaction again in a new session"
    }
  }
  return /^\s*(select|show|with|desc|begin|rollback|alter session)\b/i.test(sql)
    ? { detail: `the session was lost (${where})`, action: "Run it again in a new session" }
    : {
        detail: `outcome unknown: the session was lost (${where})`,
        action: "Run it again in a new session, after a look at whether it was executed"
      }
}
