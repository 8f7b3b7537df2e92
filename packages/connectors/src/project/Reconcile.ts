import { Clock, DateTime, Effect, Option, Ref, Schema, Stream } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import * as LandingLog from "../landing/LandingLog.ts"
import * as Auditor from "../postgres/Auditor.ts"
import * as Catalog from "../postgres/Catalog.ts"
import * as Connection from "../postgres/Connection.ts"
import { everyKey, type KeyRange } from "../postgres/KeyRange.ts"
import { position } from "../postgres/Position.ts"
import type { Dialect } from "../warehouse/Dialect.ts"
import * as Digests from "../warehouse/Digests.ts"
import { make as makeModel, type Model } from "../warehouse/Model.ts"
import { type Session, Warehouse } from "../warehouse/Warehouse.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import type { Project } from "./Project.ts"
import * as Services from "./Services.ts"
import { loadKey, noUrl } from "./Streams.ts"

/** What to compare. */
export interface ReconcileOptions {
  /** Names of tables; default all. */
  readonly tables?: ReadonlyArray<string>
  /** `true` reads whole tables; else only rows whose event lies in the last `recentDays`, where a table has an event column. */
  readonly full: boolean
  /** Default 7. */
  readonly recentDays?: number
  /** Most rows a second to read from the source; default 50,000. */
  readonly rowsPerSecondMax?: number
  readonly onProgress?: (progress: { readonly table: string; readonly rows: number }) => Effect.Effect<void>
}

/** One key on which source and curated disagree. */
export interface Difference {
  readonly key: ReadonlyArray<string>
  /** `missing` in curated, `extra` in curated, `different` values, or set aside in `quarantined`. */
  readonly kind: "missing" | "extra" | "different" | "quarantined"
  /** `false`: what is loaded has not reached the moment at which the source was read; it may only be late. */
  readonly settled: boolean
}

/** What was found of one table. */
export interface TableReport {
  readonly table: string
  readonly sourceRows: number
  readonly curatedRows: number
  /** Key ranges compared by digest. */
  readonly ranges: number
  readonly differences: ReadonlyArray<Difference>
  /** Differences that are not settled. */
  readonly unresolved: number
  /** Only rows whose event is at or after this instant were compared; `null`: all. */
  readonly since: string | null
}

/** Whether source and curated agree. */
export interface ReconcileReport {
  readonly agree: boolean
  readonly tables: ReadonlyArray<TableReport>
}

/** Rows of a range that is compared by digest first. */
const chunkRows = 20_000
/** Curated keys listed for a table whose keys the two sides sort differently. */
const rowsListedMax = 5_000_000
/** Rows of a range below which differing keys are listed instead of splitting on. */
const listRows = 500
/** Differing keys followed up per table; beyond, the table is plainly not loaded. */
const keysMax = 10_000
/** Times a key is read again before it counts as different. */
const rounds = 2
/** A load that has not moved for this long, milliseconds, is not waited for: a heartbeat moves it more often. */
const stillMs = 15_000

/**
 * Compares the source with the curated tables: count and checksum per key range, each range at its own moment, halved
 * down to the keys that differ. A key that differs is followed until what is loaded has passed the moment at which the
 * source was read: it agrees when the history knows that state of it at that moment.
 */
export const reconcile = (project: Project, options: ReconcileOptions) =>
  program(project, options).pipe(Effect.provide(Services.layer(project)), Effect.scoped)

const program = Effect.fn("Reconcile.reconcile")(function* (project: Project, options: ReconcileOptions) {
  const { url } = project.source
  if (url === undefined) return yield* noUrl(project)
  const unknown = (options.tables ?? []).filter((name) => !project.tables.some((table) => table.name === name))
  if (unknown.length > 0) return yield* noSuchTable(project, unknown)
  const connection = yield* Connection.open({ url })
  const catalog = yield* Catalog.read(connection)
  const { dialect, session: open } = yield* Warehouse
  const session = yield* open
  const tables = project.tables.filter(({ name }) => options.tables === undefined || options.tables.includes(name))
  const reports = yield* Effect.forEach(tables, (table) => {
    const found = Catalog.find(catalog, table.source)
    const recent = options.full ? Effect.succeed(undefined) : recentOf(table, options.recentDays ?? 7)
    return Effect.flatMap(recent, (recent) =>
      reconcileTable({
        project,
        connection,
        session,
        dialect,
        model: makeModel(dialect, table),
        orderedAlike: found !== undefined && Catalog.hasKeyOrderedAlike(found),
        recent,
        options
      })
    )
  })
  const agree = reports.every(({ differences }) => differences.length === 0)
  return { agree, tables: reports } satisfies ReconcileReport
})

interface Context {
  readonly project: Project
  readonly connection: Connection.Connection
  readonly session: Session
  readonly dialect: Dialect
  readonly model: Model
  /** Whether the warehouse sorts the key as the source does, so that ranges mean the same in both. */
  readonly orderedAlike: boolean
  readonly recent: Auditor.Recent | undefined
  readonly options: ReconcileOptions
}

