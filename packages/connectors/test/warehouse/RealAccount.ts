import { join } from "node:path"
import { Layer } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import type { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as S3Store from "../../src/s3/S3Store.ts"
import type { SnowflakeConfig } from "../../src/snowflake/SnowflakeConfig.ts"

/** A Snowflake account for tests: a database that they may empty, and a bucket that it reads. */
export interface RealAccount {
  readonly config: SnowflakeConfig
  readonly bucket: string
  readonly region: string
  /** Statements that empty the database and put the stage over the bucket. */
  readonly reset: ReadonlyArray<string>
}

const required = ["ACCOUNT", "USER", "PRIVATE_KEY_FILE", "ROLE", "WAREHOUSE", "DATABASE", "STAGE_URL"] as const

/** The account that the environment describes, or why there is none. */
export const describe = (env: NodeJS.ProcessEnv): RealAccount | string => {
  const of = (name: string) => env[`NORTHSTAR_SNOWFLAKE_${name}`] ?? ""
  const missing = required.filter((name) => of(name) === "").map((name) => `NORTHSTAR_SNOWFLAKE_${name}`)
  if (missing.length > 0) return `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not set`
  const [database, url] = [of("DATABASE").toUpperCase(), of("STAGE_URL")]
  // The tests drop schemas: they must not be pointed at anything that somebody needs.
  if (!/^\w*TEST\w*$/.test(database)) return `the name of the database ${database} does not contain TEST`
  const bucket = /^s3:\/\/([a-z0-9.-]+)\/$/.exec(url)?.[1]
  if (bucket === undefined) return `NORTHSTAR_SNOWFLAKE_STAGE_URL is not a whole bucket, such as s3://northstar-test/`
  const region = env["AWS_REGION"] ?? ""
  if (region === "") return "AWS_REGION is not set: the tests write to the bucket"
  const integration = of("STORAGE_INTEGRATION")
  return {
    bucket,
    region,
    config: {
      account: of("ACCOUNT"),
      user: of("USER"),
      role: of("ROLE"),
      warehouse: of("WAREHOUSE"),
      database,
      privateKey: { file: of("PRIVATE_KEY_FILE") },
      ...(of("ACCESS_URL") === "" ? {} : { accessUrl: of("ACCESS_URL") })
    },
    reset: [
      ...["northstar", "curated", "marts"].flatMap((schema) => [
        `CREATE SCHEMA IF NOT EXISTS ${database}.${schema}`,
        `DROP SCHEMA ${database}.${schema} CASCADE`,
        `CREATE SCHEMA ${database}.${schema}`
      ]),
      `CREATE STAGE ${database}.northstar.landing URL = '${url}'${integration === "" ? "" : ` STORAGE_INTEGRATION = ${integration}`}`
    ]
  }
}

/** Set by `npm run test:snowflake` alone, so that no other run of the tests touches an account. */
export const isWanted = "NORTHSTAR_TEST_SNOWFLAKE_ACCOUNT"

const wanted = process.env[isWanted] === undefined ? undefined : describe(process.env)

/** The account to test on; `undefined`: a local one. */
export const realAccount = typeof wanted === "string" ? undefined : wanted

/** Where segments land: in a folder that a local account reads, or in the bucket of a real one. */
export const storeAt = (root: string): Layer.Layer<ObjectStore, ConnectorError> =>
  realAccount === undefined
    ? FolderStore.layer(root)
    : S3Store.layer({ bucket: realAccount.bucket, region: realAccount.region, spool: join(root, "spool") })

/** How long a test may take: statements of a real account take a hundred times as long. */
export const patience = (localMs: number): number => (realAccount === undefined ? localMs : 60 * 60_000)
