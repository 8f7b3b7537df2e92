import type { Random } from "effect"
import type { Statement } from "./Statement.ts"

/**
 * The part of the tables in which one connection works, so that connections rarely wait for each other: orders from
 * `first` on, of which `next` is the first one never used. Products are everybody's.
 */
export interface Lane {
  readonly first: number
  next: number
  /** Orders that one statement touches at most. */
  readonly ordersMax: number
}

/** The lane of a connection in a run: 10⁸ order ids, the upper half of which is for orders that move. */
export const lane = (connection: number, run: number, ordersMax: number): Lane => {
  const first = 1_000_000_000_000 + (run * 1000 + connection) * laneOrders
  return { first, next: first, ordersMax }
}

const laneOrders = 100_000_000
const products = 1000

/** What the shop does next, in one or a few statements. */
export const draw = (lane: Lane, random: Random.Random): ReadonlyArray<Statement> => {
  const chosen = random.nextDoubleUnsafe() * total
  let sum = 0
  const action = actions.find(({ weight }) => (sum += weight) > chosen) ?? first
  return action.take(lane, random)
}

type Take = (lane: Lane, random: Random.Random) => ReadonlyArray<Statement>

/** New orders with their customers, products and lines: many tables in one transaction. */
const place: Take = (lane, random) => {
  const from = lane.next
  lane.next += sizeOf(lane, random)
  return orders(from, lane.next - 1, random)
}

/** Orders that are gone come back under the same keys; those that still stand, or moved with their number, stay. */
const placeAgain: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [
    { text: "delete from orders where id between $1::bigint and $2::bigint and id % 3 = 0", values: [from, to] },
    ...orders(from, to, random)
  ]
}

const orders = (from: number, to: number, random: Random.Random): ReadonlyArray<Statement> => {
  const salt = integer(random, 1_000_000)
  return [
    {
      text: `insert into customers
        select distinct id / 10, 'Customer ' || id / 10, 'c' || id / 10 || '@example.com', 'United Kingdom', ${now}, ${now}
        from generate_series($1::bigint, $2::bigint) id on conflict do nothing`,
      values: [from, to]
    },
    {
      text: `insert into products select 'P' || n, case when n % 50 > 0 then 'Product ' || n end, ${now}, ${now}
        from generate_series($1::bigint, $1::bigint + 4) n on conflict do nothing`,
      values: [salt % products]
    },
    {
      text: `insert into orders
        select id, 'T' || id, 'sale', null, case when id % 4 > 0 then id / 10 end, 'United Kingdom', 'placed',
          (array['GBP', 'EUR', 'USD'])[1 + id % 3], (id * 7919 + $3::int) % 100000, ${now}, ${now},
          case when id % 9 = 0 then ${longText} end
        from generate_series($1::bigint, $2::bigint) id on conflict do nothing`,
      values: [from, to, salt]
    },
    {
      text: `insert into order_lines
        select o.id, n, p.code, n, 250, 250 * n, o.currency, 'placed', o.placed_at, ${now}
        from orders o cross join generate_series(1, 1 + $3::int % 6) n
        cross join lateral (select code from products where code >= 'P' || (o.id + n) % ${products} order by code limit 1) p
        where o.id between $1::bigint and $2::bigint on conflict do nothing`,
      values: [from, to, salt]
    }
  ]
}

const now = "clock_timestamp()"
/** 3,200 characters, which PostgreSQL stores outside the row. */
const longText = "repeat(md5(id::text || $3::text), 100)"

/** Leaves the notes alone: a log record without their value. */
const setStatus: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  const status = ["paid", "picked", "shipped", "delivered", "cancelled"][integer(random, 5)] ?? "paid"
  return [
    {
      text: `update orders set status = $3, updated_at = ${now} where id between $1::bigint and $2::bigint`,
      values: [from, to, status]
    }
  ]
}

