import { writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { ConnectorError, StorageFull } from "@northstar/core/ConnectorError"
import { Clock, Effect } from "effect"
import type { Play, Reread } from "./Acts.ts"
import * as Engines from "./Engines.ts"
import type { Late } from "./Late.ts"
import * as Marts from "./Marts.ts"
import type { Reading, Results } from "./Meter.ts"
import type { Outage } from "./Outage.ts"
import * as Report from "./Report.ts"
import { comparison, count, span } from "./Story.ts"

/** What the acts of a demo found. */
export interface Findings {
  /** Both sides of every table at the end. */
  readonly tables: ReadonlyArray<Report.Reconciled>
  readonly secondIngesterRefused: boolean
  /** While Stripe answered nothing but errors. */
  readonly outage: Outage
  readonly late: Late
  /** The backfill beside the ingester: changes that it read, and those that it added to the history. */
  readonly backfill: Reread
  /** The batch that was taken back: rows that differed then, and changes that its second reading brought back. */
  readonly rollback: {
    readonly batch: string
    readonly changes: number
    readonly differing: number
    readonly broughtBack: number
  }
  /** The warehouse against DuckDB, where it is another engine. */
  readonly engines: Engines.Engines | undefined
}

/** What a demo found. */
export interface DemoSummary extends Findings {
  /** Whether everything held: source and curated agree, before the rollback and after, and every act ended as it must. */
  readonly agree: boolean
  /** For people, to be printed as it is. */
  readonly summary: string
  /** Path of the HTML report. */
  readonly report: string
  /** Transactions and row changes of the shop while it was live. */
  readonly transactions: number
  readonly changes: number
  /** From a transaction's commit until readers see it. */
  readonly freshness: { readonly medianMs: number; readonly p95Ms: number; readonly worstMs: number }
}

/** Writes the report and sums up. */
export const make = Effect.fn("Conclusion.make")(function* (
  { scene, story }: Play,
  found: Findings & { readonly agree: boolean; readonly marts: Marts.Marts },
  measured: Results & { readonly reading: Reading }
) {
  const { marts, ...findings } = found
  const { changes, transactions } = measured.reading
  const at = (share: number) => measured.delaysMs[Math.floor(share * (measured.delaysMs.length - 1))] ?? 0
  const freshness = { medianMs: at(0.5), p95Ms: at(0.95), worstMs: at(1) }
  const report = join(scene.folder, "report.html")
  const endedAtMs = yield* Clock.currentTimeMillis
  const differing = found.tables.reduce((sum, table) => sum + table.differing, 0)
  const html = Report.html({
    title: "Northstar: orders, payments and shipments of a shop, exactly once",
    startedAtMs: story.startedAtMs,
    endedAtMs,
    figures: [
      { label: "row changes while live", value: count(changes) },
      { label: "rows lost or doubled", value: count(differing) },
      { label: "freshness, median", value: span(freshness.medianMs) },
      { label: "freshness, worst (the kill)", value: span(freshness.worstMs) },
      { label: "kills survived", value: "1" }
    ],
    freshness: measured.freshness,
    throughput: measured.throughput,
    days: marts.days,
    reconciliation: found.tables,
    order: found.late.order,
    events: yield* story.steps
  })
  yield* Effect.try({ try: () => writeFileSync(report, html), catch: (cause) => unwritten(report, cause) })
  const summary = { ...findings, transactions, changes, freshness, report }
  return {
    ...summary,
    summary: text(summary, marts, endedAtMs - story.startedAtMs, scene.twin?.config ?? scene.config)
  } satisfies DemoSummary
})

const text = (summary: Omit<DemoSummary, "summary">, marts: Marts.Marts, tookMs: number, config: string): string => {
  const { backfill, engines, freshness, late, outage, rollback } = summary
  const here = (path: string) => relative(process.cwd(), path)
  return [
    "",
    summary.agree
      ? "✓ Sources and curated tables agree, to the row and the penny."
      : "✗ Something did not hold: see the lines marked ✗.",
    "",
    comparison(summary.tables),
    "",
    `  freshness    ${span(freshness.medianMs)} median, ${span(freshness.p95Ms)} for 95 %, ${span(freshness.worstMs)} at worst (the kill), from commit to sight`,
    `  live         ${count(summary.transactions)} transactions, ${count(summary.changes)} row changes`,
    `  kill -9      1 survived; a second ingester ${summary.secondIngesterRefused ? "was refused" : "was NOT refused"}`,
    `  stripe       down for ${span(outage.tookMs)}: ${outage.wasTold ? "status said so" : "status did NOT say so"}, ${count(outage.visible)} transactions of the shop became visible meanwhile`,
    `  late         a refund moved ${count(late.order.moved)} order; ${count(late.refused)} broken file refused, a repeated one changed ${count(late.repeated)} rows`,
    `  card data    ${count(late.cards.tokens)} card number landed as a token, ${count(late.cards.numbers)} as a number`,
    `  backfill     ${count(backfill.changes)} changes read again, ${count(backfill.news)} taken in twice`,
    `  rollback     ${count(rollback.changes)} changes taken back, ${count(rollback.differing)} rows differed, ${count(rollback.broughtBack)} changes brought back`,
    ...(engines === undefined ? [] : [`  engines      ${Engines.text(engines)}`]),
    "",
    Marts.text(marts),
    "",
    `  ${span(tookMs)} in all. The report: ${here(summary.report)}`,
    "  Look around in what it left:",
    `    npm run northstar -- query "select * from marts.order_lifecycle limit 5" --config ${here(config)}`
  ].join("\n")
}

const unwritten = (file: string, cause: unknown) =>
  new ConnectorError({
    connector: "demo",
    operation: "write the report",
    detail: `${file} cannot be written`,
    action: "Check its rights and the free space.",
    reason: new StorageFull({ cause })
  })
