import { Clock, Effect, Option, Random, Schema } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as LandingLog from "../landing/LandingLog.ts"
import * as Connection from "../postgres/Connection.ts"
import * as Heartbeat from "../postgres/Heartbeat.ts"
import { position, type SnapshotProgress } from "../postgres/Position.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import type { PostgresFeed } from "./Project.ts"
import * as Services from "./Services.ts"
import { loadKey, noUrl } from "./Streams.ts"

/** Which tables to read again from the source. */
export interface ResnapshotOptions {
  /** Names of tables. */
  readonly tables: ReadonlyArray<string>
  /** Called with the chunks loaded so far, over all tables. */
  readonly onProgress?: (progress: { readonly chunks: number }) => Effect.Effect<void>
}

/** What became of the request. */
export interface Resnapshot {
  readonly id: string
  /** `false`: nobody reads the slot now; the next ingest takes the snapshot. */
  readonly done: boolean
}

/** Without a batch for this long, milliseconds, nobody is ingesting: a heartbeat makes one more often. */
const stillMs = 30_000

/**
 * Asks the running ingest to read tables again, whole, in chunks along with the stream, and waits until they are
 * loaded. The request is a logical message in the source's WAL: it needs no table there, and survives crashes of both
 * sides.
 */
export const resnapshot = (feed: PostgresFeed, options: ResnapshotOptions) =>
  program(feed, options).pipe(Effect.provide(Services.layer(feed.project)), Effect.scoped)

const program = Effect.fn("Resnapshot.resnapshot")(function* (feed: PostgresFeed, options: ResnapshotOptions) {
  const { url, slot } = feed.source
  if (url === undefined) return yield* noUrl(feed)
  const tables = yield* sources(feed, options.tables)
  const suffix = (yield* Random.nextIntBetween(0, 0x1000000)).toString(16).padStart(6, "0")
  const id = `requested-${(yield* Clock.currentTimeMillis).toString(36)}-${suffix}`
  const connection = yield* Connection.open({ url })
  yield* Heartbeat.request(connection, { slot, id, tables })
  let last = yield* loaded(feed)
  let movedAtMs = yield* Clock.currentTimeMillis
  while (true) {
    const ours = tables.flatMap((table) => {
      const progress = last.snapshots[table]
      return progress?.id === id ? [progress] : []
    })
    if (ours.length === tables.length && ours.every(({ done }) => done)) return { id, done: true } satisfies Resnapshot
    if (options.onProgress !== undefined) {
      yield* options.onProgress({ chunks: ours.reduce((sum, { chunks }) => sum + chunks, 0) })
    }
    yield* Effect.sleep("500 millis")
    const next = yield* loaded(feed)
    const now = yield* Clock.currentTimeMillis
    if (next.sequence !== last.sequence) movedAtMs = now
    else if (now - movedAtMs > stillMs) return { id, done: false } satisfies Resnapshot
    last = next
  }
})

/** Names at the source of tables of the project. */
export const sources = (feed: PostgresFeed, names: ReadonlyArray<string>) => {
  const tables = feed.tables.filter(({ name }) => names.includes(name)).map(({ source }) => source)
  return tables.length < names.length || tables.length === 0 ? Effect.fail(unknownTables(feed)) : Effect.succeed(tables)
}

/** The sequence that is loaded, and the snapshots' progress as of it. */
const loaded = Effect.fnUntraced(function* (feed: PostgresFeed) {
  const { session: open } = yield* Warehouse
  const names = feed.tables.map(({ name }) => name)
  const standing = yield* Effect.scoped(
    Effect.flatMap(open, (session) => Watermarks.load(session, loadKey(feed), names))
  )
  const sequence = Option.getOrElse(
    Watermarks.furthest(standing.filter(({ parked }) => Option.isNone(parked))),
    () => "0"
  )
  const record = yield* LandingLog.record(feed.log, BigInt(sequence))
  const at = Option.flatMap(record, ({ through }) => Schema.decodeOption(position.codec)(through))
  const none: Record<string, SnapshotProgress> = {}
  return { sequence, snapshots: Option.match(at, { onNone: () => none, onSome: ({ snapshots }) => snapshots }) }
})

const unknownTables = (feed: PostgresFeed) =>
  new ConnectorError({
    connector: "postgres",
    operation: "snapshot",
    detail: `a table is not one of project ${feed.project.name}`,
    action: `Its tables are ${feed.tables.map(({ name }) => name).join(", ")}`,
    reason: new Misconfigured({ detail: "tables" })
  })
