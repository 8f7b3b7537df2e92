import * as Postgres from "@northstar/connectors/local/Postgres"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Database from "../src/shop/Database.ts"
import * as OnlineRetail from "../src/shop/OnlineRetail.ts"
import * as Replay from "../src/shop/Replay.ts"
import * as Schema from "../src/shop/Schema.ts"
import * as Tables from "../src/Tables.ts"
import { broken, query } from "./Shop.ts"

const noonOfDay3 = Date.UTC(2010, 11, 3, 12)

it.effect("the same seed gives the same plan, another seed another", () =>
  Effect.gen(function* () {
    const orders = yield* OnlineRetail.load
    const plan = (seed: string) => Replay.plan(orders, { seed, liveFromMs: noonOfDay3 })
    const first = yield* plan("a")
    expect(yield* plan("a")).toEqual(first)
    expect(yield* plan("b")).not.toEqual(first)
  })
)

it.live.each([0, noonOfDay3, Date.UTC(2011, 0)])(
  "a shop that goes live at %i ends with the orders and lines of the data set, to the penny",
  (liveFromMs) =>
    Effect.gen(function* () {
      const { url } = yield* Postgres.start()
      const database = yield* Database.connect(url)
      yield* database.script(Schema.create)
      const orders = yield* OnlineRetail.load
      const plan = yield* Replay.plan(orders, { seed: "replay", liveFromMs })
      yield* Replay.fill(url, plan.history)
      const changed = yield* Replay.run(url, plan.events)
      expect(changed).toBeGreaterThanOrEqual(plan.events.length)

      expect(yield* query(url, linesSql)).toEqual(linesOf(orders))
      const [totals] = yield* query(
        url,
        `select sum(total_minor)::text as orders, (select sum(amount_minor)::text from order_lines) as lines,
           count(*) filter (where total_minor <> (select sum(amount_minor) from order_lines l where l.order_id = o.id))::int as wrong,
           min(currency) as currency, max(currency) as "currencyMax" from orders o`
      )
      expect(totals).toEqual({ orders: "25178505", lines: "25178505", wrong: 0, currency: "GBP", currencyMax: "GBP" })
      for (const table of Tables.all) expect(yield* broken(url, table)).toEqual([])
    })
)

it.effect("every kind of event happens", () =>
  Effect.gen(function* () {
    const plan = yield* Replay.plan(yield* OnlineRetail.load, { seed: "kinds", liveFromMs: 0 })
    expect(new Set(plan.events.map(({ kind }) => kind)).size).toBe(17)
    expect(plan.events.map(({ atMs }) => atMs)).toEqual(plan.events.map(({ atMs }) => atMs).toSorted((a, b) => a - b))
  })
)

const linesSql = `select o.id::text, o.order_number, o.kind, o.customer_id::text, o.country, l.line_no, l.product_code, l.quantity,
    l.unit_price_minor::text, l.amount_minor::text, l.currency, extract(epoch from l.placed_at)::bigint::text as placed
  from order_lines l join orders o on o.id = l.order_id order by o.id, l.line_no`

const linesOf = (orders: ReadonlyArray<OnlineRetail.Order>) =>
  orders
    .toSorted((left, right) => Number(left.id) - Number(right.id))
    .flatMap((order) =>
      order.lines.map((line, index) => ({
        id: String(order.id),
        order_number: order.number,
        kind: order.kind,
        customer_id: order.customerId?.toString() ?? null,
        country: order.country,
        line_no: index + 1,
        product_code: line.productCode,
        quantity: line.quantity,
        unit_price_minor: String(line.unitPriceMinor),
        amount_minor: String(line.unitPriceMinor * BigInt(line.quantity)),
        currency: "GBP",
        placed: String(line.placedAtMs / 1000)
      }))
    )
