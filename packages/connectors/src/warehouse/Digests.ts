import { Effect } from "effect"
import { type Dialect, literal } from "./Dialect.ts"
import { type Model, versionNumber } from "./Model.ts"
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

/**
 * Every state that the history knows of a key between two positions of one epoch: from the last change at or before
 * `from` on, through `through`. Changes that leave columns out count by the current row only.
 */
export const statesBetween = Effect.fn("Digests.statesBetween")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  key: KeyTexts,
  span: { readonly epoch: number; readonly from: bigint; readonly through: bigint }
) {
  const where = isKey(dialect, model, key)
  const last = versionNumber({ epoch: span.epoch, position: span.through + 1n, ordinal: 0, revision: 0 })
  const first = versionNumber({ epoch: span.epoch, position: span.from + 1n, ordinal: 0, revision: 0 })
  const now = yield* current(session, dialect, model, key)
  const history = yield* session.query(
    `SELECT _op AS op, CASE WHEN _unchanged IS NULL THEN CAST(${rowDigest(dialect, model)} AS VARCHAR) END AS d FROM ${model.history}
    WHERE ${where} AND _version < ${last} AND _version >= coalesce((SELECT max(_version) FROM ${model.history} WHERE ${where} AND _version < ${first}), 0)`
  )
  const states = new Set<State>([now])
  for (const row of history) {
    if (Number(row["op"]) === 2) states.add(null)
    else if (row["d"] !== null) states.add(BigInt(String(row["d"])))
  }
  return states
})

/** The state that a key is in now. */
export const current = Effect.fn("Digests.current")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  key: KeyTexts
) {
  const rows = yield* session.query(
    `SELECT CAST(${rowDigest(dialect, model)} AS VARCHAR) AS d FROM ${model.curated} WHERE ${isKey(dialect, model, key)}`
  )
  return rows[0] === undefined ? null : BigInt(String(rows[0]["d"]))
})

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

const rowDigest = (dialect: Dialect, model: Model): string =>
  dialect.digest(rowText(model.columns.map(({ sql, type }) => dialect.canonical(sql, type))))

const isKey = (dialect: Dialect, model: Model, key: KeyTexts): string =>
  model.key.map(({ sql, type }, index) => `${sql} = ${dialect.parse(literal(key[index] ?? ""), type)}`).join(" AND ")

const within = (dialect: Dialect, model: Model, slice: Slice): string => {
  const recent = model.columns.find(({ name }) => name === slice.recent?.column)
  const conditions = [
    ...(slice.after === null ? [] : [beyond(dialect, model, slice.after)]),
    ...(slice.through === null ? [] : [`NOT (${beyond(dialect, model, slice.through)})`]),
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
