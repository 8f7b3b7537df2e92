import { Effect } from "effect"
import { isVerbatim } from "@northstar/core/Column"
import { type Dialect, literal } from "./Dialect.ts"
import { type Model, sameKey, versionNumber } from "./Model.ts"
import { rowKey } from "./Refold.ts"
import { rowText } from "./RowText.ts"
import type { Session } from "./Warehouse.ts"

/** Texts of a key, in key order. */
export type KeyTexts = ReadonlyArray<string>

/** Which current rows to look at: keys in `(after, through]` and, with `recent`, only rows at or beyond a bound. */
export interface Slice {
  readonly after: KeyTexts | null
  readonly through: KeyTexts | null
  readonly recent?: { readonly column: string; readonly bound: string }
}

/** Count and checksum of the current rows of a slice, to hold against the source's of the same slice. */
export const digest = Effect.fn("Digests.digest")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  slice: Slice
) {
  const [row] = yield* session.query(
    `SELECT count(*) AS n, CAST(coalesce(sum(${rowDigest(dialect, model)}), 0) AS VARCHAR) AS checksum FROM ${model.curated} WHERE ${within(dialect, model, slice)}`
  )
  return { rows: Number(row?.["n"] ?? 0), checksum: BigInt(String(row?.["checksum"] ?? "0")) }
})

/** Keys of a slice's current rows with their digests, as `[key texts as JSON, digest]`. */
export const keys = Effect.fn("Digests.keys")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  slice: Slice,
  rowsMax: number
) {
  const rows = yield* session.query(
    `SELECT ${rowKey(dialect, model)} AS k, CAST(${rowDigest(dialect, model)} AS VARCHAR) AS d FROM ${model.curated} WHERE ${within(dialect, model, slice)}`,
    [],
    { rowsMax }
  )
  return new Map(rows.map((row) => [String(row["k"]), BigInt(String(row["d"]))]))
})

/** A state that a key was in: its row's digest, or `null` where it had no row. */
export type State = bigint | null

/** Positions of one epoch: `from` and `through` are those of a read of the source. */
export interface Span {
  readonly epoch: number
  readonly from: bigint
  readonly through: bigint
}

/** What the warehouse knows of a key: its row now, and every state it was in while the source was read. */
export interface Known {
  readonly now: State
  readonly states: ReadonlySet<State>
}

/**
 * Looks keys up, all at once: the answer at an index is of the key at that index. A key that has changed since the
 * source was read may be in another state now: then the states between count too, if its row is the last of them.
 */
export const lookUp = Effect.fn("Digests.lookUp")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  keys: ReadonlyArray<KeyTexts>,
  span: Span
) {
  const sought = `sought_${model.name}`
  const stage = dialect.id(sought)
  const columns = model.key.map(({ sql, type }) => [sql, dialect.type(type)] as const)
  yield* session.execute(dialect.createStage(sought, [["_index", dialect.type({ kind: "int32" })], ...columns]))
  if (keys.length > 0) yield* session.execute(`INSERT INTO ${stage} ${soughtQuery(dialect, model, keys)}`)
  const current = yield* session.query(
    `SELECT s._index AS i, CAST(${rowDigest(dialect, model, "t.")} AS VARCHAR) AS d FROM ${stage} AS s JOIN ${model.curated} AS t ON ${sameKey(model, "t", "s")}`,
    [],
    { rowsMax: statesMax }
  )
  const first = versionNumber({ epoch: span.epoch, position: span.from + 1n, ordinal: 0, revision: 0 })
  const changes = yield* session.query(
    `SELECT i, op, d, moved, beyond FROM (
      SELECT s._index AS i, h._op AS op, h._version AS v, CASE WHEN h._unchanged IS NULL THEN CAST(${rowDigest(dialect, model, "h.")} AS VARCHAR) END AS d,
        h._version >= ${first} AS moved, h._version >= ${versionNumber({ epoch: span.epoch, position: span.through + 1n, ordinal: 0, revision: 0 })} AS beyond,
        max(CASE WHEN h._version < ${first} THEN h._version END) OVER (PARTITION BY s._index) AS base
      FROM ${stage} AS s JOIN ${model.history} AS h ON ${sameKey(model, "h", "s")}) AS changes
    WHERE base IS NULL OR v >= base ORDER BY v`,
    [],
    { rowsMax: statesMax }
  )
  const now = new Map(current.map((row) => [Number(row["i"]), BigInt(String(row["d"]))]))
  const byKey = Map.groupBy(changes, (row) => Number(row["i"]))
  return keys.map((_, index): Known => known(now.get(index) ?? null, byKey.get(index) ?? []))
})

