import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import { Effect, Layer } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { RunLedger } from "@northstar/core/RunLedger"
import type { ObjectStore } from "../landing/ObjectStore.ts"
import { warehouseName } from "../snowflake/SnowflakeObjects.ts"
import { apply, applyMarts } from "../warehouse/Migrate.ts"
import { make as makeModel } from "../warehouse/Model.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as WarehouseLedger from "../warehouse/WarehouseLedger.ts"
import { type LandingConfig, type Project, tables, type WarehouseConfig } from "./Project.ts"
import { schedule, statementTries } from "./Retry.ts"

/** The project's warehouse, its driver loaded only now, its folder made where it is missing. */
export const warehouse = (config: WarehouseConfig): Layer.Layer<Warehouse, ConnectorError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (config.kind === "snowflake") {
        const driver = yield* Effect.promise(() => import("../snowflake/Snowflake.ts"))
        return driver.layer(config)
      }
      const driver = yield* Effect.promise(() => import("../duckdb/DuckDb.ts"))
      // What goes wrong here the driver says better.
      yield* Effect.ignore(Effect.tryPromise(() => mkdir(dirname(config.file), { recursive: true })))
      return driver.layer(config)
    })
  )

/** A project as a backfill uses it: on a virtual warehouse of its own, where the engine has such. */
export const forBackfill = (project: Project): Project => {
  const { warehouse } = project
  if (warehouse.kind === "duckdb") return project
  return {
    ...project,
    warehouse: { ...warehouse, warehouse: warehouse.backfillWarehouse ?? warehouseName("backfill") }
  }
}

/** The project's object store, its driver loaded only now. */
export const landing = (config: LandingConfig): Layer.Layer<ObjectStore, ConnectorError> =>
  Layer.unwrap(
    config.kind === "folder"
      ? Effect.map(
          Effect.promise(() => import("../landing/FolderStore.ts")),
          (driver) => driver.layer(config.folder)
        )
      : Effect.map(
          Effect.promise(() => import("../s3/S3Store.ts")),
          (driver) => driver.layer(config)
        )
  )

/**
 * What commands need that only read: nothing is created or brought up to the contracts. A DuckDB file that no ingest has
 * prepared yet fails with `Misconfigured`; of a Snowflake account the statements themselves say what is missing.
 */
export const reading = (project: Project): Layer.Layer<Warehouse | ObjectStore, ConnectorError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const config = project.warehouse
      // Opening a file that is not there would create it.
      if (config.kind === "duckdb" && !existsSync(config.file)) return yield* unprepared(config.file)
      const opened = warehouse(config)
      const checked = config.kind === "duckdb" ? Layer.provideMerge(isPrepared(config.file), opened) : opened
      return Layer.merge(checked, landing(project.landing))
    })
  )

const isPrepared = (file: string): Layer.Layer<never, ConnectorError, Warehouse> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { dialect, session: open } = yield* Warehouse
      const session = yield* open
      const control = yield* session.query(dialect.columnsOf("northstar"))
      if (control.length === 0) return yield* unprepared(file)
    }).pipe(Effect.scoped, Effect.retry(schedule(statementTries)))
  )

const unprepared = (file: string) =>
  new ConnectorError({
    connector: "warehouse",
    operation: "read",
    detail: `${file} holds no tables yet: nothing was ingested`,
    action: "Run northstar ingest, which creates them",
    reason: new Misconfigured({ detail: "tables" })
  })

/** Everything that programs over a project need. The ledger of runs lives in the warehouse. */
export const layer = (project: Project): Layer.Layer<Warehouse | ObjectStore | RunLedger, ConnectorError> =>
  (project.warehouse.kind === "duckdb" ? WarehouseLedger.layer : WarehouseLedger.layerSparing).pipe(
    Layer.provideMerge(project.warehouse.kind === "duckdb" ? prepared(project) : Layer.empty),
    Layer.provideMerge(warehouse(project.warehouse)),
    Layer.merge(landing(project.landing))
  )

/**
 * Brings an embedded warehouse's tables and marts to what the project describes, before anything else uses it. Those of
 * a Snowflake account are brought there by `northstar warehouse apply`, as another role.
 */
const prepared = (project: Project): Layer.Layer<never, ConnectorError, Warehouse> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { dialect, session: open } = yield* Warehouse
      const session = yield* open
      const models = tables(project).map((table) => makeModel(dialect, table))
      const { left } = yield* apply(session, dialect, models)
      for (const { description } of left) {
        yield* Effect.logWarning(
          `the warehouse differs from the contracts: ${description} was not done, since it rewrites data`
        )
      }
      yield* applyMarts(session, dialect, project.marts)
    }).pipe(Effect.scoped, Effect.retry(schedule(statementTries)))
  )
