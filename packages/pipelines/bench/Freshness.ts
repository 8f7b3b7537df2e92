import * as Ingest from "@northstar/connectors/project/Ingest"
import * as Services from "@northstar/connectors/project/Services"
import { Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import { Clock, Effect } from "effect"
import * as Database from "../src/shop/Database.ts"
import { firstOrder, inserts, linesPerOrder, withoutForeignKeys } from "./Backlog.ts"
import { quantile } from "./Measure.ts"
import { name, project } from "./Subject.ts"

/** Transactions a second that the offered changes are spread over. */
const transactionsPerSecond = 50
/** How often a reader looks whether a batch has become visible. */
const lookEveryMs = 20
/** The first changes find cold caches. */
const warmUpMs = 5_000

/** Orders of these runs are numbered from here. */
const firstNew = firstOrder + 500_000_000

/**
 * Commits `perSecond` changes a second: new orders with their lines, and a status change of half of the orders and lines
 * of a moment before. Answers the rate that was reached.
 */
export const offer = Effect.fnUntraced(function* (url: string, perSecond: number, seconds: number) {
  const database = yield* Database.connect(url)
  yield* withoutForeignKeys(database)
  const perTransaction = perSecond / transactionsPerSecond
  // An order with its lines is 5 changes, half of them once more.
  const orders = Math.max(1, Math.round(perTransaction / (1.5 * (1 + linesPerOrder))))
  const startMs = yield* Clock.currentTimeMillis
  let from = firstNew
  for (let index = 0; index < transactionsPerSecond * seconds; index++) {
    const through = from + orders - 1
    const half = `between ${from - orders} and ${from - orders + Math.floor(orders / 2) - 1}`
    const changed = `set status = 'picked', updated_at = clock_timestamp()`
    yield* database.script(
      `begin; ${inserts(from, through)}; update orders ${changed} where id ${half}; update order_lines ${changed} where order_id ${half}; commit`
    )
    from = through + 1
    const earlyMs = startMs + ((index + 1) * 1000) / transactionsPerSecond - (yield* Clock.currentTimeMillis)
    if (earlyMs > 0) yield* Effect.sleep(earlyMs)
  }
  const tookMs = (yield* Clock.currentTimeMillis) - startMs
  return ((from - firstNew) * 1.5 * (1 + linesPerOrder) * 1000) / tookMs
})

/** Ingests for a time, and looks at curated as a reader does: when did each batch's changes appear there? */
export const watch = (url: string, folder: string, seconds: number) =>
  Effect.gen(function* () {
    const { session: open } = yield* Warehouse
    const session = yield* open
    const seen = new Map<string, number>()
    const look = Effect.gen(function* () {
      const rows = yield* session.query("SELECT through FROM northstar.watermarks WHERE stream = 'main' AND table_name = 'order_lines'")
      const through = String(rows[0]?.["through"])
      if (!seen.has(through)) seen.set(through, yield* Clock.currentTimeMillis)
      yield* Effect.sleep(lookEveryMs)
    })
    yield* Effect.raceFirst(
      Ingest.ingest(project(url, folder), { untilCaughtUp: false }),
      Effect.timeoutOption(Effect.forever(look), `${seconds} seconds`)
    )
    const rows = yield* session.query(
      `SELECT _batch AS batch, epoch_ms(_source_commit_at)::DOUBLE AS at, count(*)::DOUBLE AS n FROM curated.order_lines__history WHERE order_id >= ${firstNew} GROUP BY 1, 2`
    )
    const started = rows.reduce((first, row) => Math.min(first, Number(row["at"])), Number.POSITIVE_INFINITY)
    const lags = rows.flatMap((row) => {
      const visible = seen.get(String(row["batch"]).slice(`${name}/main/`.length))
      const at = Number(row["at"])
      return visible === undefined || at < started + warmUpMs ? [] : [{ value: (visible - at) / 1000, weight: Number(row["n"]) }]
    })
    return {
      p50: quantile(lags, 0.5),
      p95: quantile(lags, 0.95),
      p99: quantile(lags, 0.99),
      max: quantile(lags, 1),
      batches: seen.size,
      cpuShare: process.cpuUsage().user / 1e6 / process.uptime(),
      rssMb: process.resourceUsage().maxRSS / 1024
    }
  }).pipe(Effect.scoped, Effect.provide(Services.layer(project(url, folder))))
