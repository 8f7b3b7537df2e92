import { Effect, Exit, Layer, Schedule, Schema, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { StreamKey } from "@northstar/core/Position"
import { LedgerError, type RunEntry, RunFact, RunId, RunLedger } from "@northstar/core/RunLedger"
import { literal } from "./Dialect.ts"
import { maskText } from "../cards/Tripwire.ts"
import { Warehouse } from "./Warehouse.ts"

const FactText = Schema.fromJsonString(RunFact)

const encode = Schema.encodeSync(FactText)

/** Messages of failures come from outside in the end: whatever they quote, no card number is kept. */
const text = (fact: RunFact): string =>
  "detail" in fact ? encode({ ...fact, detail: maskText(fact.detail) }) : encode(fact)

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
    const warehouse = yield* Warehouse
    return RunLedger.of({
      append: (entry) => write(warehouse, [entry]),
      entries: (key) => read(warehouse, key)
    })
  })
)

/** Time between two writes for the sake of failures of one lane that nothing good came between. */
const failuresEveryMs = 300_000

/**
 * The same for a warehouse that costs money while it works: facts wait in memory until something is loaded, since the
 * warehouse is awake then, or until the program ends. A failure is written at once; the next ones of its lane wait like the
 * rest. A run that found nothing to do leaves none. Commits that wait are told as one.
 */
export const layerSparing = Layer.effect(
  RunLedger,
  Effect.gen(function* () {
    const warehouse = yield* Warehouse
    let waiting: ReadonlyArray<RunEntry> = []
    /** When the last failure that woke the warehouse was written, by lane; none where it has committed since. */
    const toldAtMs = new Map<string, number>()
    const flush = Effect.gen(function* () {
      const entries = waiting
      waiting = []
      yield* write(warehouse, entries).pipe(
        // Also when whoever asked has stopped waiting for it.
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit)) waiting = [...entries, ...waiting]
          })
        )
      )
    })
    yield* Effect.addFinalizer(() => (waiting.some(isNews) ? Effect.ignore(flush) : Effect.void))
    return RunLedger.of({
      append: (entry) => {
        waiting = joined(waiting, entry)
        const { fact, key, atMs } = entry
        const lane = `${key.pipeline}/${key.stream}`
        if (fact._tag === "Committed") {
          toldAtMs.delete(lane)
          return key.stream.endsWith("/capture") ? Effect.void : flush
        }
        const isNew = atMs - (toldAtMs.get(lane) ?? -Infinity) > failuresEveryMs
        if (fact._tag !== "Failed" || !isNew) return Effect.void
        // Only once it is written: what could not be told is told with the next attempt's failure.
        return Effect.tap(flush, () => Effect.sync(() => toldAtMs.set(lane, atMs)))
      },
      entries: (key) => read(warehouse, key)
    })
  })
)

const isNews = ({ fact }: RunEntry): boolean =>
  isFresh(fact) || fact._tag === "Failed" || (fact._tag === "Ended" && fact.outcome === "failed")

/** The entries with one more; a commit joins the one before it of the same run. */
const joined = (waiting: ReadonlyArray<RunEntry>, entry: RunEntry): ReadonlyArray<RunEntry> => {
  const last = waiting.at(-1)
  if (last === undefined || last.run !== entry.run || !isFresh(last.fact) || !isFresh(entry.fact)) {
    return [...waiting, entry]
  }
  const fact: RunFact = { ...entry.fact, rows: last.fact.rows + entry.fact.rows }
  return [...waiting.slice(0, -1), { ...entry, fact }]
}

const failed = (cause: unknown) => new LedgerError({ cause })

type Service = Warehouse["Service"]

/** Writes facts that are not there yet, by one statement. */
const write = ({ dialect, session: open }: Service, entries: ReadonlyArray<RunEntry>) => {
  if (entries.length === 0) return Effect.void
  const rows = entries.map(({ atMs, fact, key, run }, at) => {
    const [batches, committed] = isFresh(fact) ? [1, fact.rows] : [0, 0]
    const values = [run, key.pipeline, key.stream, fact._tag, text(fact)].map(literal)
    const [id, pipeline, stream, kind, said] = values
    return `SELECT ${at} AS i, ${id} AS run, ${pipeline} AS pipeline, ${stream} AS stream, ${dialect.instant(atMs)} AS recorded_at, ${kind} AS kind, ${batches} AS batches, ${committed} AS rows_in, ${said} AS fact`
  })
  const columns = "run, pipeline, stream, recorded_at, kind, batches, rows_in, fact"
  const sql = `INSERT INTO northstar.runs (${columns}) SELECT ${columns} FROM (${rows.join(" UNION ALL ")}) AS f
    WHERE NOT EXISTS (SELECT 1 FROM northstar.runs AS r WHERE r.run = f.run AND r.recorded_at = f.recorded_at AND r.fact = f.fact) ORDER BY i`
  return Effect.scoped(Effect.flatMap(open, (session) => session.execute(sql))).pipe(
    Effect.retry(retry),
    Effect.mapError(failed),
    Effect.asVoid
  )
}

const read = ({ dialect, session: open }: Service, key: StreamKey) =>
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
