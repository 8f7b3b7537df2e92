import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { literal } from "../warehouse/Dialect.ts"
import type { Session, Usage } from "../warehouse/Warehouse.ts"

/** Statements of a session that Snowflake tells of at most. */
const statementsMax = 10_000

/**
 * What the session's statements for a batch took, by their query tag. A statement that needed no warehouse has no size in
 * the history. Time counts from submission to answer: a warehouse that compiles or waits for a lock is billed all the same.
 */
export const usage = Effect.fn("SnowflakeUsage.usage")(function* (
  session: Session,
  batch: string
): Effect.fn.Return<Usage, ConnectorError> {
  const [row] = yield* session.query(
    `SELECT MAX(warehouse_name) AS w, MAX(warehouse_size) AS z, COUNT(*) AS n,
      SUM(CASE WHEN warehouse_size IS NULL THEN 0 ELSE total_elapsed_time END) AS ms, SUM(bytes_scanned) AS scanned
    FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(RESULT_LIMIT => ${statementsMax}))
    WHERE query_tag LIKE ${literal(`%"batch":${JSON.stringify(batch)}%`)}`
  )
  return {
    warehouse: String(row?.["w"] ?? ""),
    size: String(row?.["z"] ?? ""),
    statements: Number(row?.["n"] ?? 0),
    warehouseMs: Number(row?.["ms"] ?? 0),
    bytesScanned: Number(row?.["scanned"] ?? 0)
  }
})
