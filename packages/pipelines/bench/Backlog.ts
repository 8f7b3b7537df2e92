import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Connection from "@northstar/connectors/postgres/Connection"
import { Effect, type Scope } from "effect"
import * as Database from "../src/shop/Database.ts"
import * as Schema from "../src/shop/Schema.ts"

/** Slot that every measured reader takes its changes from, a fresh copy of `origin` each time. */
export const slot = "bench"
/** Publication of the shop's tables. */
export const publication = "bench"
const origin = "bench_origin"

/** Orders and lines of one transaction: 5,000 changes. */
const ordersPerTransaction = 1_000
export const linesPerOrder = 4
/** Orders of the backlog are numbered from here: newer than any that is in curated before. */
export const firstOrder = 1_000_000_000

/** The shop's empty tables and their publication. */
export const tables = (url: string) =>
  Effect.andThen(
    script(url, Schema.create),
    script(url, `create publication ${publication} for table customers, products, orders, order_lines`)
  )

/** The slot, from now on. */
export const begin = (url: string) => script(url, `select pg_create_logical_replication_slot('${slot}', 'pgoutput')`)

/** Keeps where the slot stands now, for `rewind`. */
export const mark = (url: string) => script(url, `select pg_copy_logical_replication_slot('${slot}', '${origin}')`)

/** Puts the slot back to where `mark` found it. */
export const rewind = (url: string) =>
  script(
    url,
    `select pg_drop_replication_slot('${slot}') from pg_replication_slots where slot_name = '${slot}';
     select pg_copy_logical_replication_slot('${origin}', '${slot}')`
  )

/** Runs statements on a connection of their own. */
export const script = (url: string, sql: string): Effect.Effect<void, ConnectorError> =>
  Effect.scoped(Effect.flatMap(Database.connect(url), (database) => database.script(sql)))

/**
 * Commits orders with their lines until there are `changes` of them, in transactions of 5,000 changes, or of as many as
 * said; answers how many there are. `before`: as many are there already.
 */
export const fill = Effect.fnUntraced(function* (
  url: string,
  changes: number,
  { before = 0, ordersAtOnce = ordersPerTransaction }: { readonly before?: number; readonly ordersAtOnce?: number } = {}
) {
  const database = yield* Database.connect(url)
  yield* withoutForeignKeys(database)
  const first = before / (1 + linesPerOrder)
  const transactions = Math.ceil((changes - before) / (ordersAtOnce * (1 + linesPerOrder)))
  for (let index = 0; index < transactions; index++) {
    const from = firstOrder + first + index * ordersAtOnce
    yield* database.script(`begin; ${inserts(from, from + ordersAtOnce - 1)}; commit`)
  }
  return before + transactions * ordersAtOnce * (1 + linesPerOrder)
}, Effect.scoped)

/** Foreign keys cost the server more than the rows do, and nothing of them shows in the stream. */
export const withoutForeignKeys = (database: Database.Database): Effect.Effect<void, ConnectorError> =>
  database.script("set session_replication_role = replica; set synchronous_commit = off")

/** Statements that insert orders `from` to `through` with four lines each. */
export const inserts = (from: number, through: number): string => `
  insert into orders select o, 'N' || o, 'sale', null, 12000 + o % 6000, 'United Kingdom', 'placed', 'GBP',
    100 + o % 50000, clock_timestamp(), clock_timestamp(), null from generate_series(${from}::bigint, ${through}) o;
  insert into order_lines select o, l, (10000 + (o * 7 + l * 131) % 80000)::text || 'A', 1 + (o + l) % 12, 25 + (o * 31 + l * 17) % 5000,
    (1 + (o + l) % 12) * (25 + (o * 31 + l * 17) % 5000), 'GBP', 'placed', clock_timestamp(), clock_timestamp()
    from generate_series(${from}::bigint, ${through}) o, generate_series(1, ${linesPerOrder}) l`

/** Count and checksums of what a table holds of the backlog's orders and later ones, as texts. */
export type Sums = Readonly<Record<"orders" | "order_lines", ReadonlyArray<string>>>

const sumsSql = {
  orders: `select count(*)::text, sum(total_minor)::text, sum(id)::text, sum(ascii(substr(md5(order_number || status || country), 1, 1)) * (id % 1009))::text,
    sum((extract(epoch from placed_at) * 1000000)::bigint)::text from orders where id >= ${firstOrder}`,
  order_lines: `select count(*)::text, sum(amount_minor)::text, sum(order_id * line_no)::text, sum(ascii(substr(md5(product_code || status || quantity::text), 1, 1)) * (order_id % 1009))::text,
    sum((extract(epoch from updated_at) * 1000000)::bigint)::text from order_lines where order_id >= ${firstOrder}`
}

/** The source's own sums. */
export const sums = Effect.fnUntraced(function* (url: string): Effect.fn.Return<Sums, ConnectorError, Scope.Scope> {
  const connection = yield* Connection.open({ url, statementTimeout: "10 minutes" })
  const read = (sql: string) =>
    Effect.map(connection.query(sql.replaceAll(/from (orders|order_lines)/g, "from public.$1")), ([row]) =>
      (row ?? []).map(String)
    )
  return { orders: yield* read(sumsSql.orders), order_lines: yield* read(sumsSql.order_lines) }
})

/** The same sums of curated tables, in DuckDB's words. */
export const curatedSums = {
  orders: `SELECT count(*)::VARCHAR, sum(total_minor)::VARCHAR, sum(id)::VARCHAR, sum(ascii(substr(md5(order_number || status || country), 1, 1)) * (id % 1009))::VARCHAR,
    sum(epoch_us(placed_at))::VARCHAR FROM curated.orders WHERE id >= ${firstOrder}`,
  order_lines: `SELECT count(*)::VARCHAR, sum(amount_minor)::VARCHAR, sum(order_id * line_no)::VARCHAR, sum(ascii(substr(md5(product_code || status || quantity::VARCHAR), 1, 1)) * (order_id % 1009))::VARCHAR,
    sum(epoch_us(updated_at))::VARCHAR FROM curated.order_lines WHERE order_id >= ${firstOrder}`
}
