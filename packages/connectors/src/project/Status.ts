import { Clock, Effect, Option, Schema } from "effect"
import { RunFact } from "@northstar/core/RunLedger"
import { type Dialect, literal } from "../warehouse/Dialect.ts"
import { make as makeModel } from "../warehouse/Model.ts"
import { type Session, Warehouse } from "../warehouse/Warehouse.ts"
import * as LandingLog from "../landing/LandingLog.ts"
import { type Feed, feeds, type Project, type SourceConfig } from "./Project.ts"
import * as Files from "./Files.ts"
import * as Services from "./Services.ts"
import { captureKey, loadKey } from "./Streams.ts"

/** Where one table stands. */
export interface TableStatus {
  readonly table: string
  readonly source: string
  /** Sequence of the landing log that is loaded; `null` before the first batch. */
  readonly through: string | null
  /** Everything committed at the source before this is visible; ISO 8601. */
  readonly completeThrough: string | null
  /** Age of `completeThrough`, milliseconds. */
  readonly lagMs: number | null
  /** Why the table is not loaded while its changes keep landing; `null`: it is loaded. */
  readonly parked: string | null
  readonly rows: number
  /** Changes set aside and not replayed yet. */
  readonly quarantined: number
  /** Rows not shown, since a change before their newest is missing. */
  readonly held: number
}

/** One published batch. */
export interface BatchStatus {
  readonly batch: string
  readonly recordedAt: string
  readonly rows: number
  readonly published: number
  readonly superseded: number
  readonly quarantined: number
  readonly held: number
  readonly takenBack: boolean
}

/** Where one source stands. */
export interface SourceStatus {
  readonly source: string
  readonly kind: SourceConfig["kind"]
  /** The newest record of its landing log, and how many records are not loaded yet. */
  readonly log: { readonly head: string; readonly writtenAt: string; readonly behind: number } | null
  /** Why its capture or load does not go on, if the newest thing known of it is a failure. */
  readonly failing: string | null
  /** Partner files that were refused and not sent again since. */
  readonly refusedFiles: number
}

/** A project as it stands. */
export interface StatusReport {
  readonly pipeline: string
  readonly sources: ReadonlyArray<SourceStatus>
  readonly tables: ReadonlyArray<TableStatus>
  /** The newest batches first. */
  readonly batches: ReadonlyArray<BatchStatus>
}

/** Batches shown at most. */
const batchesMax = 10

/** Says where a project stands: freshness, what is parked, set aside or held, and the last batches. */
export const status = (project: Project) =>
  program(project).pipe(Effect.provide(Services.reading(project)), Effect.scoped)

const program = Effect.fn("Status.status")(function* (project: Project) {
  const { dialect, session: open } = yield* Warehouse
  const session = yield* open
  const now = yield* Clock.currentTimeMillis
  const found = yield* session.query(dialect.columnsOf("curated"))
  const existing = new Set(found.map(({ t }) => String(t)))
  const perFeed = yield* Effect.forEach(feeds(project), (feed) => feedStatus(session, dialect, feed, { existing, now }))
  return {
    pipeline: project.name,
    sources: perFeed.map(({ source }) => source),
    tables: perFeed.flatMap(({ tables }) => tables),
    batches: yield* lastBatches(session, project)
  } satisfies StatusReport
})

/** Curated tables that there are, since a new one is created by the next ingest, and the time, Unix milliseconds. */
interface Moment {
  readonly existing: ReadonlySet<string>
  readonly now: number
}

const feedStatus = Effect.fnUntraced(function* (session: Session, dialect: Dialect, feed: Feed, moment: Moment) {
  const tables = yield* Effect.forEach(feed.tables, ({ name }) => tableStatus(session, dialect, feed, name, moment))
  const newest = yield* LandingLog.tail(feed.log)
  const loaded = tables.reduce((most, { through }) => {
    const at = BigInt(through ?? "0")
    return at > most ? at : most
  }, 0n)
  const source: SourceStatus = {
    source: feed.source.name,
    kind: feed.source.kind,
    log: Option.match(newest, {
      onNone: () => null,
      onSome: ({ sequence, writtenAtMs }) => ({
        head: sequence,
        writtenAt: new Date(writtenAtMs).toISOString(),
        behind: Number(BigInt(sequence) - loaded)
      })
    }),
    failing: yield* failingOf(session, dialect, feed, newest),
    refusedFiles: yield* refusedFiles(feed)
  }
  return { source, tables }
})

/**
 * The newest failure of a source's two lanes that nothing good has followed. Captures do not wait for the ledger: that they
 * went on, the landing log knows better.
 */
