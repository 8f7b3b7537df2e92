import { createHash, randomUUID } from "node:crypto"
import { Effect, Layer, Option, type Scope } from "effect"
import { type Change, Version } from "@northstar/core/Change"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { sequence } from "@northstar/core/Position"
import type { Table } from "@northstar/core/Table"
import { Histories, type ChangeLaws } from "@northstar/core/testing"
import * as DuckDb from "./ScratchDuck.ts"
import { BlockBuilder, relation } from "../../src/landing/BlockBuilder.ts"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as Parquet from "../../src/landing/Parquet.ts"
import type { Segment } from "../../src/landing/Segment.ts"
import * as Migrate from "../../src/warehouse/Migrate.ts"
import { make as makeModel } from "../../src/warehouse/Model.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import * as WarehouseSink from "../../src/warehouse/WarehouseSink.ts"

/** Key under which the tests load. */
export const key = { pipeline: "laws", stream: "main" }

/** Positions of the log. */
export const position = sequence("landing/sequence")

const ops = { upsert: 1, delete: 2, truncate: 3 } as const

/** Changes of one table as a landed segment, in the order given. */
export const segmentOf = Effect.fn(function* (
  table: Table,
  changes: ReadonlyArray<Change<Histories.Row>>,
  types: Readonly<Record<string, string>> = {}
) {
  const store = yield* ObjectStore
  const names = Object.keys(table.columns)
  const shape = relation(
    table.source,
    names.map((name) => ({ name, type: types[name] ?? "text", key: table.key.includes(name) }))
  )
  const builder = new BlockBuilder(shape)
  const utf8 = new TextEncoder()
  for (const change of changes) {
    const { position: at, ordinal } = change.version
    builder.begin(ops[change.op], at, ordinal, at * 1_000_000n)
    const values: Histories.Row =
      change.op === "upsert" ? change.row : change.op === "delete" ? { [table.key[0]]: change.key } : {}
    for (const [index, name] of names.entries()) {
      const value = values[name]
      if (change.op === "upsert" && change.unchanged.includes(name)) builder.unchanged(index)
      else if (typeof value === "string") {
        const bytes = utf8.encode(value)
        builder.value(index, bytes, 0, bytes.length)
      }
    }
    if (change.op === "upsert" && change.movedFrom !== undefined) builder.movedFrom(JSON.stringify([change.movedFrom]))
  }
  const bytes = yield* Parquet.encode(builder.finish())
  const path = `laws/data/${randomUUID()}.parquet`
  yield* store.put(path, bytes)
  const { epoch, revision } = changes[0]!.version
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
    sequence: 1n,
    epoch,
    revision,
    writtenAtMs: 0,
    completeThroughMs: null
  } satisfies Segment
})

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

/** A fresh warehouse in memory with a folder store of its own, prepared for some tables. */
export const fresh = (tables: ReadonlyArray<Table>, root: string): Layer.Layer<Warehouse | ObjectStore, ConnectorError> =>
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
  ).pipe(Layer.provideMerge(DuckDb.layer({ file: ":memory:" })), Layer.merge(FolderStore.layer(root)))

/** A store for the change laws, over a warehouse that lives as long as the scope. */
export const changeStore = (
  root: string
): Effect.Effect<ChangeLaws.ChangeStore<Segment, bigint>, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const tables = Histories.tables
    const services = yield* Layer.build(fresh(tables, root))
    const sink = WarehouseSink.make({ tables })
    const provide = Effect.provideContext(services)
    const rows = provide(
      Effect.scoped(
        Effect.gen(function* () {
          const { session: open } = yield* Warehouse
          const session = yield* open
          const found = new Map<string, Map<string, Histories.Row | "held">>()
          for (const { name } of tables) {
            const current = yield* session.query(
              `SELECT CAST(id AS VARCHAR) AS id, CAST(amount AS VARCHAR) AS amount, note, memo FROM curated."${name}"`
            )
            const held = yield* session.query(
              `SELECT json_extract_string(row_key, '$[0]') AS id FROM northstar.held WHERE table_name = '${name}'`
            )
            const ofTable = new Map<string, Histories.Row | "held">()
            for (const row of current) ofTable.set(String(row["id"]), { ...row } as Histories.Row)
            for (const row of held) ofTable.set(String(row["id"]), "held")
            if (ofTable.size > 0) found.set(name, ofTable)
          }
          return found
        })
      )
    )
    return {
      open: provide(sink.open(key, position)),
      contents: rows,
      encode: (changes) => provide(segmentsOf(tables, changes)),
      rows
    }
  })

/** A path of versions for hand-written changes. */
export const version = (at: number, ordinal = 0): Version => ({ epoch: 1, position: BigInt(at), ordinal, revision: 1 })

/** No position. */
export const beginning = Option.none<bigint>()