/** A key whose row differed when it was read. */
interface Suspect {
  readonly key: ReadonlyArray<string>
  readonly source: Digests.State
}

interface Tally {
  readonly sourceRows: number
  readonly curatedRows: number
  readonly ranges: number
}

const reconcileTable = Effect.fnUntraced(function* (context: Context) {
  const { connection, model, recent } = context
  const tally = yield* Ref.make<Tally>({ sourceRows: 0, curatedRows: 0, ranges: 0 })
  const suspects = yield* Ref.make<ReadonlyArray<Suspect>>([])
  const scope = { range: { after: null, through: null }, ...(recent === undefined ? {} : { recent }) }
  if (context.orderedAlike) {
    const cuts = Auditor.splits(connection, model.table, { ...scope, rowsPerChunk: chunkRows })
    const last = yield* Stream.runFoldEffect(
      cuts,
      (): ReadonlyArray<string> | null => null,
      (after, through) => Effect.as(compareRange(context, tally, suspects, { after, through }), through)
    )
    yield* compareRange(context, tally, suspects, { after: last, through: null })
  } else {
    yield* compareKeys(context, tally, suspects)
  }
  const found = yield* Ref.get(suspects)
  const differences = yield* settle(context, found)
  return {
    table: model.name,
    ...(yield* Ref.get(tally)),
    differences,
    unresolved: differences.filter(({ settled }) => !settled).length,
    since: recent?.bound ?? null
  } satisfies TableReport
})

const sliceOf = ({ recent }: Context, range: KeyRange): Digests.Slice => ({
  ...range,
  ...(recent === undefined ? {} : { recent })
})

const scopeOf = ({ recent }: Context, range: KeyRange) => ({ range, ...(recent === undefined ? {} : { recent }) })

/** Compares a range by digest, and where it differs its parts. */
const compareRange: (
  context: Context,
  tally: Ref.Ref<Tally>,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>,
  range: KeyRange,
  isPart?: boolean
) => Effect.Effect<void, ConnectorError> = Effect.fnUntraced(function* (context, tally, suspects, range, isPart) {
  const { connection, session, dialect, model, options } = context
  const source = yield* Auditor.digest(connection, model.table, scopeOf(context, range))
  const curated = yield* Digests.digest(session, dialect, model, sliceOf(context, range))
  yield* Ref.update(tally, ({ sourceRows, curatedRows, ranges }) =>
    isPart === true
      ? { sourceRows, curatedRows, ranges: ranges + 1 }
      : { sourceRows: sourceRows + source.rows, curatedRows: curatedRows + curated.rows, ranges: ranges + 1 }
  )
  yield* throttle(context, source.rows)
  if (isPart !== true && options.onProgress !== undefined) {
    yield* options.onProgress({ table: model.name, rows: (yield* Ref.get(tally)).sourceRows })
  }
  if (source.rows === curated.rows && source.checksum === curated.checksum) return
  const rows = Math.max(source.rows, curated.rows)
  if (rows <= listRows || source.rows === 0) return yield* listRange(context, suspects, range)
  const cuts = yield* Stream.runCollect(
    Auditor.splits(connection, model.table, { ...scopeOf(context, range), rowsPerChunk: Math.ceil(source.rows / 8) })
  )
  let after = range.after
  for (const through of [...cuts, range.through]) {
    yield* compareRange(context, tally, suspects, { after, through }, true)
    after = through
  }
})

/** Lists the keys of a short range on both sides and keeps those that differ. */
const listRange = Effect.fnUntraced(function* (
  context: Context,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>,
  range: KeyRange
) {
  const { connection, session, dialect, model } = context
  const source = yield* Auditor.keys(connection, model.table, { ...scopeOf(context, range), rowsMax: keysMax })
  const curated = yield* Digests.keys(session, dialect, model, sliceOf(context, range), keysMax)
  const found: Array<Suspect> = []
  for (const { key, digest } of source) {
    const text = JSON.stringify(key)
    if (curated.get(text) !== digest) found.push({ key, source: digest })
    curated.delete(text)
  }
  for (const text of curated.keys()) found.push({ key: keyTexts(text), source: null })
  const all = yield* Ref.updateAndGet(suspects, (before) => [...before, ...found])
  if (all.length > keysMax) return yield* tooMany(model, all.length)
})

/** For keys that the two sides sort differently: pages of keys, each looked up on the other side. */
const compareKeys = Effect.fnUntraced(function* (
  context: Context,
  tally: Ref.Ref<Tally>,
  suspects: Ref.Ref<ReadonlyArray<Suspect>>
) {
  const { connection, session, dialect, model } = context
  const curated = yield* Digests.keys(session, dialect, model, sliceOf(context, everyKey), rowsListedMax)
  const curatedRows = curated.size
  const found: Array<Suspect> = []
  let after: ReadonlyArray<string> | null = null
  let sourceRows = 0
  let ranges = 0
  while (true) {
    const page: ReadonlyArray<Auditor.KeyDigest> = yield* Auditor.keys(connection, model.table, {
      ...scopeOf(context, { after, through: null }),
      rowsMax: chunkRows
    })
    for (const { key, digest } of page) {
      const text = JSON.stringify(key)
      if (curated.get(text) !== digest) found.push({ key, source: digest })
      curated.delete(text)
    }
    sourceRows += page.length
    ranges++
    yield* throttle(context, page.length)
    if (page.length < chunkRows) break
    after = page.at(-1)!.key
  }
  for (const text of curated.keys()) found.push({ key: keyTexts(text), source: null })
  yield* Ref.set(tally, { sourceRows, curatedRows, ranges })
  if (found.length > keysMax) return yield* tooMany(model, found.length)
  yield* Ref.set(suspects, found)
})

