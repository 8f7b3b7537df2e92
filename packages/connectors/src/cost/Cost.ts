import { awsLines } from "./AwsLines.ts"
import { type Assumptions, design } from "./Assumptions.ts"
import { type CycleCost, load, type LoadPlan, type Method, model } from "./Cycle.ts"
import { type Line, round } from "./Line.ts"
import * as Prices from "./Prices.ts"
import { snowflakeLines } from "./SnowflakeLines.ts"

/** What the cycles of a period took, in total. */
export interface Measured {
  readonly cycles: number
  readonly statements: number
  readonly warehouseSeconds: number
  readonly bytesScanned: number
  readonly changes: number
}

/** Projected cost of a month at the design volume, with what was measured. */
export interface Report {
  readonly pricesAsOf: string
  readonly assumptions: Assumptions
  readonly method: Method
  readonly measured: Measured
  readonly load: LoadPlan
  readonly lines: ReadonlyArray<Line>
  readonly snowflakeMonthlyUsd: number
  readonly awsMonthlyUsd: number
  /** The sum of the lines. */
  readonly projectedMonthlyUsd: number
  readonly budgetUsd: number
  readonly withinBudget: boolean
}

/** Demanded of the whole platform, US dollars a month. */
export const budgetUsdDefault = 18_000

/**
 * Projects a month. Measured cycles replace the assumed time of a cycle once there are twenty of different sizes; only
 * cycles of the warehouse that is projected should be given (local ones say nothing about Snowflake's time).
 */
export const report = (
  options: {
    readonly measured?: ReadonlyArray<CycleCost>
    readonly assumptions?: Partial<Assumptions>
    readonly method?: Partial<Method>
    readonly budgetUsd?: number
  } = {}
): Report => {
  const assumptions = { ...design, ...options.assumptions }
  const method: Method = { ingestion: "copy", publication: "merge", ...options.method }
  const measured = options.measured ?? []
  const cycle = model(assumptions, method, measured)
  const plan = load(assumptions, cycle)
  const lines = [...snowflakeLines(assumptions, method, cycle, plan), ...awsLines(assumptions, plan)]
  const total = (side?: Line["side"]) =>
    round(
      lines.filter((line) => side === undefined || line.side === side).reduce((sum, line) => sum + line.monthlyUsd, 0)
    )
  const budgetUsd = options.budgetUsd ?? budgetUsdDefault
  return {
    pricesAsOf: Prices.asOf,
    assumptions,
    method,
    measured: totals(measured),
    load: plan,
    lines,
    snowflakeMonthlyUsd: total("snowflake"),
    awsMonthlyUsd: total("aws"),
    projectedMonthlyUsd: total(),
    budgetUsd,
    withinBudget: total() <= budgetUsd
  }
}

/** Cycles summed up. */
export const totals = (cycles: ReadonlyArray<CycleCost>): Measured => {
  const sum = (value: (cycle: CycleCost) => number) => cycles.reduce((total, cycle) => total + value(cycle), 0)
  return {
    cycles: cycles.length,
    statements: sum(({ statements }) => statements),
    warehouseSeconds: sum(({ warehouseSeconds }) => warehouseSeconds),
    bytesScanned: sum(({ bytesScanned }) => bytesScanned),
    changes: sum(({ changes }) => changes)
  }
}
