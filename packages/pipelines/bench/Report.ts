import { Effect } from "effect"
import * as Line from "./Line.ts"
import { type Cost, median } from "./Measure.ts"
import type { Pair } from "./Pairs.ts"

/** What batches of 100,000 inserts took to publish, in order. */
export type Batches = Readonly<Record<"order_lines" | "orders", ReadonlyArray<Cost>>>

/** Publishing before a smaller and a larger history. */
interface Publish {
  readonly smallerBy: number
  readonly small: Batches
  readonly large: Batches
}

/** Seconds from COMMIT to visible, over order lines, and what the ingester used meanwhile. */
export interface Freshness {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
  readonly lines: number
  readonly batches: number
  readonly coresUsed: number
  readonly rssMb: number
  /** Changes a second that were committed. */
  readonly reached: number
}

/** Everything one run found; what was not asked for is absent. */
export interface Report {
  readonly machine: Readonly<Record<string, unknown>>
  readonly date: string
  readonly settings: Readonly<Record<string, number>>
  startUp?: { readonly helpMs: number; readonly nodeMs: number }
  pairs?: ReadonlyArray<Pair>
  publish?: Publish
  freshness?: Freshness
  /** Of every other bench: what it measured beside which baseline. */
  lines?: ReadonlyArray<Line.Line>
}

/** Tells whoever waits for the report how far it is. */
export const say = (text: string) => Effect.sync(() => process.stderr.write(`${text}\n`))

/** The report as Markdown. */
export const render = (report: Report): string =>
  [
    `${report.date}; ${JSON.stringify(report.machine)}; ${JSON.stringify(report.settings)}`,
    ...(report.pairs === undefined ? [] : renderPairs(report.pairs)),
    ...(report.publish === undefined ? [] : renderPublish(report.publish)),
    ...(report.freshness === undefined ? [] : renderFreshness(report.freshness)),
    ...(report.lines === undefined ? [] : Line.render(report.lines)),
    ...(report.startUp === undefined
      ? []
      : [`\nnorthstar --help: ${(report.startUp.helpMs / report.startUp.nodeMs).toFixed(2)} × node -e 0`])
  ].join("\n")

const renderPairs = (pairs: ReadonlyArray<Pair>): ReadonlyArray<string> => {
  const line = (what: keyof Pair) => {
    const of = (figure: "seconds" | "cpuMicros" | "rssMb") => median(pairs.map((pair) => pair[what][figure]))
    const rates = pairs.map((pair) => pair[what].changes / pair[what].seconds / 1000)
    const ratios = pairs.map((pair) => pair.drain.seconds / pair[what].seconds).toSorted((a, b) => a - b)
    const span = `${ratios[0]?.toFixed(2)} to ${ratios.at(-1)?.toFixed(2)}`
    return `| ${what} | ${median(rates).toFixed(0)} | ${median(ratios).toFixed(2)} (${span}) | ${of("cpuMicros").toFixed(1)} | ${of("rssMb").toFixed(0)} |`
  }
  return [
    "\n|  | k changes/s | of the drain beside it | client CPU, µs a change | RSS, MB |",
    "|---|---|---|---|---|",
    line("drain"),
    line("capture"),
    line("ingest")
  ]
}

const renderPublish = ({ smallerBy, small, large }: Publish): ReadonlyArray<string> => [
  `\n| 100,000 recent inserts | seconds, before → after ${smallerBy} × the history | growth | CPU, µs a change | growth |`,
  "|---|---|---|---|---|",
  ...(["order_lines", "orders"] as const).map((table) => {
    const growth = (figure: "seconds" | "cpuMicros", digits: number) => {
      const [before, after] = [small, large].map((of) => median(of[table].map((cost) => cost[figure])))
      return `${before?.toFixed(digits)} → ${after?.toFixed(digits)} | ${((after ?? 0) / (before ?? 1)).toFixed(2)} ×`
    }
    return `| ${table} | ${growth("seconds", 2)} | ${growth("cpuMicros", 1)} |`
  })
]

const renderFreshness = (of: Freshness): ReadonlyArray<string> => [
  `\nfreshness at ${of.reached.toFixed(0)} changes/s: p50 ${of.p50.toFixed(2)} s, p95 ${of.p95.toFixed(2)} s, p99 ${of.p99.toFixed(2)} s, max ${of.max.toFixed(2)} s; ` +
    `${of.batches} batches, ${of.coresUsed.toFixed(2)} cores, RSS ${of.rssMb.toFixed(0)} MB`
]
