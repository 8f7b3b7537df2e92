import { type Assumptions, changesPerDay, daysPerMonth } from "./Assumptions.ts"
import { creditsPerHour } from "./Prices.ts"

/** What one load cycle cost, as `northstar.costs` keeps it. */
export interface CycleCost {
  readonly batch: string
  readonly warehouse: string
  readonly size: keyof typeof creditsPerHour
  readonly statements: number
  /** Seconds that the cycle's statements ran on the warehouse. */
  readonly warehouseSeconds: number
  readonly bytesScanned: number
  /** Changes that the cycle published, superseded or set aside. */
  readonly changes: number
  readonly recordedAtMs: number
}

/** How segments reach the stage, and how the current rows come about. */
export interface Method {
  readonly ingestion: "copy" | "snowpipe"
  readonly publication: "merge" | "dynamicTable"
}

/** Seconds of a cycle: a part that is always there, and one for each change on a warehouse of one credit an hour. */
export interface CycleModel {
  readonly fixedSeconds: number
  readonly secondsPerChange: number
  /** Cycles that it was measured over; 0 where it is assumed. */
  readonly cycles: number
}

/** Cycles without which a fit is not trusted. */
const cyclesMin = 20

/** The line through measured cycles, each brought to one credit an hour; the assumption where there are too few or none that differ. */
export const model = (
  of: Assumptions,
  { ingestion, publication }: Method,
  measured: ReadonlyArray<CycleCost>
): CycleModel => {
  const fitted = fit(measured)
  if (fitted !== undefined) return fitted
  const copy = ingestion === "copy" ? 1 / of.copiedPerSecond : 0
  const publish = (publication === "merge" ? 1 : of.refreshFactor) / of.publishedPerSecond
  return {
    fixedSeconds: of.tables * of.statementsPerTable * of.secondsPerStatement,
    secondsPerChange: copy + publish,
    cycles: 0
  }
}

const fit = (measured: ReadonlyArray<CycleCost>): CycleModel | undefined => {
  const cycles = measured.filter(({ changes }) => changes > 0)
  if (cycles.length < cyclesMin) return undefined
  const mean = (value: (cycle: CycleCost) => number) =>
    cycles.reduce((sum, cycle) => sum + value(cycle), 0) / cycles.length
  // More credits an hour shorten only the part that grows with the changes.
  const work = ({ changes, size }: CycleCost) => changes / creditsPerHour[size]
  const [meanWork, meanSeconds] = [mean(work), mean(({ warehouseSeconds }) => warehouseSeconds)]
  const spread = mean((cycle) => (work(cycle) - meanWork) ** 2)
  if (spread === 0) return undefined
  const shared = mean((cycle) => (work(cycle) - meanWork) * (cycle.warehouseSeconds - meanSeconds))
  const secondsPerChange = Math.max(0, shared / spread)
  return {
    fixedSeconds: Math.max(0, meanSeconds - secondsPerChange * meanWork),
    secondsPerChange,
    cycles: cycles.length
  }
}

/** What loading takes at a cadence. */
export interface LoadPlan {
  readonly cyclesPerMonth: number
  /** Seconds that a mean cycle works. */
  readonly busySeconds: number
  /** Seconds from one cycle to the next in which the warehouse is billed. */
  readonly billedSeconds: number
  readonly creditsPerMonth: number
  /** Changes a second at which a cycle takes as long as the time between two. */
  readonly changesPerSecondMax: number
  /** Whether loading keeps up with the peak. */
  readonly keepsUp: boolean
  /** Longest time from a commit at the source to its rows being visible, apart from capture. */
  readonly freshnessSeconds: number
}

/** Shortest time that a resume is billed for. */
const billedSecondsMin = 60

/** What loading at the mean volume takes. A warehouse that would suspend just before the next cycle never does. */
export const load = (of: Assumptions, { fixedSeconds, secondsPerChange }: CycleModel): LoadPlan => {
  const rate = creditsPerHour[of.loadSize]
  const changes = (changesPerDay(of) * of.cadenceSeconds) / 86_400
  const busySeconds = fixedSeconds + (changes * secondsPerChange) / rate
  const billedSeconds = Math.min(of.cadenceSeconds, Math.max(billedSecondsMin, busySeconds + of.autoSuspendSeconds))
  const cyclesPerMonth = (86_400 / of.cadenceSeconds) * daysPerMonth
  const room = Math.max(0, of.cadenceSeconds - fixedSeconds)
  const changesPerSecondMax = Math.floor((room * rate) / secondsPerChange / of.cadenceSeconds)
  return {
    cyclesPerMonth,
    busySeconds,
    billedSeconds,
    creditsPerMonth: (cyclesPerMonth * billedSeconds * rate) / 3600,
    changesPerSecondMax,
    keepsUp: changesPerSecondMax >= of.peakChangesPerSecond,
    freshnessSeconds: of.cadenceSeconds + busySeconds
  }
}
