import { Clock, Duration, Effect } from "effect"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import type { Assumptions } from "../cost/Assumptions.ts"
import * as Cost from "../cost/Cost.ts"
import * as CostLedger from "../cost/CostLedger.ts"
import type { CycleCost } from "../cost/Cycle.ts"
import { credit } from "../cost/Prices.ts"
import { isLocal } from "../snowflake/SnowflakeConfig.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import type { Project } from "./Project.ts"
import * as Services from "./Services.ts"

/** What the cycles on one virtual warehouse took, in total. */
export interface WarehouseCost extends Cost.Measured {
  readonly warehouse: string
  readonly size: string
}

/** A month's projection, and what was measured beside it. */
export interface CostReport extends Cost.Report {
  /** Empty when nothing was measured. */
  readonly warehouses: ReadonlyArray<WarehouseCost>
  /** Where the measured cycles come from and what they are used for, or why there are none. */
  readonly basis: string
}

/** How far back measured cycles count, and how long the warehouse may take to tell them. */
const measuredOver = Duration.days(30)
const within = "20 seconds"

/**
 * Projects the cost of a month at the design volume. A project's own cadence, size and region, and the load cycles that
 * its Snowflake account has measured, replace assumptions; a warehouse that cannot be asked is no failure.
 */
export const report = Effect.fn("Costs.report")(function* (
  project: Project | undefined,
  options: { readonly budgetUsd: number }
) {
  const { basis, cycles } = yield* measured(project)
  const config = project?.warehouse
  const counts = config?.kind === "snowflake" && !isLocal(config)
  const projection = Cost.report({
    budgetUsd: options.budgetUsd,
    assumptions: project === undefined ? {} : ownAssumptions(project),
    // Backfills have a warehouse of their own, and another pattern.
    measured: counts ? cycles.filter(({ warehouse }) => warehouse === config.warehouse.toUpperCase()) : []
  })
  const warehouses = [...Map.groupBy(cycles, ({ warehouse, size }) => `${warehouse} ${size}`).values()].map((list) => ({
    warehouse: list[0]!.warehouse,
    size: list[0]!.size,
    ...Cost.totals(list)
  }))
  return { ...projection, warehouses, basis } satisfies CostReport
})

/** What the project decides itself; a local server stands for the account of the design. */
const ownAssumptions = ({ landing, warehouse }: Project): Partial<Assumptions> => {
  if (warehouse.kind === "duckdb" || isLocal(warehouse)) return {}
  const region = landing.kind === "s3" ? regionOf(landing.region) : undefined
  const loadSize = warehouse.objects?.sizes?.load
  return {
    ...(warehouse.cadenceSeconds === undefined ? {} : { cadenceSeconds: warehouse.cadenceSeconds }),
    ...(loadSize === undefined ? {} : { loadSize }),
    ...(region === undefined ? {} : { region })
  }
}

const regionOf = (name: string): Assumptions["region"] | undefined =>
  // Sound: the prices of every edition name the regions.
  name in credit.standard.usd ? (name as Assumptions["region"]) : undefined

interface Measurement {
  readonly cycles: ReadonlyArray<CycleCost>
  readonly basis: string
}

const measured = (project: Project | undefined): Effect.Effect<Measurement> => {
  if (project === undefined) return Effect.succeed(nothing("there is no project here"))
  const { warehouse } = project
  if (warehouse.kind === "duckdb") return Effect.succeed(nothing("DuckDB costs nothing"))
  return Effect.gen(function* () {
    const { dialect, session: open } = yield* Warehouse
    const sinceMs = (yield* Clock.currentTimeMillis) - Duration.toMillis(measuredOver)
    const cycles = yield* CostLedger.read(yield* open, dialect, project.name, sinceMs)
    if (cycles.length === 0) return nothing("no cycle was recorded in 30 days")
    const use = isLocal(warehouse)
      ? "a local server's times say nothing about Snowflake's, so that the projection leaves them out"
      : "twenty load cycles of different sizes replace the assumed time of a cycle"
    return { cycles, basis: `Measured by project ${project.name} in 30 days; ${use}.` }
  }).pipe(
    Effect.scoped,
    Effect.provide(Services.warehouse(warehouse)),
    Effect.timeoutOrElse({ duration: within, orElse: () => Effect.fail(silent) }),
    Effect.catch((error) => Effect.succeed(nothing(error.detail)))
  )
}

const nothing = (why: string): Measurement => ({ cycles: [], basis: `Nothing was measured: ${why}.` })

const silent = new ConnectorError({
  connector: "warehouse",
  operation: "read costs",
  detail: "the warehouse does not answer",
  action: "Check the network, then run again",
  reason: new Unavailable({ cause: "timeout" })
})
