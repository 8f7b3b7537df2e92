import { type Assumptions, changesPerDay, daysPerMonth } from "./Assumptions.ts"
import { type Line, line } from "./Line.ts"
import type { CycleModel, LoadPlan, Method } from "./Cycle.ts"
import { credit, creditsPerHour, prices, snowpipeCreditsPerGb } from "./Prices.ts"

const bytesPerTb = 1e12

/** What Snowflake bills. */
export const snowflakeLines = (
  of: Assumptions,
  method: Method,
  cycle: CycleModel,
  plan: LoadPlan
): ReadonlyArray<Line> => {
  const compute = [...loading(of, cycle, plan), ...workloads(of)]
  const used = compute.reduce((sum, { quantity }) => sum + quantity, 0)
  return [
    ...compute,
    credits(
      of,
      "cloud-services",
      "Cloud services beyond the free tenth of compute",
      used * of.cloudServicesShare,
      `${of.cloudServicesShare * 100} % of compute`
    ),
    credits(
      of,
      "clustering",
      "Automatic clustering of curated and history tables",
      of.clusteringCreditsPerDay * daysPerMonth,
      `${of.clusteringCreditsPerDay} credits a day; not measured`
    ),
    ...(method.ingestion === "snowpipe" ? [snowpipe(of)] : []),
    ...storage(of)
  ]
}

const credits = (of: Assumptions, id: string, description: string, quantity: number, assumption: string): Line =>
  line(
    "snowflake",
    id,
    description,
    { quantity, unit: "credits", unitPriceUsd: credit[of.edition].usd[of.region] },
    assumption
  )

const loading = (of: Assumptions, { cycles }: CycleModel, plan: LoadPlan): ReadonlyArray<Line> => {
  const rate = creditsPerHour[of.loadSize]
  const basis = cycles === 0 ? "assumed" : `measured over ${cycles} cycles`
  return [
    credits(
      of,
      "load",
      `Load every ${of.cadenceSeconds / 60} min on ${of.loadSize}`,
      plan.creditsPerMonth,
      `${Math.round(plan.busySeconds)} s of work a cycle (${basis}) and ${of.autoSuspendSeconds} s until it suspends, ${Math.round(changesPerDay(of) / 1e6)} million changes a day`
    ),
    credits(
      of,
      "load-peaks",
      "Load in promotions, without pause",
      of.peakHoursPerMonth * rate,
      `${of.peakHoursPerMonth} hours a month`
    )
  ]
}

const workloads = (of: Assumptions): ReadonlyArray<Line> => [
  credits(
    of,
    "transform",
    "Audits, reconciliation and marts on SMALL",
    of.transformHoursPerDay * daysPerMonth * creditsPerHour.SMALL,
    `${of.transformHoursPerDay} h a day`
  ),
  credits(
    of,
    "close",
    "Daily close on MEDIUM",
    of.closeHoursPerDay * daysPerMonth * creditsPerHour.MEDIUM,
    `${of.closeHoursPerDay} h a day`
  ),
  credits(
    of,
    "backfill",
    "Backfills on LARGE",
    of.backfillHoursPerMonth * creditsPerHour.LARGE,
    `${of.backfillHoursPerMonth} h a month`
  ),
  credits(
    of,
    "bi",
    "Queries of people on SMALL",
    of.biHoursPerDay * of.biDaysPerMonth * creditsPerHour.SMALL,
    `${of.biHoursPerDay} h on ${of.biDaysPerMonth} days`
  )
]

const snowpipe = (of: Assumptions): Line => {
  const gb = (of.rawBytesPerDay / of.segmentCompression / 1e9) * daysPerMonth
  return credits(
    of,
    "snowpipe",
    "Snowpipe",
    gb * snowpipeCreditsPerGb,
    `${Math.round(gb)} GB of Parquet a month at ${snowpipeCreditsPerGb} credits`
  )
}

const storage = (of: Assumptions): ReadonlyArray<Line> => {
  const orders = of.linesPerDay / of.linesPerOrder
  const dayBytes = (of.linesPerDay + orders) * of.bytesPerCuratedRow
  const cyclesPerDay = 86_400 / of.cadenceSeconds
  // A longer cycle touches more of the hot days' partitions, and never more than all of them.
  const rewritten =
    Math.min(1, of.rewrittenShare * Math.sqrt(of.cadenceSeconds / 300)) * of.hotDays * dayBytes * cyclesPerDay
  const stored = (id: string, description: string, bytes: number, assumption: string) =>
    line(
      "snowflake",
      id,
      description,
      { quantity: bytes / bytesPerTb, unit: "TB-months", unitPriceUsd: prices.snowflakeStorage.usd[of.region] },
      assumption
    )
  return [
    stored(
      "storage-curated",
      "Curated rows",
      dayBytes * of.curatedDays,
      `${of.curatedDays} days, ${of.bytesPerCuratedRow} bytes a row`
    ),
    stored(
      "storage-history",
      "Every accepted change",
      changesPerDay(of) * of.bytesPerHistoryRow * of.curatedDays,
      `${of.curatedDays} days, ${of.bytesPerHistoryRow} bytes a change`
    ),
    stored(
      "storage-replaced",
      "Partitions that MERGE replaced, kept for time travel and fail-safe",
      rewritten * of.retainedDays,
      `${of.rewrittenShare * 100} % of ${of.hotDays} days' partitions a cycle of 5 min, kept ${of.retainedDays} days; not measured`
    )
  ]
}
