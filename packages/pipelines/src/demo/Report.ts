import * as Chart from "./Chart.ts"
import { style } from "./Style.ts"

/** What a run of the demo measured. Times are Unix milliseconds. */
export interface Report {
  readonly title: string
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** The few numbers to remember, such as `{ label: "changes published", value: "48,112" }`. */
  readonly figures: ReadonlyArray<{ readonly label: string; readonly value: string }>
  /** How long before `atMs` the newest published change was committed at the source. */
  readonly freshness: ReadonlyArray<{ readonly atMs: number; readonly lagMs: number }>
  /** Changes a second, averaged since the sample before. */
  readonly throughput: ReadonlyArray<{ readonly atMs: number; readonly committed: number; readonly published: number }>
  /** From the mart `daily_order_revenue`, ascending by date. */
  readonly days: ReadonlyArray<{
    readonly date: string
    readonly currency: string
    readonly orders: number
    readonly revenueMinor: bigint
  }>
  readonly reconciliation: ReadonlyArray<Reconciled>
  /** What happened on the way, in order. */
  readonly events: ReadonlyArray<{
    readonly atMs: number
    /** `bad` is what was done to the pipeline, `good` what it made of it. */
    readonly tone: Chart.Marker["tone"]
    readonly text: string
  }>
}

/** One table at the source and in the warehouse, at one position. */
export interface Reconciled {
  readonly table: string
  readonly sourceRows: number
  readonly curatedRows: number
  /** Rows whose content differs, or that only one side has. */
  readonly differing: number
  /** Sums of the table's money, if it holds any, per currency. */
  readonly money: ReadonlyArray<{
    readonly currency: string
    readonly sourceMinor: bigint
    readonly curatedMinor: bigint
  }>
}

