import { createHash, randomUUID } from "node:crypto"
import { join } from "node:path"
import { Effect, Layer, Option, type Scope, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import type { Change, Version } from "@northstar/core/Change"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Failpoint } from "@northstar/core/Failpoint"
import { sequence, type StreamKey } from "@northstar/core/Position"
import type { Table } from "@northstar/core/Table"
import type { WatermarkConflict } from "@northstar/core/WatermarkStore"
import { Histories, type ChangeLaws } from "@northstar/core/testing"
import * as DuckDb from "../../src/duckdb/DuckDb.ts"
import { BlockBuilder, relation } from "../../src/landing/BlockBuilder.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as Parquet from "../../src/landing/Parquet.ts"
import type { Segment } from "../../src/landing/Segment.ts"
import * as Migrate from "../../src/warehouse/Migrate.ts"
import { make as makeModel } from "../../src/warehouse/Model.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import * as WarehouseSink from "../../src/warehouse/WarehouseSink.ts"
import { storeAt } from "./RealAccount.ts"

/** Key under which the tests load. */
export const key: StreamKey = { pipeline: "laws", stream: "main" }

/** Positions of the log. */
export const position = sequence("landing/sequence")

const ops = { upsert: 1, delete: 2, truncate: 3 } as const

/** The shape that a segment's relation has at the source, where it is not the contract's names, all of type text. */
export interface Shape {
  readonly columns?: ReadonlyArray<string>
  readonly types?: Readonly<Record<string, string>>
}

let landed = 0n

/** Changes of one table as a landed segment, in the order given; each call is a later record of the log. */
const segmentOf = Effect.fn(function* (
  table: Table,
  changes: ReadonlyArray<Change<Histories.Row>>,
  { columns = Object.keys(table.columns), types = {} }: Shape = {}
) {
  const store = yield* ObjectStore
  const shape = relation(
    table.source,
    columns.map((name) => ({ name, type: types[name] ?? "text", key: table.key.includes(name) }))
  )
  const builder = new BlockBuilder(shape)
  for (const change of changes) append(builder, columns, table.key[0], change)
  const bytes = yield* Parquet.encode([builder.finish()])
  const at = ++landed
  const path = `laws/data/${String(at).padStart(20, "0")}/${randomUUID()}.parquet`
  yield* store.put(path, bytes)
  const { epoch, revision } = changes[0]?.version ?? version(0)
  return {
    file: {
      path,
      table: table.source,
      fingerprint: shape.fingerprint,
      rows: changes.length,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex")
    },
    columns: shape.columns,
    sequence: at,
    epoch,
    revision,
    writtenAtMs: 0,
    completeThroughMs: null
  } satisfies Segment
})

const utf8 = new TextEncoder()

const append = (
  builder: BlockBuilder,
  columns: ReadonlyArray<string>,
  keyColumn: string,
  change: Change<Histories.Row>
): void => {
  const { position: at, ordinal } = change.version
  builder.begin(ops[change.op], at, ordinal, at * 1_000_000n)
  const values: Histories.Row =
    change.op === "upsert" ? change.row : change.op === "delete" ? { [keyColumn]: change.key } : {}
  for (const [index, name] of columns.entries()) {
    const value = values[name]
    if (change.op === "upsert" && change.unchanged.includes(name)) builder.unchanged(index)
    else if (typeof value === "string") {
      const bytes = utf8.encode(value)
      builder.value(index, bytes, 0, bytes.length)
    }
  }
  if (change.op === "upsert" && change.movedFrom !== undefined) builder.movedFrom(JSON.stringify([change.movedFrom]))
}

/** Segments of a batch of changes to several tables. */
export const segmentsOf = (tables: ReadonlyArray<Table>, changes: ReadonlyArray<Change<Histories.Row>>) =>
  Effect.forEach(
    tables.filter(({ name }) => changes.some(({ table }) => table === name)),
    (table) =>
      segmentOf(
        table,
        changes.filter((change) => change.table === table.name)
      )
  )