const setLines: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [
    {
      text: `update order_lines set quantity = quantity % 50 + $3::int, amount_minor = (quantity % 50 + $3::int) * unit_price_minor, updated_at = ${now}
        where order_id between $1::bigint and $2::bigint`,
      values: [from, to, 1 + integer(random, 20)]
    },
    {
      text: `update orders set total_minor = (total_minor + $3::bigint) % 1000000, updated_at = ${now} where id between $1::bigint and $2::bigint`,
      values: [from, to, integer(random, 1000)]
    }
  ]
}

const setNotes: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [
    {
      text: `update orders set notes = case when id % 5 = 0 then null else ${longText} end where id between $1::bigint and $2::bigint and id % 7 = 0`,
      values: [from, to, integer(random, 1_000_000)]
    }
  ]
}

const setNames: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  const salt = integer(random, products)
  return [
    {
      text: `update customers set email = 'c' || id || '.' || $3::text || '@example.org', updated_at = ${now} where id between $1::bigint / 10 and $2::bigint / 10`,
      values: [from, to, salt]
    },
    {
      text: `update products set name = 'Product ' || $2::int, updated_at = ${now}
        where code in (select code from products where code >= $1 order by code limit 3)`,
      values: [`P${salt}`, salt]
    }
  ]
}

/** Primary keys move, those of the lines by cascade; notes move along without being in the log record. */
const moveOrders: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [
    {
      text: `update orders o set id = id + $4::bigint, updated_at = ${now}
        where id between $1::bigint and $2::bigint and id % 2 = 0 and id < $3::bigint
          and not exists (select from orders taken where taken.id = o.id + $4::bigint)`,
      values: [from, to, lane.first + laneOrders / 2, laneOrders / 2]
    }
  ]
}

const moveLines: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [
    {
      text: `update order_lines l set line_no = line_no + 100
        where order_id between $1::bigint and $2::bigint and line_no < 100 and line_no % 2 = 0
          and not exists (select from order_lines taken where taken.order_id = l.order_id and taken.line_no = l.line_no + 100)`,
      values: [from, to]
    }
  ]
}

const deleteLines: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [
    {
      text: "delete from order_lines where order_id between $1::bigint and $2::bigint and line_no % 2 = 1",
      values: [from, to]
    }
  ]
}

const deleteOrders: Take = (lane, random) => {
  const [from, to] = range(lane, random)
  return [{ text: "delete from orders where id between $1::bigint and $2::bigint", values: [from, to] }]
}

const truncateLines: Take = () => [{ text: "truncate order_lines", values: [] }]
const truncateOrders: Take = () => [{ text: "truncate orders, order_lines", values: [] }]

const first = { weight: 24, take: place }

/** Actions with their relative frequency. */
const actions: ReadonlyArray<{ readonly weight: number; readonly take: Take }> = [
  first,
  { weight: 5, take: placeAgain },
  { weight: 25, take: setStatus },
  { weight: 18, take: setLines },
  { weight: 6, take: setNotes },
  { weight: 5, take: setNames },
  { weight: 5, take: moveOrders },
  { weight: 4, take: moveLines },
  { weight: 4, take: deleteLines },
  { weight: 3.9, take: deleteOrders },
  { weight: 0.07, take: truncateLines },
  { weight: 0.03, take: truncateOrders }
]

const total = actions.reduce((sum, { weight }) => sum + weight, 0)

const integer = (random: Random.Random, below: number): number => Math.floor(below * random.nextDoubleUnsafe())

/** Few orders more often than many. */
const sizeOf = (lane: Lane, random: Random.Random): number =>
  1 + Math.floor(lane.ordersMax * random.nextDoubleUnsafe() ** 4)

/** Orders of the lane to work on, both ends included; one time in eight among those that may have moved. */
const range = (lane: Lane, random: Random.Random): readonly [number, number] => {
  const moved = random.nextDoubleUnsafe() < 0.125 ? laneOrders / 2 : 0
  const from = lane.first + moved + integer(random, Math.max(1, lane.next - lane.first))
  return [from, from + sizeOf(lane, random) - 1]
}
