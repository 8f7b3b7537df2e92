import { Effect } from "effect"
import { query } from "../Shop.ts"

const now = "clock_timestamp()"

/** Values of 3,200 characters, which PostgreSQL keeps outside the row. */
const notes = "repeat(md5(id::text || 'n'), 100)"

const place = (from: number, to: number): string => `
  insert into customers select distinct id / 10, 'Customer', 'c@example.com', 'Spain', ${now}, ${now}
    from generate_series(${from}, ${to}) id on conflict do nothing;
  insert into products select 'P' || n, 'Product', ${now}, ${now} from generate_series(0, 4) n on conflict do nothing;
  insert into orders select id, 'T' || id, 'sale', null, id / 10, 'Spain', 'placed', 'EUR', id, ${now}, ${now},
    case when id % 3 = 0 then ${notes} end from generate_series(${from}, ${to}) id;
  insert into order_lines select id, n, 'P' || n, n, 5, 5 * n, 'EUR', 'placed', ${now}, ${now}
    from generate_series(${from}, ${to}) id, generate_series(1, 3) n;`

/** Every kind of change once, on the orders from `at` to `at + 29`. Each statement is a transaction of its own. */
const everyKind = (at: number): ReadonlyArray<string> => [
  // Notes stay outside the log record.
  `update orders set status = 'paid', updated_at = ${now} where id between ${at} and ${at + 20}`,
  `update orders set notes = repeat('new', 1000) where id = ${at + 3}`,
  `delete from orders where id = ${at + 5}`,
  // Keys move, those of the lines by cascade, and the notes of every third with them.
  `update orders set id = id + 10000 where id between ${at + 6} and ${at + 9}`,
  `update order_lines set line_no = line_no + 100 where order_id = ${at + 10} and line_no = 2`,
  // Moved and moved back, and touched in between.
  `begin; update orders set id = id + 20000 where id = ${at + 12}; update orders set status = 'picked' where id = ${at + 20012};
   update orders set id = id - 20000 where id = ${at + 20012}; commit`,
  // A row that no contract accepts, mended later.
  `insert into orders select ${at + 30}, 'T' || ${at + 30}, 'gift', null, null, 'Spain', 'placed', 'EUR', 1, ${now}, ${now}, null`,
  `update orders set kind = 'sale' where id = ${at + 30}`,
  `begin; delete from orders where id = ${at + 15}; ${place(at + 15, at + 15)} commit`,
  `begin; delete from orders where id = ${at + 16}; rollback`,
  `begin; truncate order_lines; insert into order_lines select id, 1, 'P1', 1, 5, 5, 'EUR', 'placed', ${now}, ${now} from orders where id % 2 = 0; commit`,
  `update order_lines set quantity = 2, amount_minor = 10 where line_no = 1`
]

/** Rows that stand before capture begins, and so come by snapshot. */
export const before = (url: string): Effect.Effect<void> => run(url, [place(0, 59)])

/** What happens between the creation of the slot and the first ingest. */
export const between = (url: string): Effect.Effect<void> => run(url, [place(60, 89), ...everyKind(60)])

/** What happens later on, part by part: parts 0, 1 and so on. */
export const later = (url: string, part: number): Effect.Effect<void> => {
  const at = 1000 * (part + 1)
  return run(url, [place(at, at + 29), ...everyKind(at), `delete from orders where id between 30 and ${31 + part}`])
}

const run = (url: string, statements: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(statements, (statement) => query(url, statement), { discard: true })
