import { Duration } from "effect"
import {
  Busy,
  type ConnectorError,
  InvalidData,
  Misconfigured,
  Unauthorized,
  Unavailable
} from "@northstar/core/ConnectorError"
import { conflictReason, missingReason, mistakeReason } from "../warehouse/Warehouse.ts"
import type { SnowflakeConfig } from "./SnowflakeConfig.ts"

/** What a failure is about. */
export interface Subject {
  readonly config: SnowflakeConfig
  readonly operation: string
  readonly sql?: string
}

/** A failure with what it is about. `message` decides, but is never passed on. */
export interface Case extends Subject {
  readonly where: string
  readonly message: string
  readonly code: string
  readonly status: number | undefined
}

/** What we say of a failure. */
export type Kind = (subject: Case) => {
  readonly detail: string
  readonly action: string
  readonly reason: ConnectorError["reason"]
}

const unauthorized = (detail: string, action: string) => ({
  detail,
  action,
  reason: new Unauthorized({ cause: detail })
})
const misconfigured = (detail: string, action: string) => ({ detail, action, reason: new Misconfigured({ detail }) })
const invalid = (detail: string, action: string) => ({ detail, action, reason: new InvalidData({ detail }) })
const unavailable = (detail: string, action: string) => ({ detail, action, reason: new Unavailable({ cause: detail }) })

const apply = "Run `northstar warehouse apply`"

/**
 * How long a killed program's transaction may keep its locks: Snowflake aborts the statement that was under way 5 minutes
 * after the connection was lost (ABORT_DETACHED_QUERY), and then the transaction once it has stood idle for 5 minutes while
 * it blocked another one.
 */
const deadLocksWithin = Duration.minutes(11)

/**
 * The first pattern that `<code> <message>` matches decides. Codes as Snowflake documents or prints them; a message is
 * matched too where several codes say the same.
 */
