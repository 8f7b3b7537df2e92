import { Clock, DateTime, Effect, Option } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import * as Auditor from "../postgres/Auditor.ts"
import * as Catalog from "../postgres/Catalog.ts"
import * as Connection from "../postgres/Connection.ts"
import { make as makeModel } from "../warehouse/Model.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import { compare, type Comparison } from "./Comparison.ts"
import type { PostgresFeed } from "./Project.ts"
import * as Services from "./Services.ts"
import { type Difference, settle } from "./Settlement.ts"
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
  /** Tables that were not compared, since they are parked and so known to differ. */
  readonly parked: ReadonlyArray<string>
}

/** Rows a second read from the source unless told otherwise: a fraction of what an index scan gives. */
const rowsPerSecondDefault = 50_000

/**
 * Compares the source with the curated tables: count and checksum per key range, each range at its own moment, and where
 * they differ the keys. A key that differs is followed until what is loaded has passed the moment at which the source was
 * read: it agrees when the history knows that state of it at that moment.
 */
export const reconcile = (feed: PostgresFeed, options: ReconcileOptions) =>
  program(feed, options).pipe(Effect.provide(Services.layer(feed.project)), Effect.scoped)

const program = Effect.fn("Reconcile.reconcile")(function* (feed: PostgresFeed, options: ReconcileOptions) {
  const { url } = feed.source
  if (url === undefined) return yield* noUrl(feed)
  const unknown = (options.tables ?? []).filter((name) => !feed.tables.some((table) => table.name === name))
  if (unknown.length > 0) return yield* noSuchTable(feed, unknown)
  const connection = yield* Connection.open({ url })
  const catalog = yield* Catalog.read(connection)
  const { dialect, session: open } = yield* Warehouse
  const session = yield* open
  const wanted = feed.tables.filter(({ name }) => options.tables === undefined || options.tables.includes(name))
  const standing = yield* Watermarks.load(
    session,
    loadKey(feed),
    wanted.map(({ name }) => name)
  )
  const parked = standing.filter((watermark) => Option.isSome(watermark.parked)).map(({ table }) => table)
  const tables = wanted.filter(({ name }) => !parked.includes(name))
  const reports = yield* Effect.forEach(tables, (table) => {
    const found = Catalog.find(catalog, table.source)
    const recent = options.full ? Effect.succeed(undefined) : recentOf(table, options.recentDays ?? 7)
    return Effect.flatMap(recent, (recent) =>
      reconcileTable({
        feed,
        connection,
        session,
        dialect,
        model: makeModel(dialect, table),
        orderedAlike: found !== undefined && Catalog.hasKeyOrderedAlike(found),
        recent,
        rowsPerSecondMax: options.rowsPerSecondMax ?? rowsPerSecondDefault,
        onRows: (rows) => options.onProgress?.({ table: table.name, rows }) ?? Effect.void
      })
    )
  })
  const agree = reports.every(({ differences }) => differences.length === 0)
  return { agree, tables: reports, parked } satisfies ReconcileReport
})

const reconcileTable = Effect.fnUntraced(function* (context: Comparison) {
  const { tally, suspects } = yield* compare(context)
  const found = yield* settle(context, suspects)
  const differences = found.map((difference) => ({ ...difference, key: masked(context.model.table, difference.key) }))
  return {
    table: context.model.name,
    ...tally,
    differences,
    unresolved: differences.filter(({ settled }) => !settled).length,
    since: context.recent?.bound ?? null
  } satisfies TableReport
})

/** A key as it may be shown: parts that are personal or card data are not. */
const masked = (table: Table, key: ReadonlyArray<string>): ReadonlyArray<string> =>
  key.map((part, index) => (table.columns[table.key[index] ?? ""]?.tag === undefined ? part : "***"))

const noSuchTable = (feed: PostgresFeed, names: ReadonlyArray<string>) =>
  new ConnectorError({
    connector: "reconcile",
    operation: "compare",
    detail: `project ${feed.project.name} has no table ${names.join(", ")}`,
    action: `Its tables are ${feed.tables.map(({ name }) => name).join(", ")}`,
    reason: new Misconfigured({ detail: "tables" })
  })

/** The bound on a table's event column below which rows are left out. */
const recentOf = Effect.fnUntraced(function* (table: Table, days: number) {
  if (table.event === undefined) return undefined
  const now = yield* Clock.currentTimeMillis
  const bound = DateTime.formatIso(DateTime.makeUnsafe(now - days * 86_400_000))
  return { column: table.event.column, bound } satisfies Auditor.Recent
})
