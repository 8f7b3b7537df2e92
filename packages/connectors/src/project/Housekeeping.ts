import { Effect, Ref, Schedule } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Retention from "../landing/Retention.ts"
import { literal } from "../warehouse/Dialect.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import type { Feed } from "./Project.ts"
import { loadKey } from "./Streams.ts"

/** How often a running ingest tidies its log. */
const every = "1 hour"

/**
 * Removes from the landing log what is older than its retention and what no commit names, now and every hour, until
 * interrupted. Every watermark that the warehouse keeps of the log, a parked table's and a backfill's included, holds
 * back what lies after it. Failures are logged: nothing else waits for it.
 */
export const run = Effect.fn("Housekeeping.run")(function* (feed: Feed) {
  const swept = yield* Ref.make(0n)
  const tidyUp = Effect.gen(function* () {
    const consumers = yield* consumersOf(feed)
    const plan = yield* Retention.plan({
      stream: feed.log,
      consumers,
      exceptions: feed.project.retentionExceptions
    })
    for (const { consumer, oldest, state } of plan.holds) {
      yield* Effect.logWarning(
        `landing log: ${consumer} still needs raw data from record ${oldest} on that is ${state === "warning" ? "soon" : "past"} due` +
          (state === "overdue" ? "; let it load, or record an exception in retentionExceptions" : "")
      )
    }
    yield* Retention.apply(plan)
    yield* Retention.apply(yield* Retention.sweep({ stream: feed.log, after: yield* Ref.get(swept) }))
    yield* Ref.set(swept, least(consumers))
    if (plan.records > 0) yield* Effect.logInfo(`landing log: removed ${plan.records} records past their retention`)
  })
  yield* tidyUp.pipe(
    Effect.catch((error: ConnectorError) => Effect.logWarning(`landing log: not tidied: ${error.message}`)),
    Effect.repeat(Schedule.spaced(every))
  )
})

const least = (consumers: ReadonlyArray<Retention.Consumer>): bigint =>
  consumers.reduce<bigint | undefined>(
    (low, { sequence }) => (low === undefined || sequence < low ? sequence : low),
    undefined
  ) ?? 0n

/** Who reads the project's log, by the watermarks in the warehouse; ingest itself even before its first batch. */
const consumersOf = Effect.fnUntraced(function* (feed: Feed) {
  const { session: open } = yield* Warehouse
  const { pipeline, stream } = loadKey(feed)
  const rows = yield* Effect.scoped(
    Effect.flatMap(open, (session) =>
      session.query(
        `SELECT stream, table_name, through FROM northstar.watermarks WHERE pipeline = ${literal(pipeline)} AND (stream = ${literal(stream)} OR stream LIKE ${literal(`${stream}/%`)})`
      )
    )
  )
  if (rows.length === 0) return [{ name: "ingest", sequence: 0n }]
  return rows.map((row): Retention.Consumer => ({
    name: `${String(row["stream"])}/${String(row["table_name"])}`,
    sequence: BigInt(String(row["through"] ?? "0"))
  }))
})
