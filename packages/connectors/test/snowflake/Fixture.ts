import { Effect, Redacted, type Scope } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { type LocalSnowflake, type Options, start } from "../../src/local/snowflake/LocalSnowflake.ts"
import * as SnowflakeClient from "../../src/snowflake/SnowflakeClient.ts"
import { resolve, type SnowflakeConfig } from "../../src/snowflake/SnowflakeConfig.ts"
import * as SnowflakeSession from "../../src/snowflake/SnowflakeSession.ts"
import type { Session } from "../../src/warehouse/Warehouse.ts"

/** A local Snowflake with a database, and how the client reaches it as its administrator. */
export interface Account {
  readonly local: LocalSnowflake
  readonly config: SnowflakeConfig
  /** A new session; sessions opened with one `Account` know of each other's losses. */
  readonly session: (changes?: Partial<SnowflakeConfig>) => Effect.Effect<Session, ConnectorError, Scope.Scope>
}

/** Starts a local Snowflake; `url` is what the landing stage is over. */
export const account = (
  options: Options & { readonly url?: string } = {}
): Effect.Effect<Account, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const stage = options.url === undefined ? [] : [`CREATE STAGE northstar.northstar.landing URL = '${options.url}'`]
    const setup = [
      "CREATE WAREHOUSE load_wh WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE",
      "CREATE DATABASE northstar",
      "CREATE SCHEMA northstar.northstar",
      ...stage
    ]
    const local = yield* start({ setup, ...options })
    const config: SnowflakeConfig = {
      account: local.account,
      user: local.admin.user,
      role: "ACCOUNTADMIN",
      warehouse: "LOAD_WH",
      database: "NORTHSTAR",
      privateKey: Redacted.make(local.admin.privateKey),
      accessUrl: local.accessUrl
    }
    const driver = yield* SnowflakeClient.load
    const detached: SnowflakeSession.Detached = new Set()
    const session = (changes: Partial<SnowflakeConfig> = {}) =>
      Effect.flatMap(resolve({ ...config, ...changes }), (resolved) =>
        SnowflakeSession.open(driver, resolved, detached)
      )
    return { local, config, session }
  })
