import { Effect, Layer } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as SnowflakeClient from "./SnowflakeClient.ts"
import { resolve, type SnowflakeConfig } from "./SnowflakeConfig.ts"
import { snowflake as dialect } from "./SnowflakeDialect.ts"
import * as SnowflakeSegments from "./SnowflakeSegments.ts"
import * as SnowflakeSession from "./SnowflakeSession.ts"
import { usage } from "./SnowflakeUsage.ts"

/**
 * The warehouse in a Snowflake account, through the official driver. Building the layer reads the key and loads the driver
 * but makes no connection; each session is a login. No login and no metadata statement starts the virtual warehouse.
 *
 * Every statement is executed once, also when its answer is lost. A session that is lost fails with `Unavailable`, and every
 * later statement on it: after COMMIT the detail says "outcome unknown", and the next session reads what was committed.
 *
 * Values of results: FLOAT is a number, BOOLEAN a boolean, all else text (NUMBER, dates and times in UTC, BINARY as hex,
 * VARIANT as JSON).
 */
export const layer = (config: SnowflakeConfig): Layer.Layer<Warehouse, ConnectorError> =>
  Layer.effect(Warehouse, make(config))

const make = Effect.fn("Snowflake.make")(function* (config: SnowflakeConfig) {
  const resolved = yield* resolve(config)
  const driver = yield* SnowflakeClient.load
  const detached: SnowflakeSession.Detached = new Set()
  return Warehouse.of({
    dialect,
    session: SnowflakeSession.open(driver, resolved, detached),
    attach: (session, table, segments) =>
      SnowflakeSegments.attach(session, { dialect, stage: resolved.stage }, table, segments),
    usage
  })
})