/** A warehouse with the store of its segments, prepared for some tables. */
export const prepared = (
  warehouse: Layer.Layer<Warehouse, ConnectorError>,
  tables: ReadonlyArray<Table>,
  root: string
): Layer.Layer<Warehouse | ObjectStore, ConnectorError> =>
  Layer.effectDiscard(
    Effect.scoped(
      Effect.gen(function* () {
        const { dialect, session } = yield* Warehouse
        yield* Migrate.apply(
          yield* session,
          dialect,
          tables.map((table) => makeModel(dialect, table))
        )
      })
    )
  ).pipe(Layer.provideMerge(warehouse), Layer.merge(storeAt(root)))

/** The warehouse in a DuckDB file with a folder store, prepared for some tables. */
export const over = (file: string, tables: ReadonlyArray<Table>, root: string) =>
  prepared(DuckDb.layer({ file, threads: 1 }), tables, root)

/** A fresh warehouse in a DuckDB file of its own. */
export const fresh = (tables: ReadonlyArray<Table>, root: string) =>
  over(join(root, `${randomUUID()}.duckdb`), tables, root)

type Changes = ReadonlyArray<Change<Histories.Row>>

/** A warehouse to play in: batches follow each other, and its tables can be looked at. */
export interface Scene {
  /** Publishes a batch that continues the stream. */
  readonly publish: (changes: Changes) => Effect.Effect<void, Failure>
  /** The same with segments, tables and stream of one's choice. */
  readonly load: (segments: ReadonlyArray<Segment>, how?: How) => Effect.Effect<void, Failure>
  readonly segment: (table: Table, changes: Changes, shape?: Shape) => Effect.Effect<Segment, ConnectorError>
  readonly query: (sql: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, ConnectorError>
  readonly run: <A, E>(effect: Effect.Effect<A, E, Warehouse | ObjectStore>) => Effect.Effect<A, E>
}
type How = WarehouseSink.Options & { readonly stream?: string }
type Failure = Batch.BatchError | WatermarkConflict

/** An empty scene in the warehouse around, which is prepared for the tables. */
export const scene = Effect.fnUntraced(function* (tables: ReadonlyArray<Table>) {
  const services = yield* Effect.context<Warehouse | ObjectStore>()
  const run: Scene["run"] = (effect) => Effect.provideContext(effect, services)
  const load: Scene["load"] = (segments, { stream = key.stream, ...options } = { tables }) =>
    run(
      Effect.scoped(
        Effect.gen(function* () {
          const writer = yield* WarehouseSink.make(options).open({ ...key, stream }, position)
          const through = Option.getOrElse(writer.watermark, () => 0n) + 1n
          yield* writer.commit(Batch.make({ after: writer.watermark, through }, segments))
        })
      )
    )
  yield* empty(tables)
  const made: Scene = {
    load,
    run,
    publish: (changes) => Effect.flatMap(run(segmentsOf(tables, changes)), (segments) => load(segments)),
    segment: (table, changes, shape) => run(segmentOf(table, changes, shape)),
    query: (sql) => run(ask(sql))
  }
  return made
})

/** Forgets all rows, batches and watermarks. */
const empty = (tables: ReadonlyArray<Table>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { dialect, session: open } = yield* Warehouse
      const session = yield* open
      const control = ["watermarks", "batches", "quarantine", "floors", "held", "findings"]
      const names = tables.flatMap((table) => {
        const { curated, history } = makeModel(dialect, table)
        return [curated, history]
      })
      yield* session.transaction(
        Effect.gen(function* () {
          for (const name of [...names, ...control.map((table) => `northstar.${table}`)]) {
            yield* session.execute(`DELETE FROM ${name}`)
          }
          yield* session.execute("UPDATE northstar.tables SET high_version = 0, relation = NULL, contract = NULL")
        })
      )
    })
  )