const failingOf = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  feed: Feed,
  newest: Option.Option<{ readonly writtenAtMs: number }>
) {
  const capturedMs = Option.match(newest, { onNone: () => 0, onSome: ({ writtenAtMs }) => writtenAtMs })
  const lanes = [
    [captureKey(feed), capturedMs],
    [loadKey(feed), 0]
  ] as const
  for (const [{ pipeline, stream }, wellMs] of lanes) {
    const rows = yield* session.query(
      `SELECT fact, CAST(${dialect.epochMs("recorded_at")} AS VARCHAR) AS at_ms FROM northstar.runs WHERE pipeline = ${literal(pipeline)} AND stream = ${literal(stream)} AND kind IN ('Committed', 'Failed', 'Ended')
      ORDER BY recorded_at DESC LIMIT 1`
    )
    const fact = Schema.decodeUnknownOption(FactText)(rows[0]?.["fact"])
    if (Option.isNone(fact) || Number(rows[0]?.["at_ms"]) < wellMs) continue
    if (fact.value._tag === "Failed") return fact.value.detail
    if (fact.value._tag === "Ended" && fact.value.outcome === "failed") return fact.value.detail
  }
  return null
})

const refusedFiles = ({ source, ...feed }: Feed) =>
  source.kind === "files"
    ? Effect.map(Files.refusedOf({ ...feed, source }), (all) => all.filter(({ isSuperseded }) => !isSuperseded).length)
    : Effect.succeed(0)

const FactText = Schema.fromJsonString(RunFact)

const tableStatus = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  feed: Feed,
  table: string,
  { existing, now }: Moment
) {
  const { pipeline, stream } = loadKey(feed)
  const { curated } = makeModel(
    dialect,
    feed.tables.find(({ name }) => name === table)!
  )
  const ofTable = `table_name = ${literal(table)}`
  const [row] = yield* session.query(
    `SELECT (SELECT through FROM northstar.watermarks WHERE pipeline = ${literal(pipeline)} AND stream = ${literal(stream)} AND ${ofTable}) AS through,
      (SELECT CAST(${dialect.epochMs("complete_through")} AS VARCHAR) FROM northstar.watermarks WHERE pipeline = ${literal(pipeline)} AND stream = ${literal(stream)} AND ${ofTable}) AS complete,
      (SELECT parked_reason FROM northstar.watermarks WHERE pipeline = ${literal(pipeline)} AND stream = ${literal(stream)} AND ${ofTable}) AS parked,
      ${existing.has(table) ? `(SELECT count(*) FROM ${curated})` : "0"} AS n,
      (SELECT count(*) FROM northstar.quarantine WHERE ${ofTable} AND resolved_at IS NULL) AS quarantined,
      (SELECT count(*) FROM northstar.held WHERE ${ofTable}) AS held`
  )
  const text = (name: string) => (row?.[name] === null || row?.[name] === undefined ? null : String(row[name]))
  const complete = text("complete")
  return {
    table,
    source: feed.source.name,
    through: text("through"),
    completeThrough: complete === null ? null : new Date(Number(complete)).toISOString(),
    lagMs: complete === null ? null : Math.max(0, now - Number(complete)),
    parked: text("parked"),
    rows: Number(row?.["n"] ?? 0),
    quarantined: Number(row?.["quarantined"] ?? 0),
    held: Number(row?.["held"] ?? 0)
  } satisfies TableStatus
})

const lastBatches = Effect.fnUntraced(function* (session: Session, project: Project) {
  const { dialect } = yield* Warehouse
  const rows = yield* session.query(
    `SELECT batch, CAST(${dialect.epochMs("max(recorded_at)")} AS VARCHAR) AS at_ms, sum(rows_in) AS n, sum(published) AS published, sum(superseded) AS superseded,
      sum(quarantined) AS quarantined, sum(held) AS held, count(taken_back_at) > 0 AS taken
    FROM northstar.batches WHERE pipeline = ${literal(project.name)} GROUP BY batch ORDER BY max(recorded_at) DESC, batch DESC LIMIT ${batchesMax}`
  )
  return rows.map((row): BatchStatus => {
    const number = (name: string) => Number(row[name] ?? 0)
    return {
      batch: String(row["batch"]),
      recordedAt: new Date(number("at_ms")).toISOString(),
      rows: number("n"),
      published: number("published"),
      superseded: number("superseded"),
      quarantined: number("quarantined"),
      held: number("held"),
      takenBack: row["taken"] === true
    }
  })
})
