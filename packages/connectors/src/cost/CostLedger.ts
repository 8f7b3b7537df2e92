import { Clock, Effect } from "effect"
import type { StreamKey } from "@northstar/core/Position"
import { type Dialect, literal } from "../warehouse/Dialect.ts"
import type { Session, Warehouse } from "../warehouse/Warehouse.ts"
import type { CycleCost } from "./Cycle.ts"
import { creditsPerHour } from "./Prices.ts"

/** How long the engine may take to tell what a cycle took. */
const within = "30 seconds"

/**
 * Adds what a published batch took to `northstar.costs`, where the engine tells: in the session that published it, while its
 * warehouse is awake, and in no transaction. Losing the line loses no data, so that no failure passes on.
 */
export const measure = Effect.fn("CostLedger.measure")(function* (
  { dialect, usage }: Pick<Warehouse["Service"], "dialect" | "usage">,
  session: Session,
  key: StreamKey,
  published: { readonly through: string; readonly changes: number }
) {
  if (usage === undefined) return
  const { through, changes } = published
  const recordedAtMs = yield* Clock.currentTimeMillis
  yield* usage(session, through).pipe(
    Effect.flatMap(({ size, warehouse, statements, warehouseMs, bytesScanned }) =>
      record(session, dialect, key, {
        batch: `${key.pipeline}/${key.stream}/${through}`,
        warehouse,
        size: sizeOf(size),
        statements,
        warehouseSeconds: warehouseMs / 1000,
        bytesScanned,
        changes,
        recordedAtMs
      })
    ),
    Effect.timeout(within),
    Effect.catch((error) => Effect.logWarning(`what ${through} cost was not recorded: ${error.message}`))
  )
})

/** Adds what a cycle cost to `northstar.costs`. Outside of the cycle's transaction: losing the line loses no data. */
export const record = (session: Session, dialect: Dialect, key: StreamKey, cost: CycleCost) =>
  session.execute(
    `INSERT INTO northstar.costs (batch, pipeline, stream, warehouse, warehouse_size, statements, warehouse_ms, bytes_scanned, changes, recorded_at)
    SELECT ${[cost.batch, key.pipeline, key.stream, cost.warehouse, cost.size].map(literal).join(", ")},
      ${cost.statements}, ${Math.round(cost.warehouseSeconds * 1000)}, ${cost.bytesScanned}, ${cost.changes}, ${dialect.instant(cost.recordedAtMs)}`
  )

/** Cycles of a pipeline since an instant (Unix milliseconds), oldest first; at most the latest `cyclesMax`. */
export const read = Effect.fn("CostLedger.read")(function* (
  session: Session,
  dialect: Dialect,
  pipeline: string,
  sinceMs: number,
  cyclesMax = 50_000
) {
  const rows = yield* session.query(
    `SELECT batch AS b, warehouse AS w, warehouse_size AS z, statements AS n, warehouse_ms AS ms, bytes_scanned AS scanned, changes AS c, ${dialect.epochMs("recorded_at")} AS t
    FROM northstar.costs WHERE pipeline = ${literal(pipeline)} AND recorded_at >= ${dialect.instant(sinceMs)} ORDER BY recorded_at DESC LIMIT ${cyclesMax}`
  )
  return rows.toReversed().map((row): CycleCost => ({
    batch: String(row["b"]),
    warehouse: String(row["w"]),
    size: sizeOf(String(row["z"])),
    statements: Number(row["n"]),
    warehouseSeconds: Number(row["ms"]) / 1000,
    bytesScanned: Number(row["scanned"]),
    changes: Number(row["c"]),
    recordedAtMs: Number(row["t"])
  }))
})

/** A size in the table's spelling; what SHOW prints has a hyphen. */
const sizeOf = (text: string): CycleCost["size"] => {
  const plain = text.toUpperCase().replaceAll("-", "")
  // Sound: what is not a known size is taken for the smallest, so that it is never the cheaper reading.
  return plain in creditsPerHour ? (plain as CycleCost["size"]) : "XSMALL"
}
