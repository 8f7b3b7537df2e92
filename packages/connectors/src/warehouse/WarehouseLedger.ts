import { Effect, Layer, Schedule, Schema, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { LedgerError, RunFact, RunId, RunLedger } from "@northstar/core/RunLedger"
import { Warehouse } from "./Warehouse.ts"

const FactText = Schema.fromJsonString(RunFact)

const text = Schema.encodeSync(FactText)

/** Whether a fact is of a batch that was committed now, not found committed. */
const isFresh = (fact: RunFact): fact is Extract<RunFact, { readonly _tag: "Committed" }> =>
  fact._tag === "Committed" && !fact.replayed

/** A fact waits a few seconds for a warehouse whose owner has died; written twice, it is there once. */
const retry = {
  schedule: Schedule.exponential("200 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 5 })),
  while: (error: ConnectorError) => error.isRetryable
}

/** The ledger of runs in the warehouse itself, so that every task and reader sees one history of runs. */
export const layer = Layer.effect(
  RunLedger,
  Effect.gen(function* () {
    const { session: open, dialect } = yield* Warehouse
    const failed = (cause: unknown) => new LedgerError({ cause })
    return RunLedger.of({
      append: ({ run, key, atMs, fact }) =>
        Effect.scoped(
          Effect.flatMap(open, (session) =>
            session.execute(
              `INSERT INTO northstar.runs SELECT ?, ?, ?, ${dialect.instant(atMs)}, ?, ${isFresh(fact) ? 1 : 0}, ${isFresh(fact) ? fact.rows : 0}, ? WHERE NOT EXISTS
                (SELECT 1 FROM northstar.runs WHERE run = ? AND recorded_at = ${dialect.instant(atMs)} AND fact = ?)`,
              [run, key.pipeline, key.stream, fact._tag, text(fact), run, text(fact)]
            )
          )
        ).pipe(Effect.retry(retry), Effect.mapError(failed), Effect.asVoid),
      entries: (key) =>
        Stream.unwrap(
          Effect.scoped(
            Effect.flatMap(open, (session) =>
              session.query(
                `SELECT run, CAST(${dialect.epochMs("recorded_at")} AS VARCHAR) AS at_ms, fact FROM northstar.runs WHERE pipeline = ? AND stream = ? ORDER BY recorded_at`,
                [key.pipeline, key.stream]
              )
            )
          ).pipe(
            Effect.map((rows) =>
              Stream.fromIterable(
                rows.map((row) => ({
                  run: RunId.make(String(row["run"])),
                  key,
                  atMs: Number(row["at_ms"]),
                  fact: Schema.decodeUnknownSync(FactText)(row["fact"])
                }))
              )
            ),
            Effect.mapError(failed)
          )
        )
    })
  })
)