const keyTexts = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Schema.String)))

/** Keeps the reads of the source below the budget. */
const throttle = ({ options }: Context, rows: number) =>
  Effect.sleep(Math.ceil((rows * 1000) / (options.rowsPerSecondMax ?? 50_000)))

/**
 * Reads the differing keys again, all at one moment, waits until what is loaded has passed it, and drops those whose
 * state at that moment the history knows. What differs twice differs: a commit that waited for a standby may become
 * visible between the two reads. What the load does not reach stays unsettled.
 */
const settle = Effect.fnUntraced(function* (context: Context, found: ReadonlyArray<Suspect>) {
  let left = found
  for (let round = 0; round < rounds && left.length > 0; round++) {
    if (round > 0) yield* Effect.sleep("500 millis")
    const read = yield* Auditor.rows(
      context.connection,
      context.model.table,
      left.map(({ key }) => key)
    )
    const isLoaded = yield* awaitLoaded(context, read.lsnThrough)
    const span = { epoch: context.project.source.epoch, from: read.lsn, through: read.lsnThrough }
    const next: Array<Suspect> = []
    for (const { key } of left) {
      const source = read.digests.get(JSON.stringify(key)) ?? null
      const states = yield* Digests.statesBetween(context.session, context.dialect, context.model, key, span)
      if (!states.has(source)) next.push({ key, source })
    }
    left = next
    if (!isLoaded) return yield* Effect.forEach(left, (suspect) => difference(context, suspect, false))
  }
  return yield* Effect.forEach(left, (suspect) => difference(context, suspect, true))
})

const difference = Effect.fnUntraced(function* (context: Context, { key, source }: Suspect, settled: boolean) {
  const { session, dialect, model } = context
  if (yield* Digests.isQuarantined(session, model, key)) {
    return { key, kind: "quarantined", settled } satisfies Difference
  }
  const curated = yield* Digests.current(session, dialect, model, key)
  const kind = source === null ? "extra" : curated === null ? "missing" : "different"
  return { key, kind, settled } satisfies Difference
})

/** Waits until the load has passed a WAL position, as long as it moves. */
const awaitLoaded = Effect.fnUntraced(function* (context: Context, lsn: bigint) {
  let last = yield* loadedThrough(context)
  let movedAtMs = yield* Clock.currentTimeMillis
  while (last < lsn) {
    yield* Effect.sleep("200 millis")
    const now = yield* Clock.currentTimeMillis
    const at = yield* loadedThrough(context)
    if (at > last) movedAtMs = now
    else if (now - movedAtMs > stillMs) return false
    last = at
  }
  return true
})

/** WAL position through which everything is loaded; −1 before the first batch. */
const loadedThrough = Effect.fnUntraced(function* ({ project, session }: Context) {
  const key = loadKey(project)
  const standing = yield* Watermarks.load(
    session,
    key,
    project.tables.map(({ name }) => name)
  )
  const main = Watermarks.furthest(standing.filter(({ parked }) => Option.isNone(parked)))
  if (Option.isNone(main)) return -1n
  const record = yield* LandingLog.record(project.name, BigInt(main.value))
  if (Option.isNone(record)) return -1n
  return Option.match(Schema.decodeOption(position.codec)(record.value.through), {
    onNone: () => -1n,
    onSome: ({ lsn }) => lsn
  })
})

const tooMany = (model: Model, count: number) =>
  new ConnectorError({
    connector: "reconcile",
    operation: "compare",
    detail: `${model.name} differs in more than ${count} keys`,
    action: "The table is not loaded: see northstar status, let ingest finish its snapshot, then compare again",
    reason: new Misconfigured({ detail: "not loaded" })
  })

const noSuchTable = (project: Project, names: ReadonlyArray<string>) =>
  new ConnectorError({
    connector: "reconcile",
    operation: "compare",
    detail: `project ${project.name} has no table ${names.join(", ")}`,
    action: `Its tables are ${project.tables.map(({ name }) => name).join(", ")}`,
    reason: new Misconfigured({ detail: "tables" })
  })

/** The bound on a table's event column below which rows are left out. */
const recentOf = Effect.fnUntraced(function* (table: Table, days: number) {
  if (table.event === undefined) return undefined
  const now = yield* Clock.currentTimeMillis
  const bound = DateTime.formatIso(DateTime.makeUnsafe(now - days * 86_400_000))
  return { column: table.event.column, bound } satisfies Auditor.Recent
})
