import { moneyExponent } from "@northstar/connectors/stripe/Currency"
import * as Chart from "./Chart.ts"
import { figure, numbers, section, table } from "./Page.ts"
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
  /** One order in the mart `order_lifecycle`, before something late came in and after, if the run had one. */
  readonly order?: Order
  /** What happened on the way, in order. */
  readonly events: ReadonlyArray<{
    readonly atMs: number
    /** `bad` is what was done to the pipeline, `good` what it made of it. */
    readonly tone: Chart.Marker["tone"]
    readonly text: string
  }>
}

/** What was known of an order, and what is. */
export interface Order {
  readonly number: string
  readonly what: string
  readonly changes: ReadonlyArray<{ readonly name: string; readonly before: string; readonly after: string }>
  /** Orders whose rows changed, this one included. */
  readonly moved: number
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
    ? "Sources and curated tables agree, to the row and the penny."
    : "Sources and curated tables do not agree."
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
    ...(report.order === undefined ? [] : [section(`Order ${Chart.escape(report.order.number)}`, order(report.order))]),
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

/** Minor units as text, digit by digit: `-£1,234.50`. */
export const money = (minor: bigint, currency: string): string => {
  const decimals = moneyExponent(currency, "9999-12-31")
  const digits = (minor < 0n ? -minor : minor).toString().padStart(decimals + 1, "0")
  const at = digits.length - decimals
  const major = BigInt(digits.slice(0, at)).toLocaleString("en-GB")
  const rest = decimals === 0 ? "" : `.${digits.slice(at)}`
  return `${minor < 0n ? "-" : ""}${symbols[currency] ?? `${currency} `}${major}${rest}`
}

const symbols: Readonly<Record<string, string>> = { GBP: "£", EUR: "€", USD: "$" }

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

const order = ({ changes, moved, what }: Order): string => {
  const rows = changes.map(({ after, before, name }) => {
    const cell = before === after ? "<td>" : `<td class="good">`
    return `<tr><th scope="row">${Chart.escape(name)}</th><td>${Chart.escape(before)}</td>${cell}${Chart.escape(after)}</td></tr>`
  })
  const orders = moved === 1 ? "No other order moved." : `${moved} orders moved.`
  return `<p class="about">${Chart.escape(what)} ${orders}</p>${table(["marts.order_lifecycle", "before", "after"], rows)}`
}

const events = (report: Report): string => {
  const items = report.events.map(
    ({ atMs, tone, text }) =>
      `<li class="${tone}"><span class="at">${seconds(report, atMs).toFixed(1)} s</span> ${Chart.escape(text)}</li>`
  )
  return `<ol class="events">${items.join("")}</ol>`
}

const charts = (report: Report): ReadonlyArray<string> => {
  // What came after the last sample has nothing to be drawn on.
  const measuredMs = [...report.freshness, ...report.throughput].map(({ atMs }) => atMs)
  const xMax = measuredMs.length === 0 ? 0 : seconds(report, Math.max(...measuredMs))
  const markers = report.events
    .map(({ atMs, tone }, index) => ({ x: seconds(report, atMs), label: String(index + 1), tone }))
    .filter(({ x }) => x <= xMax)
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

const seconds = (report: Report, atMs: number): number => (atMs - report.startedAtMs) / 1000
