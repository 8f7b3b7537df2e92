import { readdirSync } from "node:fs"
import { basename } from "node:path"
import type { Table } from "@northstar/core/Table"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Marts from "../src/Marts.ts"
import * as OnlineRetail from "../src/shop/OnlineRetail.ts"
import * as Replay from "../src/shop/Replay.ts"
import * as Partners from "../src/Partners.ts"
import * as Payments from "../src/Payments.ts"
import * as Tables from "../src/Tables.ts"
import { type MartRows, martsOf, type Row, sqlOf, tables } from "./MartsOf.ts"

it("every file of marts is listed once", () => {
  const folder = new URL("../marts/", import.meta.url)
  expect(Marts.all.map(({ file }) => basename(file)).toSorted()).toEqual(readdirSync(folder).toSorted())
})

it.each(Marts.all)("mart $name reads the curated tables it is said to read", (mart) => {
  const read = [...sqlOf(mart).matchAll(/curated\.(\w+)/g)].map(([, table]) => table)
  expect(new Set(read)).toEqual(new Set(mart.tables))
})

it.each(Marts.all)("D1 dialects: mart $name uses only words that DuckDB and Snowflake share", (mart) => {
  const sql = sqlOf(mart).replaceAll(/'[^']*'/g, "''")
  expect(sql).toMatch(/^select\s/)
  expect(sql).not.toMatch(/::|;|"|\[|\{|\$|\?/)
  const calls = [...sql.matchAll(/(\w+)\(/g)].map(([, name]) => name ?? "")
  expect(calls.filter((name) => !functions.has(name))).toEqual([])
  const named = [...sql.matchAll(/(?<=\bas |\) |\bcurated\.\w+ )\w+/g)].map(([name]) => name)
  const known = new Set([...keywords, ...functions, ...names, ...named])
  const words = [...sql.matchAll(/\b[a-z_]\w*/g)].map(([word]) => word)
  expect(words.filter((word) => !known.has(word))).toEqual([])
})

it.live("daily revenue is that of the data set, to the penny, and the backlog holds what has not shipped", () =>
  Effect.gen(function* () {
    const orders = yield* OnlineRetail.load
    const newestMs = orders.at(-1)?.placedAtMs ?? 0
    const { history } = yield* Replay.plan(orders, { seed: "marts", liveFromMs: newestMs + 1 })
    const rows = Tables.all.map((table, index): readonly [Table, ReadonlyArray<Row>] => {
      const columns = (history[index]?.values ?? []) as ReadonlyArray<ReadonlyArray<unknown>>
      const names = Object.keys(table.columns)
      return [
        table,
        (columns[0] ?? []).map((_, row) =>
          Object.fromEntries(names.map((name, at) => [name, columns[at]?.[row] ?? null]))
        )
      ]
    })
    const marts = yield* Effect.promise(() => martsOf(rows))

    expect(marts.orders_current).toHaveLength(698)
    expect(marts.order_lines_current).toHaveLength(14_553)
    expect(marts.orders_current?.reduce((sum, row) => sum + Number(row.line_count), 0)).toBe(14_553)
    expect(
      marts.daily_order_revenue?.toSorted((a, b) => String(a.business_date).localeCompare(String(b.business_date)))
    ).toEqual(revenueOf(orders))
    const open = marts.orders_current?.filter(({ kind, status }) => kind === "sale" && unshipped.has(String(status)))
    const sum = (name: string) => marts.fulfilment_backlog?.reduce((total, row) => total + Number(row[name]), 0)
    expect(open?.length).toBeGreaterThan(0)
    expect(sum("order_count")).toBe(open?.length)
    expect(sum("total_minor")).toBe(open?.reduce((total, row) => total + Number(row.total_minor), 0))
    expect(marts.fulfilment_backlog?.map(({ age }) => age)).toContain("under 4 h")
  })
)

it.live("an order's row joins its payments, shipments and returns, and nothing of another order's", () =>
  Effect.gen(function* () {
    const { orders, refunds, rows } = lifecycle
    const golden = (yield* Effect.promise(() => martsOf(rows(refunds)))).order_lifecycle ?? []
    const row = (number: string) => golden.find(({ order_number }) => order_number === number)
    expect(golden).toHaveLength(orders.length)
    // Two refunds count of four; the cancelled shipment does not, nor the attempt that was declined.
    expect(row("1001")).toEqual({
      order_number: "1001",
      order_id: "1001",
      kind: "sale",
      status: "delivered",
      currency: "GBP",
      total_minor: "5000",
      placed_at: "2010-12-01 23:30:00+00",
      business_date: "2010-12-01",
      captured_minor: "5000",
      refunded_minor: "1250",
      disputed_minor: "0",
      charge_count: "1",
      payment_currency_differs: false,
      shipment_count: "1",
      first_handed_over_at: "2010-12-02 09:00:00+00",
      delivered_count: "1",
      first_scan_at: "2010-12-02 09:05:00+00",
      last_scan_at: "2010-12-03 11:00:00+00",
      returned_quantity: "3"
    })
    const money = (number: string) => {
      const { captured_minor, charge_count, disputed_minor, payment_currency_differs, refunded_minor } =
        row(number) ?? {}
      return { captured_minor, refunded_minor, disputed_minor, charge_count, payment_currency_differs }
    }
    const nothing = { captured_minor: "0", refunded_minor: "0", disputed_minor: "0", charge_count: "0" }
    // Paid in euros: counted in neither sum, and said to be so.
    expect(money("1002")).toEqual({ ...nothing, payment_currency_differs: true })
    // Contested and lost; contested and won; only asked about.
    const paid = { ...nothing, captured_minor: "7000", charge_count: "1", payment_currency_differs: false }
    expect(money("1003")).toEqual({ ...paid, disputed_minor: "7000" })
    expect(money("1004")).toEqual(paid)
    expect(money("1005")).toEqual(paid)
    expect(money("1006")).toEqual({ ...nothing, payment_currency_differs: false })
    expect(row("1006")).toMatchObject({ shipment_count: "0", delivered_count: "0", first_scan_at: null })

    const late = { ...refunds[0], id: "re_late", amount_minor: 600 }
    const after = (yield* Effect.promise(() => martsOf(rows([...refunds, late])))).order_lifecycle ?? []
    const moved = after.filter((each) => JSON.stringify(each) !== JSON.stringify(row(String(each.order_number))))
    expect(moved).toEqual([{ ...row("1001"), refunded_minor: "1850" }])
  })
)

it.live("the balance is summed by day, currency and kind; of each warehouse the newest count is shown", () =>
  Effect.gen(function* () {
    const entry = (id: string, kind: string, amount: number, fee: number, created_at: string, currency = "gbp") => ({
      id,
      kind,
      currency,
      amount_minor: amount,
      fee_minor: fee,
      net_minor: amount - fee,
      created_at
    })
    const count = (counted_on: string, warehouse: string, product_code: string, on_hand: number, reserved: number) => ({
      counted_on,
      warehouse,
      product_code,
      on_hand,
      reserved
    })
    const marts = yield* Effect.promise(() =>
      martsOf([
        [
          Payments.paymentEvents,
          [
            entry("txn_1", "charge", 5000, 165, "2026-11-20T23:59:59Z"),
            entry("txn_2", "charge", 1000, 49, "2026-11-20T08:00:00Z"),
            entry("txn_3", "refund", -1250, 0, "2026-11-21T00:00:00Z"),
            entry("txn_4", "charge", 900, 40, "2026-11-20T08:00:00Z", "jpy")
          ]
        ],
        [
          Partners.stockLevels,
          [
            count("2010-12-01", "NORTH", "85123A", 10, 0),
            count("2010-12-02", "NORTH", "85123A", 8, 3),
            count("2010-12-01", "SOUTH", "85123A", 5, 5)
          ]
        ]
      ])
    )
    const sorted = (rows: MartRows | undefined) => rows?.map((row) => Object.values(row).join(" ")).toSorted()
    expect(sorted(marts.daily_payments)).toEqual([
      "2026-11-20 gbp charge 2 6000 214 5786",
      "2026-11-20 jpy charge 1 900 40 860",
      "2026-11-21 gbp refund 1 -1250 0 -1250"
    ])
    expect(sorted(marts.stock_current)).toEqual(["NORTH 85123A  2010-12-02 8 3 5", "SOUTH 85123A  2010-12-01 5 5 0"])
  })
)

it.live("every object is matched with the ledger or labelled, and the labels sum to the ledger", () =>
  Effect.gen(function* () {
    const { ledger, objects } = matching
    const found = (yield* Effect.promise(() => martsOf(objects))).payment_match ?? []
    const columns = ["object_kind", "object_id", "expected_minor", "ledger_minor", "label"]
    const text = (row: Row) => {
      const values: ReadonlyArray<unknown> = columns.map((name) => row[name] ?? "-")
      return values.join(" ")
    }
    expect(found.map(text).toSorted()).toEqual(
      [
        "charge ch_1 5000 5000 matched",
        "charge ch_2 7000 8190 converted",
        "charge ch_3 100 100 order_missing",
        "charge ch_4 900 900 given_back_twice",
        "charge ch_5 650 0 not_in_ledger",
        "charge ch_6 0 0 matched",
        "charge ch_absent - 40 object_missing",
        "refund re_1 -1250 -1250 matched",
        "refund re_failed 0 0 matched",
        "refund re_unbooked 0 -300 amount_differs",
        "refund re_4a -900 -900 matched",
        "refund re_4b -900 -900 matched",
        "refund re_waits 0 0 matched",
        "refund re_old -70 -70 matched",
        "charge ch_7 320 0 not_in_ledger",
        "dispute du_1 -500 -500 matched",
        "fee du_1 - -15 fee",
        "payout po_1 -3000 -3000 matched",
        "topup - - 77 no_object"
      ].toSorted()
    )
    const sum = (rows: ReadonlyArray<Row>, name: string) => rows.reduce((total, row) => total + Number(row[name]), 0)
    expect(sum(found, "ledger_minor")).toBe(sum(ledger, "amount_minor"))
    expect(sum(found, "movement_count")).toBe(ledger.length)
  })
)

/** Six orders with everything that can be told of them. */
const lifecycle = (() => {
  const order = (id: number, total_minor: number, status: string) => ({
    id,
    order_number: String(id),
    kind: "sale",
    status,
    currency: "GBP",
    total_minor,
    placed_at: "2010-12-01T23:30:00Z"
  })
  const charge = (id: string, order_number: string, amount: number, currency: string, status = "succeeded") => ({
    id,
    order_number,
    amount_minor: amount,
    captured_minor: status === "succeeded" ? amount : 0,
    currency,
    status
  })
  const refund = (id: string, charge_id: string, amount_minor: number, currency: string, status: string) => ({
    id,
    charge_id,
    amount_minor,
    currency,
    status
  })
  const dispute = (id: string, charge_id: string, status: string) => ({
    id,
    charge_id,
    amount_minor: 7000,
    currency: "gbp",
    status
  })
  const shipment = (shipment_id: string, status: string, handed_over_at: string | null) => ({
    shipment_id,
    order_number: "1001",
    status,
    handed_over_at,
    updated_at: "2010-12-03T11:00:00Z"
  })
  const scan = (event_code: string, scanned_at: string) => ({ shipment_id: "FF1001-1", event_code, scanned_at })
  const orders = [
    order(1001, 5000, "delivered"),
    order(1002, 4000, "paid"),
    ...[1003, 1004, 1005].map((id) => order(id, 7000, "paid")),
    order(1006, 800, "placed")
  ]
  const refunds = [
    refund("re_1", "ch_1", 1000, "gbp", "succeeded"),
    refund("re_2", "ch_1", 250, "gbp", "succeeded"),
    refund("re_3", "ch_1", 300, "gbp", "pending"),
    refund("re_4", "ch_1", 400, "gbp", "failed"),
    refund("re_5", "ch_2", 500, "eur", "succeeded")
  ]
  const rows = (given: ReadonlyArray<Row>): ReadonlyArray<readonly [Table, ReadonlyArray<Row>]> => [
    [Tables.orders, orders],
    [
      Payments.charges,
      [
        charge("ch_0", "1001", 5000, "gbp", "failed"),
        charge("ch_1", "1001", 5000, "gbp"),
        charge("ch_2", "1002", 4680, "eur"),
        ...[3, 4, 5].map((at) => charge(`ch_${at}`, `100${at}`, 7000, "gbp")),
        charge("ch_6", "1006", 800, "gbp", "failed")
      ]
    ],
    [Payments.refunds, given],
    [
      Payments.disputes,
      [dispute("du_3", "ch_3", "lost"), dispute("du_4", "ch_4", "won"), dispute("du_5", "ch_5", "warning_closed")]
    ],
    [
      Partners.shipments,
      [shipment("FF1001-1", "DELIVERED", "2010-12-02T09:00:00Z"), shipment("FF1001-2", "CANCELLED", null)]
    ],
    [Partners.shipmentEvents, [scan("COLLECTED", "2010-12-02T09:05:00Z"), scan("DELIVERED", "2010-12-03T11:00:00Z")]],
    [
      Partners.returns,
      [1, 2].map((at) => ({
        return_id: `R${at}`,
        order_number: "1001",
        quantity: at,
        received_at: "2010-12-06T10:00:00Z"
      }))
    ]
  ]
  return { orders, refunds, rows }
})()

/** Objects of Stripe and movements of its balance that agree and do not, in every way that has a label. */
const matching = (() => {
  const created_at = "2026-11-20T08:00:00Z"
  const entry = (kind: string, source_id: string | null, amount_minor: number, currency = "gbp") => ({
    id: `txn_${kind}_${source_id ?? "none"}_${amount_minor}`,
    kind,
    source_id,
    amount_minor,
    currency,
    created_at
  })
  const ledger = [
    ...([1, 3, 4] as const).map((at) => entry("charge", `ch_${at}`, { 1: 5000, 3: 100, 4: 900 }[at])),
    entry("charge", "ch_2", 8190, "usd"),
    entry("charge", "ch_absent", 40),
    entry("refund", "re_1", -1250),
    entry("refund", "re_old", -70),
    entry("refund", "re_failed", -400),
    entry("refund_failure", "re_failed", 400),
    entry("refund", "re_unbooked", -300),
    ...["re_4a", "re_4b"].map((id) => entry("refund", id, -900)),
    entry("dispute", "du_1", -500),
    entry("fee", "du_1", -15),
    entry("payout", "po_1", -3000),
    entry("topup", null, 77)
  ]
  const object = (id: string, amount_minor: number, rest: Row) => ({
    id,
    amount_minor,
    currency: "gbp",
    created_at,
    balance_transaction_id: "txn",
    ...rest
  })
  const charge = (at: number, order_number: string, captured_minor: number) =>
    object(`ch_${at}`, 5000, { order_number, captured_minor, status: captured_minor > 0 ? "succeeded" : "failed" })
  const refund = (id: string, charge_id: string, amount: number, rest: Row = {}) =>
    object(id, amount, { charge_id, status: "succeeded", ...rest })
  const charges = [
    charge(1, "1001", 5000),
    charge(2, "1002", 7000),
    charge(3, "9999", 100),
    charge(4, "1003", 900),
    charge(5, "1004", 650),
    charge(6, "1005", 0),
    { ...charge(7, "1005", 320), balance_transaction_id: null }
  ]
  const refunds = [
    refund("re_1", "ch_1", 1250),
    refund("re_failed", "ch_1", 400, { status: "failed" }),
    refund("re_unbooked", "ch_1", 300, { status: "failed" }),
    refund("re_4a", "ch_4", 900),
    refund("re_4b", "ch_4", 900),
    refund("re_old", "ch_1", 70, { status: null }),
    refund("re_waits", "ch_1", 600, { status: "pending", balance_transaction_id: null })
  ]
  const objects: ReadonlyArray<readonly [Table, ReadonlyArray<Row>]> = [
    [Tables.orders, lifecycle.orders],
    [Payments.paymentEvents, ledger],
    [Payments.charges, charges],
    [Payments.refunds, refunds],
    [Payments.disputes, [object("du_1", 500, { charge_id: "ch_2", status: "lost" })]],
    [Payments.payouts, [object("po_1", 3000, { status: "paid" })]]
  ]
  return { ledger, objects }
})()

const unshipped = new Set(["placed", "paid", "picked"])

/** December is winter in London: the date of the instant in UTC is the business date. */
const revenueOf = (orders: ReadonlyArray<OnlineRetail.Order>) => {
  const days = Map.groupBy(orders, ({ placedAtMs }) => new Date(placedAtMs).toISOString().slice(0, 10))
  return [...days].map(([business_date, all]) => {
    const sumOf = (kind: OnlineRetail.Order["kind"]) => {
      const lines = all.filter((order) => order.kind === kind).flatMap((order) => order.lines)
      return lines.reduce((sum, line) => sum + line.unitPriceMinor * BigInt(line.quantity), 0n)
    }
    const count = (kind: OnlineRetail.Order["kind"]) => String(all.filter((order) => order.kind === kind).length)
    return {
      business_date,
      currency: "GBP",
      sale_count: count("sale"),
      credit_count: count("credit"),
      sales_minor: String(sumOf("sale")),
      credits_minor: String(sumOf("credit")),
      net_minor: String(sumOf("sale") + sumOf("credit"))
    }
  })
}

/** Aggregates, `datediff('minute', a, b)` (boundaries crossed, in both) and conversions that both engines read alike. */
const functions = new Set(["cast", "coalesce", "count", "sum", "min", "max", "datediff", "lower"])
const keywords =
  "select from where group by left full join union all cross on and or in not is null case when then else end as bigint curated".split(
    " "
  )

/** Names of curated tables and their columns. */
const names = [
  ...tables.map(({ name }) => name),
  ...tables.flatMap(({ columns }) => Object.keys(columns)),
  "_business_date",
  "_source_commit_at"
]