/** States read by one look-up at most. */
const statesMax = 1_000_000

const known = (now: State, changes: ReadonlyArray<Readonly<Record<string, unknown>>>): Known => {
  const states = new Set<State>([now])
  const state = (row: Readonly<Record<string, unknown>>): State | undefined =>
    Number(row["op"]) === 2 ? null : typeof row["d"] === "string" ? BigInt(row["d"]) : undefined
  const last = changes.at(-1)
  const isCurrent = last !== undefined && last["moved"] === true && (state(last) === undefined || state(last) === now)
  if (!isCurrent) return { now, states }
  for (const row of changes) {
    const was = state(row)
    if (was !== undefined && row["beyond"] !== true) states.add(was)
  }
  // Before its first change a key had no row.
  if (changes[0]?.["moved"] === true) states.add(null)
  return { now, states }
}

const soughtQuery = (dialect: Dialect, model: Model, keys: ReadonlyArray<KeyTexts>): string => {
  const values = keys.map((key, index) => `(${[String(index), ...key.map(literal)].join(", ")})`)
  const names = model.key.map((_, index) => `t${index}`)
  const columns = model.key.map(({ sql, type }, index) => `${dialect.parse(`t${index}`, type)} AS ${sql}`)
  return `SELECT _index, ${columns.join(", ")} FROM (VALUES ${values.join(", ")}) AS v(_index, ${names.join(", ")})`
}

/** Whether a key has a change in quarantine. */
export const isQuarantined = Effect.fn("Digests.isQuarantined")(function* (
  session: Session,
  model: Model,
  key: KeyTexts
) {
  const rows = yield* session.query(
    `SELECT count(*) AS n FROM northstar.quarantine WHERE table_name = ${literal(model.name)} AND resolved_at IS NULL AND row_key = ?`,
    [JSON.stringify(key)]
  )
  return Number(rows[0]?.["n"] ?? 0) > 0
})

const rowDigest = (dialect: Dialect, model: Model, from = ""): string =>
  dialect.digest(
    rowText(
      model.columns.flatMap(({ column, sql, type }) =>
        isVerbatim(column) ? [dialect.canonical(`${from}${sql}`, type)] : []
      )
    )
  )

const within = (dialect: Dialect, model: Model, slice: Slice): string => {
  const recent = model.columns.find(({ name }) => name === slice.recent?.column)
  // Said of the first column alone, a bound lets the engine pass over what lies outside: it looks into no alternatives.
  const first = (operator: string, key: KeyTexts) =>
    model.key.slice(0, 1).map(({ sql, type }) => `${sql} ${operator} ${dialect.parse(literal(key[0] ?? ""), type)}`)
  const conditions = [
    ...(slice.after === null ? [] : [...first(">=", slice.after), beyond(dialect, model, slice.after)]),
    ...(slice.through === null
      ? []
      : [...first("<=", slice.through), `NOT (${beyond(dialect, model, slice.through)})`]),
    ...(recent === undefined || slice.recent === undefined
      ? []
      : [`${recent.sql} >= ${dialect.parse(literal(slice.recent.bound), recent.type)}`])
  ]
  return conditions.join(" AND ") || "TRUE"
}

/** `(k1, k2) > (v1, v2)`, written out for engines without row comparison. */
const beyond = (dialect: Dialect, model: Model, key: KeyTexts): string =>
  `(${model.key
    .map((_, last) =>
      model.key
        .slice(0, last + 1)
        .map(({ sql, type }, index) => {
          const value = dialect.parse(literal(key[index] ?? ""), type)
          return `${sql} ${index === last ? ">" : "="} ${value}`
        })
        .join(" AND ")
    )
    .map((condition) => `(${condition})`)
    .join(" OR ")})`
