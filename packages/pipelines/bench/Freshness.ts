import * as Ingest from "@northstar/connectors/project/Ingest"
import type { Project } from "@northstar/connectors/project/Project"
import { Clock, Effect } from "effect"
import * as Database from "../src/shop/Database.ts"
import { withSession } from "./Check.ts"
import { firstOrder, inserts, linesPerOrder, withoutForeignKeys } from "./Backlog.ts"
import { quantile } from "./Measure.ts"
import { shop } from "./Subject.ts"

/** Transactions a second that the offered changes are spread over. */
const transactionsPerSecond = 50
/** How often a reader looks whether a batch has become visible. */
const lookEveryMs = 20
/** The first changes find cold caches. */
const warmUpMs = 5_000

/** Orders of the first run are numbered from here; of each further run on the same source from `ordersPerRun` higher. */
const firstNew = firstOrder + 500_000_000
const ordersPerRun = 10_000_000
const firstOf = (run: number): number => firstNew + run * ordersPerRun

/**
 * Commits `perSecond` changes a second: new orders with their lines, and a status change of half of the orders and lines
 * of a moment before. Answers the rate that was reached.
 */
export const offer = Effect.fnUntraced(function* (url: string, perSecond: number, seconds: number, run = 0) {
  const database = yield* Database.connect(url)
  yield* withoutForeignKeys(database)
  const perTransaction = perSecond / transactionsPerSecond
  // An order with its lines is 5 changes; half of the orders before are changed once more.
  const orders = Math.max(1, Math.round(perTransaction / (1.5 * (1 + linesPerOrder))))
  const changed = Math.floor(orders / 2)
  const startMs = yield* Clock.currentTimeMillis
  let from = firstOf(run)
  for (let index = 0; index < transactionsPerSecond * seconds; index++) {
    const through = from + orders - 1
    const half = `between ${from - orders} and ${from - orders + changed - 1}`
    const change = `set status = 'picked', updated_at = clock_timestamp()`
    yield* database.script(
      `begin; ${inserts(from, through)}; update orders ${change} where id ${half}; update order_lines ${change} where order_id ${half}; commit`
    )
    from = through + 1
    const earlyMs = startMs + ((index + 1) * 1000) / transactionsPerSecond - (yield* Clock.currentTimeMillis)
    if (earlyMs > 0) yield* Effect.sleep(earlyMs)
  }
  const tookMs = (yield* Clock.currentTimeMillis) - startMs
  return (transactionsPerSecond * seconds * (orders + changed) * (1 + linesPerOrder) * 1000) / tookMs
})

/** Ingests for a time while a reader looks, from another connection: when did each batch's changes appear in curated? */
export const watch = Effect.fnUntraced(function* (url: string, folder: string, seconds: number, run: number) {
  const { project: subject } = shop(url, folder)
  const seen = new Map<string, number>()
  const before = process.cpuUsage()
  yield* Effect.raceFirst(
    Ingest.ingest(subject, { untilCaughtUp: false }),
    // The ingester must come first: it then owns the file.
    Effect.delay(look(subject, seen, seconds), "2 seconds")
  )
  const { user, system } = process.cpuUsage(before)
  const rows = yield* withSession(subject, (session) =>
    session.query(
      `SELECT _batch AS batch, epoch_ms(_source_commit_at)::DOUBLE AS committed_ms, count(*)::DOUBLE AS n FROM curated.order_lines__history WHERE order_id BETWEEN ${firstOf(run)} AND ${firstOf(run + 1) - 1} GROUP BY 1, 2`
    )
  )
  const startedMs = rows.reduce((first, row) => Math.min(first, Number(row["committed_ms"])), Number.POSITIVE_INFINITY)
  const lags = rows.flatMap((row) => {
    // A batch that came and went between two looks is seen with the one after it; one that never is waits for ever.
    const batch = String(row["batch"]).split("/").at(-1)!
    const visibleMs = [...seen].find(([through]) => through >= batch)?.[1] ?? Number.POSITIVE_INFINITY
    const atMs = Number(row["committed_ms"])
    return atMs < startedMs + warmUpMs ? [] : [{ value: (visibleMs - atMs) / 1000, weight: Number(row["n"]) }]
  })
  return {
    p50: quantile(lags, 0.5),
    p95: quantile(lags, 0.95),
    p99: quantile(lags, 0.99),
    max: quantile(lags, 1),
    lines: lags.reduce((sum, { weight }) => sum + weight, 0),
    batches: seen.size,
    coresUsed: (user + system) / 1e6 / seconds,
    rssMb: process.resourceUsage().maxRSS / 1024
  }
})

const look = (subject: Project, seen: Map<string, number>, seconds: number) =>
  withSession(subject, (session) =>
    Effect.gen(function* () {
      const rows = yield* session.query(
        "SELECT through FROM northstar.watermarks WHERE stream = 'shop' AND table_name = 'order_lines'"
      )
      const through = String(rows[0]?.["through"])
      if (!seen.has(through)) seen.set(through, yield* Clock.currentTimeMillis)
      yield* Effect.sleep(lookEveryMs)
    }).pipe(Effect.forever, Effect.timeoutOption(`${seconds} seconds`))
  )