/** A task's writer that stays open, standing where the stream stands now. */
export const heldOpen = Effect.fnUntraced(function* (tables: ReadonlyArray<Table>) {
  const writer = yield* WarehouseSink.make({ tables }).open(key, position)
  const through = Option.getOrElse(writer.watermark, () => 0n) + 1n
  return {
    commit: (segments: ReadonlyArray<Segment>) =>
      writer.commit(Batch.make({ after: writer.watermark, through }, segments))
  }
})

/** Rows of one statement in a session of its own. */
const ask = (sql: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { session } = yield* Warehouse
      return yield* (yield* session).query(sql)
    })
  )

/** Live and held rows by table and key, as texts. */
export const contents = Effect.fnUntraced(function* (tables: ReadonlyArray<Table>) {
  const { dialect } = yield* Warehouse
  const found = new Map<string, Map<string, Histories.Row | "held">>()
  for (const table of tables) {
    const { name, key } = table
    const model = makeModel(dialect, table)
    const texts = model.columns.map(({ sql }) => `CAST(${sql} AS VARCHAR) AS ${sql}`)
    const rows = new Map<string, Histories.Row | "held">()
    for (const row of yield* ask(`SELECT ${texts.join(", ")} FROM ${model.curated}`)) {
      rows.set(String(row[key[0]]), { ...row } as Histories.Row)
    }
    const held = yield* ask(
      `SELECT ${dialect.jsonAt("row_key", 0)} AS id FROM northstar.held WHERE table_name = '${name}'`
    )
    for (const row of held) rows.set(String(row["id"]), "held")
    if (rows.size > 0) found.set(name, rows)
  }
  return found
})

/** A store for the change laws, over a warehouse that lives as long as the scope. */
export const changeStore = (
  make: (tables: ReadonlyArray<Table>) => Layer.Layer<Warehouse | ObjectStore, ConnectorError>
): Effect.Effect<ChangeLaws.ChangeStore<Segment, bigint>, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const tables = Histories.tables
    const services = yield* Layer.build(make(tables))
    const rows = Effect.provideContext(contents(tables), services)
    return {
      open: Effect.provideContext(WarehouseSink.make({ tables }).open(key, position), services),
      contents: rows,
      encode: (changes) => Effect.provideContext(segmentsOf(tables, changes), services),
      rows
    }
  })

/**
 * A store for the sink laws: batches of changes that are landed while they are committed. The warehouse is closed after
 * every use and opened again for the next; `make` names it anew at each call.
 */
export const sinkStore = (
  make: (tables: ReadonlyArray<Table>) => Layer.Layer<Warehouse | ObjectStore, ConnectorError>
) =>
  Effect.sync(() => {
    const tables = Histories.tables
    const services = make(tables)
    const landing = Effect.provideService(Failpoint, () => Effect.void)
    return {
      open: Effect.gen(function* () {
        const context = yield* Layer.build(Layer.fresh(services)).pipe(landing)
        const writer = yield* Effect.provideContext(WarehouseSink.make({ tables }).open(key, position), context)
        const land = (changes: Changes) => segmentsOf(tables, changes).pipe(Effect.provideContext(context), landing)
        return {
          watermark: writer.watermark,
          commit: (batch: Batch.Batch<Change<Histories.Row>, bigint>) =>
            writer.commit(Batch.mapChunks(batch, (chunks) => Stream.mapEffect(chunks, land)))
        }
      }),
      contents: Effect.gen(function* () {
        const rows = yield* contents(tables)
        const aside = yield* ask(
          "SELECT table_name, row_key, CAST(version AS VARCHAR) AS v, reason FROM northstar.quarantine ORDER BY 1, 2, 3, 4"
        )
        return { rows, aside }
      }).pipe(Effect.provide(Layer.fresh(services)), Effect.scoped)
    }
  })

/** A version for hand-written changes. */
export const version = (at: number, ordinal = 0): Version => ({ epoch: 1, position: BigInt(at), ordinal, revision: 1 })
