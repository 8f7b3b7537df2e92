import { Effect } from "effect"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import { type Claim, refused } from "./BusinessKey.ts"
import type { Dialect } from "./Dialect.ts"
import { literal } from "./Dialect.ts"
import { type Model, ordinalBefore, sameKey } from "./Model.ts"
import { floorOf, highOf, rowKey } from "./Refold.ts"
import type { Session } from "./Warehouse.ts"

/** Numbers about a stage that decide which of the rarer steps a publish needs. */
export interface StageFacts {
  readonly rows: number
  readonly truncates: number
  readonly deletes: number
  /** Changes that leave columns out. */
  readonly partial: number
  /** Distinct pairs of key and version. */
  readonly distinct: number
  /** Distinct keys. */
  readonly keys: number
  readonly minVersion: bigint
  readonly maxVersion: bigint
}

/** Reads the facts of a stage. */
export const stageFacts = Effect.fnUntraced(function* (session: Session, model: Model) {
  const keys = model.key.map(({ sql }) => sql).join(", ")
  const [row] = yield* session.query(
    `SELECT count(*) AS n, count(CASE WHEN _op = 3 THEN 1 END) AS truncates, count(CASE WHEN _op = 2 THEN 1 END) AS deletes, count(_unchanged) AS partial,
      (SELECT count(*) FROM (SELECT DISTINCT ${keys}, _version FROM ${model.stage}) AS p) AS pairs, (SELECT count(*) FROM (SELECT DISTINCT ${keys} FROM ${model.stage}) AS k) AS keys,
      CAST(coalesce(min(_version), 0) AS VARCHAR) AS low, CAST(coalesce(max(_version), 0) AS VARCHAR) AS high FROM ${model.stage}`
  )
  const number = (name: string) => Number(row?.[name] ?? 0)
  return {
    rows: number("n"),
    truncates: number("truncates"),
    deletes: number("deletes"),
    partial: number("partial"),
    distinct: number("pairs"),
    keys: number("keys"),
    minVersion: BigInt(String(row?.["low"])),
    maxVersion: BigInt(String(row?.["high"]))
  } satisfies StageFacts
})

/**
 * Decides what becomes of every staged change before anything is written: `_reason` names why a change is set aside,
 * `_outcome` is `superseded` for what is known already; both NULL: accepted. Verdicts are those of the changes played one
 * by one, however they are batched. `isLate` says that versions at or below the greatest published one are among them.
 */
export const decide = Effect.fn("Outcome.decide")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  facts: StageFacts,
  isLate: boolean
) {
  if (isLate) {
    yield* session.execute(knownInHistory(model))
    yield* session.execute(conflictsWithHistory(model))
  }
  if (facts.distinct < facts.rows - facts.truncates) yield* repeated(session, dialect, model)
  const openCount = yield* session.query(
    `SELECT count(*) AS n FROM northstar.quarantine WHERE table_name = ${literal(model.name)} AND resolved_at IS NULL`
  )
  const anyOpen = Number(openCount[0]?.["n"] ?? 0) > 0
  if (facts.partial > 0) yield* followQuarantined(session, dialect, model, anyOpen)
  const duplicates = yield* duplicateNames(session, dialect, model, isLate)
  if (facts.partial > 0 && duplicates > 0) yield* followQuarantined(session, dialect, model, anyOpen)
  if (anyOpen) {
    yield* session.execute(
      `UPDATE ${model.stage} SET _outcome = 'superseded' WHERE _reason IS NOT NULL AND _outcome IS NULL
        AND EXISTS (SELECT 1 FROM northstar.quarantine AS q WHERE ${isOpen(model)} AND q.version = ${model.stage}._version AND q.row_key = ${stageKey(dialect, model, `${model.stage}.`)})`
    )
  }
})

/** Whether a staged row enters the history. */
export const isAccepted = "_op <> 3 AND _reason IS NULL AND _outcome IS NULL"

/** The key of a staged row as quarantine writes it. */
export const stageKey = (dialect: Dialect, model: Model, from = ""): string =>
  `coalesce(${from}_broken_key, ${rowKey(dialect, model, from)})`

/** Changes `q` of the table that earlier batches set aside and nothing has resolved. */
const isOpen = (model: Model): string => `q.table_name = ${literal(model.name)} AND q.resolved_at IS NULL`

/** Contract columns, operation and mask: what a change says. */
const sameContent = (model: Model, left: string, right: string): string =>
  [...model.columns.map(({ sql }) => sql), "_op", "_unchanged", "_moved_from"]
    .map((sql) => `${left}.${sql} IS NOT DISTINCT FROM ${right}.${sql}`)
    .join(" AND ")

