import { randomUUID } from "node:crypto"
import { cpSync } from "node:fs"
import { type LocalSnowflake, start } from "@northstar/connectors/local/snowflake/LocalSnowflake"
import * as Services from "@northstar/connectors/project/Services"
import { load, loadKey } from "@northstar/connectors/project/Streams"
import * as Migrate from "@northstar/connectors/warehouse/Migrate"
import * as Model from "@northstar/connectors/warehouse/Model"
import { Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import { Effect, type Scope } from "effect"
import * as Oracle from "./Oracle.ts"
import type { Place } from "./Scenario.ts"
import * as Stand from "./Stand.ts"

/** A killed process leaves its transaction and locks behind: Snowflake rolls them back after minutes, this one soon. */
const idleAbortMs = 1000

/** Stands on one local Snowflake in this process, each with a database of its own. */
export const make: Effect.Effect<Place, ConnectorError, Scope.Scope> = Effect.gen(function* () {
  const setup = ["LOAD_WH", "NORTHSTAR_BACKFILL"].map((name) => `CREATE WAREHOUSE ${name}`)
  const local = yield* start({ setup, behaviour: { idleAbortMs } })
  const equip = (stand: Stand.Stand) => Effect.orDie(database(local, stand))
  return {
    equip,
    copy: Effect.fnUntraced(function* (from) {
      const folder = yield* Stand.folder
      cpSync(Stand.landing(from), Stand.landing({ ...from, folder }), { recursive: true })
      const stand = yield* equip({ url: from.url, folder })
      yield* Effect.orDie(loadAgain(from, stand))
      return stand
    })
  }
})

/** The stand with a database that has the shop's tables, over its landing log. */
const database = (local: LocalSnowflake, { url, folder }: Stand.Stand) =>
  Effect.gen(function* () {
    const name = `P${randomUUID().replaceAll("-", "").toUpperCase()}`
    const { accessUrl, account, admin } = local
    const stand: Stand.Stand = { url, folder, snowflake: { accessUrl, account, ...admin, database: name } }
    yield* local.execute(`CREATE DATABASE ${name}`)
    yield* local.execute(`CREATE SCHEMA ${name}.northstar`)
    yield* local.execute(`CREATE STAGE ${name}.northstar.landing URL = 'file://${Stand.landing(stand)}/'`)
    const { project, tables } = Stand.shop(stand)
    yield* Effect.gen(function* () {
      const { dialect, session } = yield* Warehouse
      yield* Migrate.apply(
        yield* session,
        dialect,
        tables.map((table) => Model.make(dialect, table))
      )
    }).pipe(Effect.scoped, Effect.provide(Services.warehouse(project.warehouse)))
    return stand
  })

/** Loads a copy of a landing log in the batches in which the original was loaded. */
const loadAgain = Effect.fnUntraced(function* (from: Stand.Stand, stand: Stand.Stand) {
  const batches = yield* Oracle.readWarehouse(
    from,
    "SELECT DISTINCT through_position FROM northstar.batches ORDER BY 1"
  )
  const feed = Stand.shop(stand)
  yield* Effect.forEach(batches, ([through]) =>
    Pipeline.run(load(feed, loadKey(feed)), { program: "ingest", through: BigInt(through ?? 0) })
  ).pipe(Effect.provide(Services.layer(feed.project)))
})