const kinds: ReadonlyArray<readonly [RegExp, Kind]> = [
  [
    /^(390144|3943\d\d) /,
    ({ config }) =>
      unauthorized(
        `Snowflake refused the key of user ${config.user} in account ${config.account}`,
        `Compare the key with DESC USER ${config.user} (RSA_PUBLIC_KEY_FP), check the spelling of account and user, and this machine's clock`
      )
  ],
  [
    /^390189 /,
    ({ config }) =>
      unauthorized(
        `user ${config.user} may not use role ${config.role}, or it does not exist`,
        `${apply}, or grant the role`
      )
  ],
  [
    /^39042\d /,
    ({ config }) =>
      unauthorized(
        `the network policy of account ${config.account} does not allow this machine's address`,
        "Add the address to the network policy of the user"
      )
  ],
  [
    /^39010\d .*(disabled|locked)/,
    ({ config }) =>
      unauthorized(
        `user ${config.user} is locked or disabled`,
        `Enable it: ALTER USER ${config.user} SET DISABLED = FALSE, or wait until a temporary lock ends`
      )
  ],
  [
    /^3901(00|01|02|03|05|06|07) /,
    ({ config }) =>
      unauthorized(
        `Snowflake does not know user ${config.user} in account ${config.account}, or refused it`,
        "Check account, user and key"
      )
  ],
  [
    /^(390104|390111|390112|390114|401004|40700[12]) /,
    ({ where }) => unavailable(`the session is gone (${where})`, "Run it again in a new session")
  ],
  [
    /^090073 |resource monitor/i,
    ({ config }) =>
      misconfigured(
        `the resource monitor of warehouse ${config.warehouse} has reached its quota`,
        "Nothing is lost: raise the monitor's credit quota or wait for its next period, then run again. `northstar cost` shows what used it"
      )
  ],
  [
    /^(00060[6789]|390201|09006\d) |warehouse .*(suspended|cannot be resumed|does not exist)/i,
    ({ config }) =>
      misconfigured(
        `warehouse ${config.warehouse} does not exist, is suspended, or role ${config.role} may not use it`,
        `${apply}; it grants USAGE and OPERATE and sets AUTO_RESUME`
      )
  ],
  [
    /deadlock|run the transaction again/i,
    ({ where }) => ({
      detail: `transaction conflict (${where})`,
      action: "Run the transaction again",
      reason: conflictReason()
    })
  ],
  [
    /^000625 |^000626 |has locked (table|partition)|lock has not yet been released/i,
    ({ where }) => {
      const detail = `another transaction holds a lock on the table (${where})`
      const action = "Run it again; SHOW LOCKS names the transaction, and SYSTEM$ABORT_TRANSACTION ends it"
      return { detail, action, reason: new Busy({ holder: "another transaction", leavesWithin: deadLocksWithin }) }
    }
  ],
  [
    /^000630 /,
    ({ where }) =>
      unavailable(
        `the statement timeout was reached (${where})`,
        "Load less at once, use a larger warehouse, or raise statementTimeoutSeconds"
      )
  ],
  [/^000604 /, ({ where }) => unavailable(`it was cancelled (${where})`, "Run it again")],
  [
    /^091016 |remote file .*not found/i,
    ({ where }) =>
      invalid(
        `a file that the landing log names is not in the stage (${where})`,
        "Nothing was published. Check that the stage's URL is the landing log's, and that nobody removed its files"
      )
  ],
  [
    /^(091\d\d\d|1000(65|69)\d?) .*(403|AccessDenied|access denied|not authorized)/i,
    ({ where }) =>
      unauthorized(
        `the stage's bucket refused Snowflake (${where})`,
        "Check the storage integration and the bucket's policy"
      )
  ],
  [
    /^091\d\d\d |stage area/i,
    ({ where }) =>
      unavailable(
        `the stage cannot be reached (${where})`,
        "Check the stage's URL and storage integration, then run again"
      )
  ],
  [
    /^(002003|002043|002001|00200[24]|090105|090106) /,
    ({ where, message, config }) => ({
      detail: `${namesIn(message)} does not exist, or role ${config.role} may not see it (${where})`,
      action: `${apply}: it says what is missing and creates it`,
      reason: missingReason()
    })
  ],
  [
    /^000904 /,
    ({ where, message }) => ({
      detail: `the warehouse does not have a column that the statement names${columnIn(message)} (${where})`,
      action: `Nothing was written. If a column was changed by hand: \`northstar warehouse plan\` says what differs from the contracts, apply adds it`,
      reason: missingReason()
    })
  ],
  [
    /^0030\d\d /,
    ({ where, config }) =>
      unauthorized(
        `role ${config.role} lacks a right (${where})`,
        `${apply} as an administrator: it grants what is missing`
      )
  ],
  [
    /^100090 /,
    ({ where }) => invalid(`several rows for one key (${where})`, "Reduce to one row a key before the MERGE")
  ],
  [
    /^100152 |parsing the parquet file/i,
    ({ where }) =>
      invalid(
        `a file in the stage is not the Parquet file that was written (${where})`,
        "Nothing was published. Compare the stage's bucket with the landing log's checksums (northstar doctor)"
      )
  ],
  [
    /^100\d\d\d /,
    ({ where }) => ({
      detail: `a value does not fit its column's type (${where})`,
      action: "Nothing was written. Check the types of the values it reads",
      reason: mistakeReason()
    })
  ],
  [
    /^00[0-3]\d\d\d .*(SQL compilation error|invalid (identifier|parameter)|syntax|unsupported feature)/is,
    ({ where, message, code }) => {
      const at = /line \d+ at position \d+/.exec(message)?.slice(0, 1) ?? []
      const about =
        /(invalid identifier|invalid parameter|unsupported feature) '([\w$.": =()]+)'/i.exec(message)?.slice(1, 3) ?? []
      const detail = [`SQL error ${code} (${where})`, ...at, about.join(" ")].filter(Boolean).join(", ")
      return { detail, action: "Correct the statement", reason: mistakeReason() }
    }
  ],
  [
    /^(3\d\d\d\d\d|000603) /,
    ({ where, code }) => unavailable(`Snowflake failed inside, error ${code} (${where})`, "Run it again")
  ],
  [
    /^(40100[123]|40200[12]|000000) /,
    ({ where, status, config }) => {
      const answer = status === undefined ? "" : `: HTTP status ${status}`
      const host = config.accessUrl ?? `account ${config.account}`
      return unavailable(
        `${host} does not answer${answer} (${where})`,
        "Check the network and the account's name, then run again"
      )
    }
  ],
  [
    /^404\d\d\d /,
    ({ code, config }) =>
      misconfigured(
        `the driver refused the connection's settings (error ${code}, account ${config.account})`,
        "Check account, user, key and accessUrl"
      )
  ]
]

/** The object a message is about: `Object 'DB.S.T' does not exist`. Names only, since other quoted texts could be values. */
const namesIn = (message: string): string =>
  /\b([A-Z][a-z]+(?: [a-z]+)?) '([\w$."]+)' does not exist/.exec(message)?.slice(1, 3).join(" ") ?? "an object"

/** The column a message is about: `invalid identifier 'T.NAME'`. */
const columnIn = (message: string): string => {
  const [, name] = /invalid identifier '([\w$."]+)'/i.exec(message) ?? []
  return name === undefined ? "" : `: ${name}`
}

const unknown: Kind = ({ code, where }) =>
  invalid(`error ${code} (${where})`, "Look the query up in Snowflake's query history")

/** The kind of a failure by its code and message. */
export const kindOf = (code: string, message: string): Kind =>
  kinds.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1] ?? unknown
