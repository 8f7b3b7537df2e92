import { createPrivateKey } from "node:crypto"
import { readFile } from "node:fs/promises"
import { Effect, Redacted } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { ObjectsOptions } from "./SnowflakeObjects.ts"

/** Which Snowflake account is the warehouse, and as whom it is used. Plain data; names as in Snowflake. */
export interface SnowflakeConfig {
  /** Account identifier: `<organisation>-<account>`. */
  readonly account: string
  readonly user: string
  readonly role: string
  /** The virtual warehouse that this program's statements run on: one per workload. */
  readonly warehouse: string
  /** The one that backfills run on, so that they never touch the other. Default `NORTHSTAR_BACKFILL`. */
  readonly backfillWarehouse?: string
  readonly database: string
  /** The user's private key: PEM text (PKCS #8), or the file that holds it. */
  readonly privateKey: Redacted.Redacted | { readonly file: string }
  /** Of an encrypted private key. */
  readonly passphrase?: Redacted.Redacted
  /** Of another server than the account's own, such as the local one: `http://127.0.0.1:8084`. */
  readonly accessUrl?: string
  /** External stage over the landing log's bucket, `<schema>.<stage>`: keys of the log are paths in it. Default `northstar.landing`. */
  readonly stage?: string
  /** Added to the query tag of every statement, beside what the caller says in `StatementTag`. */
  readonly queryTag?: Readonly<Record<string, string>>
  /** A statement that runs longer is cancelled. Default 1800. */
  readonly statementTimeoutSeconds?: number
  /** A statement that waits longer for another transaction's lock fails with `Busy`. Default 60. */
  readonly lockTimeoutSeconds?: number
  /** How often a program that keeps running loads: what decides the cost. Default 300. */
  readonly cadenceSeconds?: number
  /** What `northstar warehouse apply` makes otherwise than by default. */
  readonly objects?: ObjectsConfig
}

/** The account's objects, as far as the project decides on them. */
export interface ObjectsConfig extends Pick<ObjectsOptions, "sizes" | "accountCreditsPerMonth" | "martReaders"> {
  /** ARN of the IAM role by which the account reads the landing bucket. */
  readonly storageRoleArn?: string
}

/** Whether it is a server on this machine, whose times and costs say nothing about Snowflake's. */
export const isLocal = ({ accessUrl }: SnowflakeConfig): boolean => accessUrl?.startsWith("http://") ?? false

/** Schema of the ledger, the landing stage and everything that belongs to a session. */
export const schema = "northstar"

/** A config with its defaults, and the key as unencrypted PEM. */
export interface Resolved {
  readonly config: SnowflakeConfig
  readonly privateKey: Redacted.Redacted
  readonly stage: string
  readonly statementTimeoutSeconds: number
  readonly lockTimeoutSeconds: number
}

/** Reads and decrypts the key. Fails with `Misconfigured` when that is not possible, before any connection is made. */
export const resolve = Effect.fn("SnowflakeConfig.resolve")(function* (
  config: SnowflakeConfig
): Effect.fn.Return<Resolved, ConnectorError> {
  return {
    config,
    privateKey: yield* decrypt(config, yield* pemOf(config)),
    stage: config.stage ?? `${schema}.landing`,
    statementTimeoutSeconds: config.statementTimeoutSeconds ?? 1800,
    lockTimeoutSeconds: config.lockTimeoutSeconds ?? 60
  }
})

const pemOf = ({ privateKey }: SnowflakeConfig): Effect.Effect<string, ConnectorError> => {
  if (Redacted.isRedacted(privateKey)) return Effect.succeed(Redacted.value(privateKey))
  const { file } = privateKey
  return Effect.tryPromise({
    try: () => readFile(file, "utf8"),
    catch: () =>
      unusable(`the private key's file ${file} cannot be read`, "Check its path and this user's rights on it")
  })
}

/** Node's message about a key can name what is in it, so only our own words survive. */
const decrypt = (
  { user, passphrase }: SnowflakeConfig,
  pem: string
): Effect.Effect<Redacted.Redacted, ConnectorError> =>
  Effect.try({
    try: () => {
      const secret = passphrase === undefined ? {} : { passphrase: Redacted.value(passphrase) }
      const key = createPrivateKey({ key: pem, format: "pem", ...secret })
      if (key.asymmetricKeyType !== "rsa") throw new TypeError("not an RSA key")
      return Redacted.make(key.export({ format: "pem", type: "pkcs8" }).toString())
    },
    catch: () =>
      unusable(
        `the private key of user ${user} cannot be read${passphrase === undefined ? "" : " with its passphrase"}`,
        "Give an RSA key in PEM (PKCS #8), and its passphrase if it is encrypted"
      )
  })

const unusable = (detail: string, action: string) =>
  new ConnectorError({
    connector: "snowflake",
    operation: "open",
    detail,
    action,
    reason: new Misconfigured({ detail })
  })
