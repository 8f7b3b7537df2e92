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

/** Count and checksum of the current rows of slices that follow each other, to hold against the source's of the same slices. */
export const digests = Effect.fn("Digests.digests")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  slices: ReadonlyArray<Slice>
) {
  // One scan finds the part of each row: many scans would each pass over the same row groups.
  const ends = slices.slice(0, -1).flatMap(({ through }, index) => {
    return through === null ? [] : [`WHEN NOT (${beyond(dialect, model, through)}) THEN ${index}`]
  })
  const part = ends.length === 0 ? "0" : `CASE ${ends.join(" ")} ELSE ${ends.length} END`
  const whole = { ...slices[0], after: slices[0]?.after ?? null, through: slices.at(-1)?.through ?? null }
  const rows = yield* session.query(
    `SELECT part, count(*) AS n, CAST(sum(digest) AS VARCHAR) AS checksum FROM (
      SELECT ${part} AS part, ${rowDigest(dialect, model)} AS digest FROM ${model.curated} WHERE ${within(dialect, model, whole)}
    ) AS parts GROUP BY part`
  )
  const found = new Map(rows.map((row) => [Number(row["part"]), row]))
  return slices.map((_, index) => ({
    rows: Number(found.get(index)?.["n"] ?? 0),
    checksum: BigInt(String(found.get(index)?.["checksum"] ?? "0"))
  }))
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

/** A key, and the positions between which the source's row of it was read. */
export interface Sought {
  readonly key: KeyTexts
  readonly from: bigint
  readonly through: bigint
}

/** What the warehouse knows of a key: its row now, and every state it was in while the source was read. */
export interface Known {
  readonly now: State
  readonly states: ReadonlySet<State>
}

/**
 * Looks keys of one epoch up, all at once: the answer at an index is of the key at that index. A key that has changed since the
 * source was read may be in another state now: then the states between count too, if its row is the last of them.
 */
export const lookUp = Effect.fn("Digests.lookUp")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  epoch: number,
  keys: ReadonlyArray<Sought>
) {
  const sought = `sought_${model.name}`
  const stage = dialect.id(sought)
  const columns = [
    ["_index", dialect.type({ kind: "int32" })] as const,
    ["_first", dialect.versionType] as const,
    ["_beyond", dialect.versionType] as const,
    ...model.key.map(({ sql, type }) => [sql, dialect.type(type)] as const)
  ]
  yield* session.execute(dialect.createStage(sought, columns))
  for (let first = 0; first < keys.length; first += keysPerInsert) {
    const some = keys.slice(first, first + keysPerInsert)
    yield* session.execute(`INSERT INTO ${stage} ${soughtQuery(dialect, model, epoch, some, first)}`)
  }
  const current = yield* session.query(
    `SELECT s._index AS i, CAST(${rowDigest(dialect, model, "t.")} AS VARCHAR) AS d FROM ${stage} AS s JOIN ${model.curated} AS t ON ${sameKey(model, "t", "s")}`,
    [],
    { rowsMax: statesMax }
  )
  const changes = yield* session.query(
    `SELECT i, op, d, moved, beyond FROM (
      SELECT s._index AS i, h._op AS op, h._version AS v, CASE WHEN h._unchanged IS NULL THEN CAST(${rowDigest(dialect, model, "h.")} AS VARCHAR) END AS d,
        h._version >= s._first AS moved, h._version >= s._beyond AS beyond,
        max(CASE WHEN h._version < s._first THEN h._version END) OVER (PARTITION BY s._index) AS base
      FROM ${stage} AS s JOIN ${model.history} AS h ON ${sameKey(model, "h", "s")}) AS changes
    WHERE base IS NULL OR v >= base ORDER BY v`,
    [],
    { rowsMax: statesMax }
  )
  const now = new Map(current.map((row) => [Number(row["i"]), BigInt(String(row["d"]))]))
  const byKey = Map.groupBy(changes, (row) => Number(row["i"]))
  return keys.map((_, index): Known => known(now.get(index) ?? null, byKey.get(index) ?? []))
})

/** Two versions of 34 digits and a key each, well below the megabyte that a statement may have in Snowflake. */
const keysPerInsert = 2_000

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

const soughtQuery = (
  dialect: Dialect,
  model: Model,
  epoch: number,
  keys: ReadonlyArray<Sought>,
  first: number
): string => {
  const behind = (position: bigint) =>
    String(versionNumber({ epoch, position: position + 1n, ordinal: 0, revision: 0 }))
  const values = keys.map(
    ({ key, from, through }, index) =>
      `(${[String(first + index), behind(from), behind(through), ...key.map(literal)].join(", ")})`
  )
  const names = model.key.map((_, index) => `t${index}`)
  const columns = model.key.map(({ sql, type }, index) => `${dialect.parse(`t${index}`, type)} AS ${sql}`)
  return `SELECT _index, _first, _beyond, ${columns.join(", ")} FROM (VALUES ${values.join(", ")}) AS v(_index, _first, _beyond, ${names.join(", ")})`
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
