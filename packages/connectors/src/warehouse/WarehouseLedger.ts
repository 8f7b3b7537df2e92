import { Effect, Layer, Schedule, Schema, Semaphore, Stream } from "effect"
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
 * rest. A run that found nothing to do leaves none. Commits of a run that wait are told as one; of those that cannot be told
 * as one the oldest are left out beyond 1,000.
 */
export const layerSparing = Layer.effect(
  RunLedger,
  Effect.gen(function* () {
    const warehouse = yield* Warehouse
    let waiting: ReadonlyArray<RunEntry> = []
    /** What a statement is writing, or may have written although it failed: it stays as it is, so that it is there once. */
    let writing: ReadonlyArray<RunEntry> = []
    /** When the last failure that woke the warehouse was written, by lane; none where it has committed since. */
    const toldAtMs = new Map<string, number>()
    const oneAtATime = yield* Semaphore.make(1)
    const flush = Effect.gen(function* () {
      while (writing.length + waiting.length > 0) {
        if (writing.length === 0) [writing, waiting] = split(waiting)
        yield* write(warehouse, writing)
        writing = []
      }
    }).pipe(oneAtATime.withPermit)
    yield* Effect.addFinalizer(() => ([...writing, ...waiting].some(isNews) ? Effect.ignore(flush) : Effect.void))
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

/**
 * The entries with one more; a commit joins the one before it if nothing else happened in its run meanwhile. An entry that is
 * there already, since whoever appended it stopped waiting, is not added again.
 */
const joined = (waiting: ReadonlyArray<RunEntry>, entry: RunEntry): ReadonlyArray<RunEntry> => {
  if (waiting.includes(entry)) return waiting
  const at = waiting.findLastIndex(({ run }) => run === entry.run)
  const last = waiting[at]
  if (last === undefined || !isFresh(last.fact) || !isFresh(entry.fact)) return [...bounded(waiting), entry]
  const fact: RunFact = { ...entry.fact, rows: last.fact.rows + entry.fact.rows }
  return [...waiting.toSpliced(at, 1), { ...entry, fact }]
}

/** Commits that wait at most. */
const commitsMax = 1000

/** The entries with room for one more commit: the oldest one goes. How runs began, failed and ended is never left out. */
const bounded = (waiting: ReadonlyArray<RunEntry>): ReadonlyArray<RunEntry> => {
  const isCommit = ({ fact }: RunEntry) => fact._tag === "Committed"
  return waiting.filter(isCommit).length < commitsMax ? waiting : waiting.toSpliced(waiting.findIndex(isCommit), 1)
}

/** Characters of a statement, about; Snowflake takes a megabyte. */
const statementMax = 150_000

/** Characters of a fact's row in a statement beside the fact's own text, about. */
const rowLength = 300

/** The first entries, as many as one statement takes, and the rest. */
const split = (
  entries: ReadonlyArray<RunEntry>
): readonly [first: ReadonlyArray<RunEntry>, rest: ReadonlyArray<RunEntry>] => {
  let length = 0
  const end = entries.findIndex(({ fact }, at) => {
    length += rowLength + text(fact).length
    return at > 0 && length > statementMax
  })
  return end === -1 ? [entries, []] : [entries.slice(0, end), entries.slice(end)]
}

const failed = (cause: unknown) => new LedgerError({ cause })

type Service = Warehouse["Service"]

/** Writes facts that are not there yet, by one statement. */
const write = ({ dialect, session: open }: Service, entries: ReadonlyArray<RunEntry>) => {
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
