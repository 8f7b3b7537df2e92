import { expect, it } from "@effect/vitest"
import * as Report from "../src/demo/Report.ts"
import { sample } from "./ReportSample.ts"

it("the report is one document with a titled chart for each measure and currency, and asks the network for nothing", () => {
  const page = Report.html(sample)
  const outline = [...page.matchAll(/<(h1|h2|th scope="row"|li class="\w+")>|<title id="[^"]*">([^<]*)/g)]
  expect(outline.map(([, tag, title]) => title ?? tag)).toMatchInlineSnapshot(`
    [
      "h1",
      "h2",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "h2",
      "li class="plain"",
      "li class="bad"",
      "li class="good"",
      "li class="bad"",
      "li class="good"",
      "li class="plain"",
      "li class="bad"",
      "li class="good"",
      "h2",
      "th scope="row"",
      "th scope="row"",
      "h2",
      "Freshness",
      "h2",
      "Throughput",
      "h2",
      "Net revenue per day, GBP",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "h2",
      "Orders per day, GBP",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
      "th scope="row"",
    ]
  `)
  expect(page.match(/<svg /g)).toHaveLength(4)
  expect(page.match(/role="img" aria-labelledby/g)).toHaveLength(4)
  expect(page).not.toMatch(/https?:|<script|<link|url\(|NaN|undefined|Infinity/)
  expect(new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)).size).toBe(8)
})

it("the verdict is bad when a table lacks a row or a penny", () => {
  const table = { table: "orders", sourceRows: 2, curatedRows: 2, differing: 0, money: [] }
  const bad = (change: Partial<Report.Reconciled>) =>
    Report.html({ ...sample, reconciliation: [...sample.reconciliation, { ...table, ...change }] })
  expect(Report.html(sample)).toContain("agree, to the row and the penny")
  expect(bad({ curatedRows: 1 })).toContain("do not agree")
  expect(bad({ differing: 1 })).toContain("do not agree")
  expect(bad({ money: [{ currency: "GBP", sourceMinor: 1n, curatedMinor: 2n }] })).toContain("do not agree")
})

it("a run that measured nothing still gives a report", () => {
  const page = Report.html({ ...sample, freshness: [], throughput: [], days: [], events: [], reconciliation: [] })
  expect(page).not.toMatch(/NaN|undefined|Infinity/)
})

it("of an order it is said what moved, and which did not", () => {
  const page = Report.html(sample)
  expect(page).toContain(`<td>£0.00</td><td class="good">£7.40</td>`)
  expect(page).toContain("No other order moved.")
})

it("texts cannot break out of the page", () => {
  expect(Report.html({ ...sample, title: `<script>alert("1")</script>` })).not.toContain("<script")
})

it("money is exact beyond the integers that a float holds", () => {
  expect(Report.money(9_007_199_254_740_993n, "GBP")).toBe("£90,071,992,547,409.93")
  expect(Report.money(-5n, "EUR")).toBe("-€0.05")
  expect(Report.money(123_450n, "CHF")).toBe("CHF 1,234.50")
  expect(Report.money(123_450n, "JPY")).toBe("JPY 123,450")
})