const knownInHistory = (model: Model): string =>
  `UPDATE ${model.stage} SET _outcome = 'superseded' FROM ${model.history} AS h WHERE ${sameKey(model, model.stage, "h")}
    AND ${model.stage}._version = h._version AND ${model.stage}._outcome IS NULL AND ${sameContent(model, model.stage, "h")}`

const conflictsWithHistory = (model: Model): string =>
  `UPDATE ${model.stage} SET _reason = 'version_conflict' FROM ${model.history} AS h WHERE ${sameKey(model, model.stage, "h")}
    AND ${model.stage}._version = h._version AND ${model.stage}._outcome IS NULL AND ${model.stage}._reason IS NULL`

/** The same key and version twice in one stage: equal ones are repeats, others conflict with the first. */
const repeated = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model) {
  const s = model.stage
  const earlier = `f._op <> 3 AND ${s}._op <> 3 AND ${s}._version = f._version AND ${stageKey(dialect, model, `${s}.`)} = ${stageKey(dialect, model, "f.")}
    AND (f._segment < ${s}._segment OR (f._segment = ${s}._segment AND f._row < ${s}._row))`
  yield* session.execute(
    `UPDATE ${s} SET _outcome = 'superseded' FROM ${s} AS f WHERE ${s}._outcome IS NULL AND ${earlier} AND ${sameContent(model, s, "f")}`
  )
  yield* session.execute(
    `UPDATE ${s} SET _reason = 'version_conflict' FROM ${s} AS f WHERE ${s}._outcome IS NULL AND ${s}._reason IS NULL AND ${earlier} AND f._outcome IS NULL`
  )
})

/**
 * Sets aside changes that leave columns out and follow a quarantined change of their key, or of the key they moved from,
 * without a whole one between: what they leave out is not known.
 */
const followQuarantined = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  anyOpen: boolean
) {
  const broken = yield* session.query(
    `SELECT count(*) AS n FROM ${model.stage} WHERE _reason IS NOT NULL AND _outcome IS NULL`
  )
  if (!anyOpen && Number(broken[0]?.["n"] ?? 0) === 0) return
  const keys = model.key.map(({ sql }) => sql).join(", ")
  const parsed = (json: string) =>
    model.key.map(({ sql, type }, index) => `${dialect.parse(dialect.jsonAt(json, index), type)} AS ${sql}`).join(", ")
  const partial = `${isAccepted} AND _op = 1 AND _unchanged IS NOT NULL`
  const lookups = `SELECT ${keys}, _segment, _row, _version AS _before FROM ${model.stage} WHERE ${partial}
    UNION ALL SELECT ${parsed("_moved_from")}, _segment, _row, ${ordinalBefore("_version")} FROM ${model.stage} WHERE ${partial} AND _moved_from IS NOT NULL`
  const isWhole = "(_op = 2 OR _unchanged IS NULL)"
  // One that is staged again is judged anew.
  const earlier = `
    UNION ALL SELECT ${parsed("row_key")}, version, 1 FROM northstar.quarantine AS q WHERE ${isOpen(model)}
      AND NOT EXISTS (SELECT 1 FROM ${model.stage} AS a WHERE a._version = q.version AND ${stageKey(dialect, model, "a.")} = q.row_key)`
  const events = `SELECT ${keys}, _version, CASE WHEN _reason IS NULL THEN 0 ELSE 1 END AS _broken FROM ${model.stage}
      WHERE _op <> 3 AND _outcome IS NULL AND (_reason IS NOT NULL OR ${isWhole})
    UNION ALL SELECT ${keys}, _version, 0 FROM ${model.history} WHERE ${isWhole}${anyOpen ? earlier : ""}`
  const newest = (flag: number) => `max(CASE WHEN e._broken = ${flag} THEN e._version END)`
  yield* session.execute(
    `UPDATE ${model.stage} SET _reason = 'after_quarantined' WHERE (_segment, _row) IN (
      SELECT l._segment, l._row FROM (${lookups}) AS l JOIN (${events}) AS e ON ${sameKey(model, "l", "e")} AND e._version < l._before
      GROUP BY l._segment, l._row, l._before HAVING ${newest(1)} >= coalesce(${newest(0)}, -1))`
  )
})

/** Rows that may share a business key with another row, at most, in one batch. */
const claimsMax = 200_000

/** Refused changes marked by one statement. */
const refusedMax = 1_000

