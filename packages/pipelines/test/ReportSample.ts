import type { Report } from "../src/demo/Report.ts"

const startedAtMs = Date.UTC(2026, 10, 23, 15, 4)
const at = (second: number): number => startedAtMs + second * 1000

/** A run of a minute with a kill in the middle. */
export const sample: Report = {
  title: "Northstar: orders of a shop, exactly once",
  startedAtMs,
  endedAtMs: at(62),
  figures: [
    { label: "row changes published", value: "46,211" },
    { label: "rows lost or doubled", value: "0" },
    { label: "freshness, median", value: "0.9 s" },
    { label: "freshness, worst", value: "5.2 s" },
    { label: "kills survived", value: "1" }
  ],
  freshness: Array.from({ length: 61 }, (_, second) => ({
    atMs: at(second + 1),
    lagMs: second > 24 && second < 30 ? (second - 24) * 1000 : 600 + 400 * Math.sin(second * 1.7)
  })),
  throughput: Array.from({ length: 61 }, (_, second) => ({
    atMs: at(second + 1),
    committed: 750 + 220 * Math.sin(second / 4),
    published: second > 24 && second < 30 ? 0 : second === 30 ? 3900 : 750 + 260 * Math.sin(second / 4 - 0.3)
  })),
  days: [
    ["2010-12-01", 119, 5_792_119n],
    ["2010-12-02", 137, 4_620_722n],
    ["2010-12-03", 58, 4_562_046n],
    ["2010-12-05", 87, 3_138_460n],
    ["2010-12-06", 94, 5_309_046n],
    ["2010-12-07", 32, 1_756_112n]
  ].map(([date, orders, revenueMinor]) => ({
    date: String(date),
    currency: "GBP",
    orders: Number(orders),
    revenueMinor: BigInt(revenueMinor ?? 0)
  })),
  reconciliation: [
    { table: "customers", sourceRows: 424, curatedRows: 424, differing: 0, money: [] },
    { table: "products", sourceRows: 2246, curatedRows: 2246, differing: 0, money: [] },
    ...["orders", "order_lines"].map((table) => ({
      table,
      sourceRows: table === "orders" ? 698 : 14_553,
      curatedRows: table === "orders" ? 698 : 14_553,
      differing: 0,
      money: [{ currency: "GBP", sourceMinor: 25_178_505n, curatedMinor: 25_178_505n }]
    }))
  ],
  order: {
    number: "536366",
    what: "Ordered in the shop, paid in Stripe, shipped by Fleetfoot; then £7.40 were given back.",
    changes: [
      { name: "captured", before: "£22.20", after: "£22.20" },
      { name: "refunded", before: "£0.00", after: "£7.40" }
    ],
    moved: 1
  },
  events: [
    { atMs: at(4), tone: "plain", text: "live traffic starts" },
    { atMs: at(25), tone: "bad", text: "the ingester is killed (SIGKILL) in the middle of a batch" },
    { atMs: at(28.5), tone: "good", text: "the ingester starts again where it stood" },
    { atMs: at(38), tone: "bad", text: "a second ingester is started on purpose" },
    { atMs: at(38.6), tone: "good", text: "the second one is refused: the slot is in use" },
    { atMs: at(45), tone: "plain", text: "a backfill runs beside the ingester" },
    { atMs: at(56), tone: "bad", text: "one batch is rolled back" },
    { atMs: at(58), tone: "good", text: "the batch is read again from the landing log" }
  ]
}