/** The report as one HTML file that asks the network for nothing. */
export const html = (report: Report): string => {
  const agrees = report.reconciliation.every(isAgreed)
  const verdict = agrees
    ? "Source and curated tables agree, to the row and the penny."
    : "Source and curated tables do not agree."
  return [
    `<!doctype html>`,
    `<html lang="en">`,
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>${Chart.escape(report.title)}</title><style>${style}</style></head>`,
    `<body><main>`,
    `<header><h1>${Chart.escape(report.title)}</h1>`,
    `<p class="verdict ${agrees ? "good" : "bad"}">${agrees ? "✓" : "✗"} ${verdict}</p>`,
    `<p class="when">${when(report)}</p></header>`,
    figures(report),
    section("Reconciliation", reconciliation(report.reconciliation)),
    section("What happened", events(report)),
    ...charts(report),
    `</main></body></html>`,
    ""
  ].join("\n")
}

/** Whether the table is the same on both sides. */
export const isAgreed = (table: Reconciled): boolean =>
  table.differing === 0 &&
  table.sourceRows === table.curatedRows &&
  table.money.every(({ sourceMinor, curatedMinor }) => sourceMinor === curatedMinor)

/** Minor units as text, digit by digit: `-£1,234.50`. All currencies of the shop have two minor digits. */
export const money = (minor: bigint, currency: string): string => {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(3, "0")
  const major = BigInt(digits.slice(0, -2)).toLocaleString("en-GB")
  return `${minor < 0n ? "-" : ""}${symbols[currency] ?? `${currency} `}${major}.${digits.slice(-2)}`
}

const symbols: Readonly<Record<string, string>> = { GBP: "£", EUR: "€", USD: "$" }

const section = (title: string, body: string): string => `<section><h2>${title}</h2>${body}</section>`

const when = ({ startedAtMs, endedAtMs }: Report): string => {
  const at = `${new Date(startedAtMs).toISOString().slice(0, 16).replace("T", " ")} UTC`
  return `${at}, ${Chart.number(Math.round((endedAtMs - startedAtMs) / 1000))} seconds`
}

const figures = (report: Report): string => {
  const items = report.figures.map(
    ({ label, value }) => `<div><dd>${Chart.escape(value)}</dd><dt>${Chart.escape(label)}</dt></div>`
  )
  return `<dl class="figures">${items.join("")}</dl>`
}

const reconciliation = (tables: Report["reconciliation"]): string => {
  const rows = tables.map((table) => {
    const sums = (side: "sourceMinor" | "curatedMinor") =>
      table.money.map((sum) => money(sum[side], sum.currency)).join("<br>") || "–"
    const cells = [
      Chart.number(table.sourceRows),
      Chart.number(table.curatedRows),
      sums("sourceMinor"),
      sums("curatedMinor"),
      Chart.number(table.differing)
    ]
    const verdict = isAgreed(table) ? `<td class="good">✓ agrees</td>` : `<td class="bad">✗ differs</td>`
    return `<tr><th scope="row">${Chart.escape(table.table)}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}${verdict}</tr>`
  })
  const heads = [
    "table",
    "rows at the source",
    "rows curated",
    "sum at the source",
    "sum curated",
    "differing rows",
    ""
  ]
  return table(heads, rows)
}

const events = (report: Report): string => {
  const items = report.events.map(
    ({ atMs, tone, text }) =>
      `<li class="${tone}"><span class="at">${seconds(report, atMs).toFixed(1)} s</span> ${Chart.escape(text)}</li>`
  )
  return `<ol class="events">${items.join("")}</ol>`
}

const charts = (report: Report): ReadonlyArray<string> => {
  const xMax = seconds(report, report.endedAtMs)
  const markers = report.events.map(({ atMs, tone }, index) => ({
    x: seconds(report, atMs),
    label: String(index + 1),
    tone
  }))
  const rate = (key: "committed" | "published") =>
    report.throughput.map((sample) => ({ x: seconds(report, sample.atMs), y: sample[key] }))
  const freshness = report.freshness.map(({ atMs, lagMs }) => ({ x: seconds(report, atMs), y: lagMs / 1000 }))
  return [
    figure(
      "Freshness",
      "Age of the newest change that readers of the curated tables see. The numbers are the events above.",
      (frame) =>
        Chart.lines({ ...frame, unit: "seconds", xMax, markers, series: [{ label: "age", points: freshness }] }),
      table(
        ["second", "age, seconds"],
        freshness.map(({ x, y }) => numbers([x, y]))
      )
    ),
    figure(
      "Throughput",
      "Row changes a second, committed at the source and published in curated tables.",
      (frame) =>
        Chart.lines({
          ...frame,
          unit: "changes a second",
          xMax,
          markers,
          series: [
            { label: "committed", points: rate("committed") },
            { label: "published", points: rate("published") }
          ]
        }),
      table(
        ["second", "committed", "published"],
        report.throughput.map(({ atMs, committed, published }) =>
          numbers([seconds(report, atMs), committed, published])
        )
      )
    ),
    ...[...Map.groupBy(report.days, ({ currency }) => currency)].flatMap(([currency, days]) => perDay(currency, days))
  ]
}

/** Two charts a currency: money of different currencies, and money and counts, share no axis. */
const perDay = (currency: string, days: Report["days"]): ReadonlyArray<string> => {
  const values = table(
    ["business date", "sales", "net revenue"],
    days.map((day) => {
      const cells = `<td>${Chart.number(day.orders)}</td><td>${money(day.revenueMinor, currency)}</td>`
      return `<tr><th scope="row">${day.date}</th>${cells}</tr>`
    })
  )
  return [
    figure(
      `Net revenue per day, ${currency}`,
      "Sales less credits by business date, London time.",
      (frame) =>
        Chart.bars({
          ...frame,
          unit: currency,
          // Only the height of the bar is a float; the text beside it is exact.
          bars: days.map(({ date, revenueMinor }) => ({
            category: date,
            value: Math.max(0, Number(revenueMinor) / 100),
            text: money(revenueMinor, currency)
          }))
        }),
      values
    ),
    figure(
      `Orders per day, ${currency}`,
      "Sales by business date, London time.",
      (frame) =>
        Chart.bars({
          ...frame,
          unit: "orders",
          bars: days.map(({ date, orders }) => ({ category: date, value: orders, text: Chart.number(orders) }))
        }),
      values
    )
  ]
}

const figure = (
  title: string,
  description: string,
  chart: (frame: { readonly title: string; readonly description: string }) => string,
  values: string
): string =>
  section(
    title,
    `<p class="about">${description}</p><figure>${chart({ title, description })}</figure>` +
      `<details><summary>The numbers</summary>${values}</details>`
  )

const table = (heads: ReadonlyArray<string>, rows: ReadonlyArray<string>): string =>
  `<div class="scroll"><table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>` +
  `<tbody>${rows.join("")}</tbody></table></div>`

const numbers = (values: ReadonlyArray<number>): string =>
  `<tr>${values.map((value) => `<td>${Chart.number(value)}</td>`).join("")}</tr>`

const seconds = (report: Report, atMs: number): number => (atMs - report.startedAtMs) / 1000