/** Sets aside changes that claim a business key held by another live row, in the stage or already published; returns how many. */
const duplicateNames = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model, isLate: boolean) {
  if (model.table.businessKey.length === 0) return 0
  const names = model.table.businessKey.map((name) => dialect.id(name))
  const name = dialect.jsonArray(names.map((sql) => `CAST(${sql} AS VARCHAR)`))
  const isNamed = names.map((sql) => `${sql} IS NOT NULL`).join(" AND ")
  const key = rowKey(dialect, model)
  // A change that leaves the name out keeps it, and a late one that is not its row's newest changes no name.
  const carried = model.table.businessKey.map((part) => `NOT ${dialect.jsonHas("_unchanged", part)}`).join(" AND ")
  const isNewest = isLate
    ? ` AND NOT EXISTS (SELECT 1 FROM ${model.history} AS h WHERE ${sameKey(model, "h", "s")} AND h._version > s._version) AND _version > ${floorOf(model)}`
    : ""
  const usable = `${isAccepted} AND ${carried}${isNewest}`
  const claimed = `SELECT DISTINCT ${key} AS k, ${name} AS name FROM ${model.stage} AS s WHERE _op = 1 AND ${usable} AND ${isNamed}`
  const staged = `SELECT ${names.join(", ")} FROM ${model.stage} AS s WHERE _op = 1 AND ${usable} AND ${isNamed}`
  const published = `SELECT ${key}, ${name} FROM ${model.curated} WHERE (${names.join(", ")}) IN (${staged})`
  const shared = `SELECT name FROM (${claimed} UNION ${published}) AS claims GROUP BY name HAVING count(*) > 1`
  // The usual answer is none: found by the columns themselves, before any texts of keys and names are made.
  const columns = [...model.key.map(({ sql }, at) => `${sql} AS k${at}`), ...names.map((sql, at) => `${sql} AS n${at}`)]
  const inStage = `SELECT ${columns.join(", ")} FROM ${model.stage} AS s WHERE _op = 1 AND ${usable} AND ${isNamed}`
  const inCurated = `SELECT ${columns.join(", ")} FROM ${model.curated} WHERE (${names.join(", ")}) IN (${staged})`
  const some = yield* session.query(
    `SELECT count(*) AS n FROM (SELECT 1 FROM (${inStage} UNION ${inCurated}) AS claims GROUP BY ${names.map((_, at) => `n${at}`).join(", ")} HAVING count(*) > 1) AS shared`
  )
  if (Number(some[0]?.["n"] ?? 0) === 0) return 0
  const keys = `SELECT k FROM (${claimed} UNION ${published}) AS c WHERE name IN (${shared})`
  const rows = yield* session
    .query(
      `SELECT ${key} AS k, CASE WHEN ${isNamed} THEN ${name} END AS name, CAST(_version AS VARCHAR) AS v, 'published' AS kind FROM ${model.curated} WHERE ${key} IN (${keys})
      UNION ALL SELECT ${key}, CASE WHEN _op = 1 AND ${isNamed} THEN ${name} END, CAST(_version AS VARCHAR), CASE WHEN _unchanged IS NULL THEN 'whole' ELSE 'partial' END
        FROM ${model.stage} AS s WHERE ${usable} AND ${key} IN (${keys})
      UNION ALL SELECT '', NULL, CAST(_version AS VARCHAR), 'truncate' FROM ${model.stage} WHERE _op = 3 AND _version > ${highOf(model)}`,
      [],
      { rowsMax: claimsMax }
    )
    .pipe(Effect.mapError((error) => tooManyClaims(model, error)))
  const broken = refused(rows.map(claim))
  const reason = literal(`duplicate:${model.table.businessKey.join("+")}`)
  for (let start = 0; start < broken.length; start += refusedMax) {
    const some = broken.slice(start, start + refusedMax)
    const list = some.map(({ key: text, version }) => `(${literal(text)}, ${version})`).join(", ")
    yield* session.execute(
      `UPDATE ${model.stage} SET _reason = ${reason} WHERE ${isAccepted} AND (${key}, _version) IN (${list})`
    )
  }
  return broken.length
})

const claim = (row: Readonly<Record<string, unknown>>): Claim => ({
  key: String(row["k"]),
  name: row["name"] === null ? null : (row["name"] as string),
  version: BigInt(String(row["v"])),
  // Sound: the query names its kinds.
  kind: row["kind"] as Claim["kind"]
})

const tooManyClaims = (model: Model, error: ConnectorError): ConnectorError =>
  error.reason._tag !== "InvalidData"
    ? error
    : new ConnectorError({
        connector: "warehouse",
        operation: "audit",
        detail: `more than ${claimsMax} rows of ${model.name} claim the business key (${model.table.businessKey.join(", ")}) of another row`,
        action: "The column is probably not unique: take it out of the table's businessKey, then run again",
        reason: new InvalidData({ detail: "business key" })
      })
