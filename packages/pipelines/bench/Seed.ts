import * as Services from "@northstar/connectors/project/Services"
import { versionNumber } from "@northstar/connectors/warehouse/Model"
import { Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import { Effect } from "effect"
import { linesPerOrder } from "./Backlog.ts"
import type { Project } from "@northstar/connectors/project/Project"

const part = (position: bigint, ordinal: number) => versionNumber({ epoch: 0, position, ordinal, revision: 0 })
const first = versionNumber({ epoch: 1, position: 1000n, ordinal: 0, revision: 1 })
/** Old orders are placed in the order of their numbers from 2024 on, as many a second: 2,500,000 in two years. */
const secondsPerThousand = 25_229

/**
 * Fills curated and history up to `lines` order lines and a quarter as many orders, older than anything that will come.
 * `before`: as many lines are there already.
 */
export const fill = (project: Project, lines: number, before = 0) =>
  Effect.gen(function* () {
    const { session: open } = yield* Warehouse
    const session = yield* open
    const orders = lines / linesPerOrder
    const range = `range(${before / linesPerOrder + 1}, ${orders + 1})`
    const at = `TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds((o * ${secondsPerThousand} // 1000)::BIGINT)`
    const version = `${first}::HUGEINT + (o // 1000)::HUGEINT * ${part(1n, 0)} + (o % 1000 * 8 + l)::HUGEINT * ${part(0n, 1)}`
    const meta = `${version} AS _version, 'import' AS _batch, placed_at AS _source_commit_at, placed_at AS _ingested_at, placed_at AS _recorded_at, placed_at AS _event_at,
      placed_at::DATE AS _business_date, 'Europe/London' AS _business_zone, placed_at::DATE AS _posting_date`
    const ordersSql = `SELECT o AS id, 'N' || o AS order_number, 'sale' AS kind, NULL::BIGINT AS credits_order_id, 12000 + o % 6000 AS customer_id,
      'United Kingdom' AS country, 'delivered' AS status, 'GBP' AS currency, 100 + o % 50000 AS total_minor, placed_at, placed_at AS updated_at,
      NULL::VARCHAR AS notes, ${meta} FROM (SELECT o, 0 AS l, ${at} AS placed_at FROM ${range} AS r(o))`
    const linesSql = `SELECT o AS order_id, l AS line_no, ((10000 + (o * 7 + l * 131) % 80000)::VARCHAR || 'A') AS product_code, 1 + (o + l) % 12 AS quantity,
      25 + (o * 31 + l * 17) % 5000 AS unit_price_minor, (1 + (o + l) % 12) * (25 + (o * 31 + l * 17) % 5000) AS amount_minor, 'GBP' AS currency,
      'shipped' AS status, placed_at, placed_at AS updated_at, ${meta}
      FROM (SELECT o, l, ${at} AS placed_at FROM ${range} AS r(o), range(1, ${linesPerOrder + 1}) AS n(l))`
    for (const [table, sql] of [
      ["orders", ordersSql],
      ["order_lines", linesSql]
    ] as const) {
      yield* session.execute(`INSERT INTO curated.${table}__history BY NAME SELECT *, 1 AS _op FROM (${sql})`)
      yield* session.execute(`INSERT INTO curated.${table} BY NAME ${sql}`)
      yield* session.execute(
        `UPDATE northstar.tables SET high_version = (SELECT max(_version) FROM curated.${table}) WHERE table_name = '${table}'`
      )
    }
    yield* session.execute("CHECKPOINT")
  }).pipe(Effect.scoped, Effect.provide(Services.layer(project)))

/** The same order lines for the source, in PostgreSQL's words. */
export const sourceLines = (lines: number, before: number): string => `
  insert into order_lines select o, l, (10000 + (o * 7 + l * 131) % 80000)::text || 'A', 1 + (o + l) % 12, 25 + (o * 31 + l * 17) % 5000,
    (1 + (o + l) % 12) * (25 + (o * 31 + l * 17) % 5000), 'GBP', 'shipped', at, at
    from generate_series(${before / linesPerOrder + 1}::bigint, ${lines / linesPerOrder}) o, generate_series(1, ${linesPerOrder}) l,
      lateral (select timestamptz '2024-01-01 00:00:00+00' + make_interval(secs => o * ${secondsPerThousand} / 1000) as at) t`
