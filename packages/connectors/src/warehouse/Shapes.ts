import { Effect, Schema } from "effect"
import type { Segment } from "../landing/Segment.ts"
import * as Contract from "./Contract.ts"
import { type Dialect, literal } from "./Dialect.ts"
import type { Model } from "./Model.ts"
import type { Publication } from "./Merge.ts"
import type { Session } from "./Warehouse.ts"

/** The shape of a relation that a table was loaded with, and the contract it was loaded under. */
export interface Shape {
  readonly columns: Segment["columns"]
  /** Number of the log's record that it is from. */
  readonly sequence: string
  readonly contract: string
}

/** The newest shape of each table that was loaded, by name. */
export type Shapes = ReadonlyMap<string, Shape>

/** A table whose segments fit its contract; `added` are columns at the source that the contract does not know, when they are new. */
export interface Loads {
  readonly _tag: "Loads"
  readonly model: Model
  readonly added: ReadonlyArray<string>
  /** Columns whose type at the source changed in a way that the contract can hold. */
  readonly retyped: ReadonlyArray<string>
}

/** A table that is left where it stands, since its segments break its contract. */
export interface Parked {
  readonly _tag: "Parked"
  readonly model: Model
  readonly reason: string
}

const ShapeText = Schema.fromJsonString(
  Schema.Struct({
    sequence: Schema.String,
    columns: Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String, key: Schema.Boolean }))
  })
)

/** Reads the newest shapes. */
export const load = Effect.fnUntraced(function* (session: Session) {
  const rows = yield* session.query(
    "SELECT table_name, relation, contract FROM northstar.tables WHERE relation IS NOT NULL"
  )
  return new Map(
    rows.map((row): [string, Shape] => [
      String(row["table_name"]),
      { ...Schema.decodeUnknownSync(ShapeText)(row["relation"]), contract: String(row["contract"]) }
    ])
  )
})

/** Holds a table's segments against its contract, and against the shape that was loaded last. */
export const judge = (
  model: Model,
  segments: ReadonlyArray<Segment>,
  shapes: Shapes,
  isCatchUp: boolean
): Loads | Parked => {
  const last = shapes.get(model.name)
  // An edited contract is a person's word that the new shape is right; what landed before was accepted then.
  const known = last?.contract === Contract.fingerprint(model.table) && !isCatchUp ? last : undefined
  const added = new Set<string>()
  const retyped = new Set<string>()
  for (const { columns, sequence } of segments) {
    const isNewer = known !== undefined && sequence > BigInt(known.sequence)
    const fit = Contract.fit(model.table, columns, isNewer ? known.columns : undefined)
    if (fit._tag === "Breaks") return { _tag: "Parked", model, reason: fit.reason }
    for (const { name, type } of columns) {
      const before = last?.columns.find((column) => column.name === name)
      if (before !== undefined && before.type !== type && sequence > BigInt(last?.sequence ?? "0")) retyped.add(name)
    }
    for (const name of fit.added) if (last?.columns.every((column) => column.name !== name) ?? true) added.add(name)
  }
  return { _tag: "Loads", model, added: [...added], retyped: [...retyped] }
}

/** Keeps the greatest version and, where it is newer than what is known, the shape that was published. */
export const remember = (
  session: Session,
  model: Model,
  after: { readonly newest: Segment; readonly highVersion: bigint; readonly shapes: Shapes }
) => {
  const { sequence, columns } = after.newest
  const last = after.shapes.get(model.name)
  const relation = literal(JSON.stringify({ sequence: String(sequence), columns }))
  const shape =
    last === undefined || sequence > BigInt(last.sequence)
      ? `, relation = ${relation}, contract = ${literal(Contract.fingerprint(model.table))}`
      : ""
  return session.execute(
    `UPDATE northstar.tables SET high_version = ${after.highVersion}${shape} WHERE table_name = ${literal(model.name)}`
  )
}

/** Writes down which columns have appeared at the source: they land, but no curated table has them. */
export const recordAdded = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  tables: ReadonlyArray<Loads>,
  { batch, recordedAtMs }: Publication
) {
  for (const { model, added } of tables) {
    for (const column of added) {
      yield* session.execute(
        `INSERT INTO northstar.findings SELECT ${literal(batch)}, ${literal(model.name)}, ${literal(`new_column:${column}`)}, 'warn', 0, ${dialect.instant(recordedAtMs)}`
      )
    }
  }
})

/** Tells whoever watches which tables were parked and which columns are new. */
export const report = Effect.fnUntraced(function* (parked: ReadonlyArray<Parked>, tables: ReadonlyArray<Loads>) {
  for (const { model, reason } of parked) {
    yield* Effect.logWarning(
      `table ${model.name} is parked: ${reason}. Its changes keep landing and the other tables go on; ` +
        "edit its contract to accept the change, then run ingest again and it catches up"
    )
  }
  for (const { model, added, retyped } of tables) {
    if (retyped.length > 0) {
      yield* Effect.logWarning(
        `columns of table ${model.name} changed their type at the source: ${retyped.join(", ")}. A rewrite of old rows (ALTER … USING) ` +
          `is not in the source's log: if there was one, run northstar backfill --snapshot ${model.name} --apply`
      )
    }
    if (added.length === 0) continue
    yield* Effect.logWarning(
      `table ${model.name} has new columns at the source: ${added.join(", ")}. Add them to its contract to have them curated`
    )
  }
})
