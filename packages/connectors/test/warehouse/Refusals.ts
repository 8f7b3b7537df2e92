import { globSync, renameSync } from "node:fs"
import { join } from "node:path"
import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as SnowflakeAccount from "./SnowflakeAccount.ts"

type Account = Effect.Success<typeof SnowflakeAccount.make>

/** Statements of an administrator, or anything else. */
export type Act = ReadonlyArray<string> | ((account: Account) => Effect.Effect<unknown, ConnectorError>)

/** Something that is wrong when a cycle begins, what the cycle says of it, and how a person mends it. */
export interface Refusal {
  readonly name: string
  readonly break?: Act
  /** What the program's configuration says wrongly. */
  readonly configured?: SnowflakeAccount.Changes
  readonly reason: ConnectorError["reason"]["_tag"]
  readonly says: RegExp
  readonly action: RegExp
  readonly mend?: Act | "apply"
}

const other = SnowflakeAccount.keyPair()
const stage = (url: string) => `CREATE OR REPLACE STAGE northstar.northstar.landing URL = '${url}'`
const newest = (folder: string, ending: string) =>
  join(folder, globSync(`**/*.${ending}`, { cwd: folder }).toSorted().at(-1) ?? "none")
const grantStage = ["loader", "publisher"].map(
  (role) => `GRANT USAGE ON STAGE northstar.northstar.landing TO ROLE northstar_${role}`
)
/** The client gives a statement up after so many answers lost. */
const tries = 7
const cut = (when: "before" | "after", matches: RegExp) => (account: Account) =>
  Effect.sync(() => account.local.faults.add({ kind: "status", when, status: 400, matches, times: tries }))

/** What can be wrong with an account, and with the way to it. */
export const refusals: ReadonlyArray<Refusal> = [
  {
    name: "a wrong key",
    configured: { privateKey: other.privateKey },
    reason: "Unauthorized",
    says: /refused the key of user PROGRAM/,
    action: /RSA_PUBLIC_KEY_FP/
  },
  {
    name: "a text that is no key",
    configured: { privateKey: "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----" },
    reason: "Misconfigured",
    says: /private key of user PROGRAM cannot be read/,
    action: /PKCS #8/
  },
  {
    name: "a key that was replaced at Snowflake",
    break: [`ALTER USER program SET RSA_PUBLIC_KEY = '${other.publicKey}'`],
    reason: "Unauthorized",
    says: /refused the key of user PROGRAM/,
    action: /DESC USER PROGRAM/,
    mend: ({ local, key }) => local.execute(`ALTER USER program SET RSA_PUBLIC_KEY = '${key.publicKey}'`)
  },
  {
    name: "a role that the user does not have",
    configured: { role: "NORTHSTAR_AUDITOR" },
    reason: "Unauthorized",
    says: /may not use role NORTHSTAR_AUDITOR/,
    action: /grant the role/
  },
  {
    name: "a suspended warehouse that does not resume",
    break: ["ALTER WAREHOUSE northstar_load SET AUTO_RESUME = FALSE", "ALTER WAREHOUSE northstar_load SUSPEND"],
    reason: "Misconfigured",
    says: /warehouse NORTHSTAR_LOAD .*suspended/,
    action: /warehouse apply/,
    mend: "apply"
  },
  {
    name: "a warehouse that does not exist",
    configured: { warehouse: "NO_SUCH" },
    reason: "Misconfigured",
    says: /warehouse NO_SUCH does not exist/,
    action: /warehouse apply/
  },
  {
    name: "a database that does not exist",
    configured: { database: "NO_SUCH" },
    reason: "Misconfigured",
    says: /does not exist/,
    action: /warehouse apply/
  },
  {
    name: "a missing grant",
    break: ["REVOKE INSERT ON TABLE northstar.curated.orders__history FROM ROLE northstar_publisher"],
    reason: "Unauthorized",
    says: /role NORTHSTAR_PUBLISHER lacks a right/,
    action: /warehouse apply/,
    mend: "apply"
  },
  {
    name: "a resource monitor that has reached its quota",
    break: ({ local }) =>
      Effect.gen(function* () {
        // A minute of the largest warehouse is more than the quota.
        yield* local.execute("ALTER WAREHOUSE northstar_load SET WAREHOUSE_SIZE = '4XLARGE'")
        yield* local.execute("ALTER RESOURCE MONITOR northstar_load SET CREDIT_QUOTA = 1")
        yield* local.execute("ALTER WAREHOUSE northstar_load SUSPEND")
      }),
    reason: "Misconfigured",
    says: /resource monitor of warehouse NORTHSTAR_LOAD has reached its quota/,
    action: /raise the monitor's credit quota/,
    mend: "apply"
  },
  {
    name: "a column dropped by hand",
    break: ["ALTER TABLE northstar.curated.orders DROP COLUMN spare"],
    reason: "Misconfigured",
    says: /does not have a column .*SPARE/,
    action: /warehouse (plan|apply)/,
    mend: "apply"
  },
  {
    name: "a dropped table",
    break: ["DROP TABLE northstar.northstar.held"],
    reason: "Misconfigured",
    says: /HELD.* does not exist/i,
    action: /warehouse apply/,
    mend: "apply"
  },
  {
    name: "a dropped stage",
    break: ["DROP STAGE northstar.northstar.landing"],
    reason: "Misconfigured",
    says: /LANDING.* does not exist/i,
    action: /warehouse apply/,
    mend: "apply"
  },
  {
    name: "a stage over another place",
    break: [stage("file:///nowhere/at/all/"), ...grantStage],
    reason: "InvalidData",
    says: /a file that the landing log names is not in the stage/,
    action: /Nothing was published\. Check that the stage's URL/,
    mend: ({ local, folder }) =>
      Effect.forEach([stage(`file://${folder}/`), ...grantStage], (sql) => local.execute(sql))
  },
  {
    name: "a file deleted between LIST and COPY",
    break: ({ folder }) =>
      Effect.sync(() => renameSync(newest(folder, "parquet"), `${newest(folder, "parquet")}.away`)),
    reason: "InvalidData",
    says: /a file that the landing log names is not in the stage/,
    action: /Nothing was published/,
    mend: ({ folder }) =>
      Effect.sync(() => renameSync(newest(folder, "away"), newest(folder, "away").slice(0, -".away".length)))
  },
  {
    name: "the network cut before COMMIT",
    break: cut("before", /^COMMIT/),
    reason: "Unavailable",
    says: /outcome unknown: COMMIT was sent/,
    action: /Run again: it reads the watermark/
  },
  {
    name: "the network cut after COMMIT",
    break: cut("after", /^COMMIT/),
    reason: "Unavailable",
    says: /outcome unknown: COMMIT was sent/,
    action: /Run again: it reads the watermark/
  },
  {
    name: "the network cut at the first statement of a session",
    break: cut("before", /^ALTER SESSION/),
    reason: "Unavailable",
    says: /the session was lost \(ALTER SESSION SET TIMEZONE\)/,
    action: /new session/
  },
  {
    name: "a session that Snowflake ends in the transaction",
    break: ({ local }) =>
      Effect.sync(() => local.faults.add({ kind: "gone", detached: false, matches: /^MERGE/, times: 1 })),
    reason: "Unavailable",
    says: /nothing of it was committed/,
    action: /new session/
  }
]
