import type { creditsPerHour, Edition, Region } from "./Prices.ts"

/** What a projection stands on. Every number is an assumption until a measurement replaces it. */
export interface Assumptions {
  readonly region: Region
  readonly edition: Edition

  /** Order lines that are created a day. */
  readonly linesPerDay: number
  /** Changes of a line in its life: placed, picked, shipped. */
  readonly changesPerLine: number
  /** Lines of an order. */
  readonly linesPerOrder: number
  /** Changes of an order in its life: placed, paid, picked, shipped, delivered. */
  readonly changesPerOrder: number
  /** What the source sends, in bytes a day, before compression. */
  readonly rawBytesPerDay: number
  /** Raw bytes for each byte of a segment (Parquet with zstd). */
  readonly segmentCompression: number
  readonly rawDays: number
  readonly curatedDays: number

  /** From the start of one load to the start of the next. */
  readonly cadenceSeconds: number
  readonly loadSize: keyof typeof creditsPerHour
  /** A warehouse idles so long before it suspends, and is billed for it. */
  readonly autoSuspendSeconds: number
  /** Tables that a cycle publishes. */
  readonly tables: number
  readonly statementsPerTable: number
  /** Time of a statement that reads next to nothing: compile, schedule, answer. */
  readonly secondsPerStatement: number
  /** Changes a second that COPY brings into the stage, for each credit an hour of the warehouse. */
  readonly copiedPerSecond: number
  /** Changes a second that audit, history and a pruned MERGE take, for each credit an hour of the warehouse. */
  readonly publishedPerSecond: number
  /** Work of an incremental refresh of a dynamic table, as a multiple of our MERGE's. */
  readonly refreshFactor: number

  /** Hours a day of marts, audits and reconciliation. */
  readonly transformHoursPerDay: number
  readonly closeHoursPerDay: number
  readonly backfillHoursPerMonth: number
  readonly biHoursPerDay: number
  readonly biDaysPerMonth: number
  /** Changes a second in promotions: what loading must keep up with. */
  readonly peakChangesPerSecond: number
  /** Hours a month of promotions, in which the load warehouse never suspends. */
  readonly peakHoursPerMonth: number
  /** Credits a day of automatic clustering. */
  readonly clusteringCreditsPerDay: number
  /** Cloud services beyond the tenth of daily compute that is free, as a share of compute. */
  readonly cloudServicesShare: number

  /** Compressed bytes of a row in Snowflake. */
  readonly bytesPerCuratedRow: number
  readonly bytesPerHistoryRow: number
  /** Days of orders that a cycle may touch: the rows of older days are a few. */
  readonly hotDays: number
  /** Share of the hot days' partitions that the MERGE of a cycle of five minutes rewrites. */
  readonly rewrittenShare: number
  /** Days that replaced partitions are kept: one of time travel, seven of fail-safe. */
  readonly retainedDays: number

  readonly taskVcpu: number
  readonly taskMemoryGb: number
  readonly jobVcpuHoursPerMonth: number
  /** Segments and commit records that capture writes a minute, over all tables. */
  readonly objectsPerMinute: number
  /** Share of the source's bytes that cross a zone on their way to capture, which runs in the primary's zone until it fails over. */
  readonly crossZoneShare: number
  readonly natGbPerMonth: number
  readonly logGbPerMonth: number
  readonly metrics: number
  readonly queueRequestsPerMonth: number
}

/**
 * The design volume: 45 million order lines and 1.2 TB a day, two years curated, 90 days raw, in Ireland on Business
 * Critical, which PCI DSS asks for. Rates of Snowflake are not measured: they are a tenth of what DuckDB does on two cores.
 */
export const design: Assumptions = {
  region: "eu-west-1",
  edition: "businessCritical",
  linesPerDay: 45e6,
  changesPerLine: 3,
  linesPerOrder: 4,
  changesPerOrder: 5,
  rawBytesPerDay: 1.2e12,
  segmentCompression: 6,
  rawDays: 90,
  curatedDays: 730,
  cadenceSeconds: 300,
  loadSize: "SMALL",
  autoSuspendSeconds: 60,
  tables: 8,
  statementsPerTable: 20,
  secondsPerStatement: 0.3,
  copiedPerSecond: 100_000,
  publishedPerSecond: 10_000,
  refreshFactor: 2,
  transformHoursPerDay: 1,
  closeHoursPerDay: 1,
  backfillHoursPerMonth: 6,
  biHoursPerDay: 8,
  biDaysPerMonth: 22,
  peakChangesPerSecond: 8000,
  peakHoursPerMonth: 20,
  clusteringCreditsPerDay: 4,
  cloudServicesShare: 0.02,
  bytesPerCuratedRow: 80,
  bytesPerHistoryRow: 60,
  hotDays: 3,
  rewrittenShare: 0.5,
  retainedDays: 8,
  taskVcpu: 4,
  taskMemoryGb: 16,
  jobVcpuHoursPerMonth: 240,
  objectsPerMinute: 20,
  crossZoneShare: 0.25,
  natGbPerMonth: 100,
  logGbPerMonth: 40,
  metrics: 150,
  queueRequestsPerMonth: 5e6
}

/** Days and hours of a mean month. */
export const daysPerMonth = 30.4
export const hoursPerMonth = 730

/** Changes a day that a set of assumptions means. */
export const changesPerDay = (of: Assumptions): number =>
  of.linesPerDay * (of.changesPerLine + of.changesPerOrder / of.linesPerOrder)
