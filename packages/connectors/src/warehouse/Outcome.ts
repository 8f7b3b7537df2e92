import { Effect } from "effect"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import { type Claim, refused } from "./BusinessKey.ts"
import type { Dialect } from "./Dialect.ts"
import { literal } from "./Dialect.ts"
import { type Model, ordinalBefore, sameKey } from "./Model.ts"
import { movedKey, rowKey } from "./Refold.ts"
import type { Session } from "./Warehouse.ts"

/** Numbers about a stage that decide which of the rarer steps a publish needs. */
export interface StageFacts {
  readonly rows: number
  readonly truncates: number
  readonly deletes: number
  /** Changes that leave columns out. */
  readonly partial: number
  readonly moved: number
  readonly broken: number
  /** Distinct pairs of key and version. */
  readonly distinct: number
  readonly minVersion: bigint
  readonly maxVersion: bigint
}

/** Reads the facts of a stage. */
export const stageFacts = Effect.fnUntraced(function* (session: Session, model: Model) {
  const [row] = yield* session.query(
    `SELECT count(*) AS n, count(CASE WHEN _op = 3 THEN 1 END) AS truncates, count(CASE WHEN _op = 2 THEN 1 END) AS deletes, count(_unchanged) AS partial,
      count(_moved_from) AS moved, count(_reason) AS broken, count(DISTINCT (${model.key.map(({ sql }) => sql).join(", ")}, _version)) AS pairs,
      CAST(coalesce(min(_version), 0) AS VARCHAR) AS low, CAST(coalesce(max(_version), 0) AS VARCHAR) AS high FROM ${model.stage}`
  )
  const number = (name: string) => Number(row?.[name] ?? 0)
  return {
    rows: number("n"),
    truncates: number("truncates"),
    deletes: number("deletes"),
    partial: number("partial"),
    moved: number("moved"),
    broken: number("broken"),
    distinct: number("pairs"),
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
  const follow = followsQuarantined(dialect, model, anyOpen)
  if (facts.partial > 0) yield* session.execute(follow)
  const duplicates = yield* duplicateNames(session, dialect, model, isLate)
  if (facts.partial > 0 && duplicates > 0) yield* session.execute(follow)
  if (anyOpen) {
    yield* session.execute(
      `UPDATE ${model.stage} AS s SET _outcome = 'superseded' WHERE s._reason IS NOT NULL AND ${openQuarantine(model)} AND q.row_key = ${stageKey(dialect, model, "s.")} AND q.version = s._version)`
    )
  }
})

/** Whether a staged row enters the history. */
export const isAccepted = "_op <> 3 AND _reason IS NULL AND _outcome IS NULL"

/** The key of a staged row as quarantine writes it. */
export const stageKey = (dialect: Dialect, model: Model, from = ""): string =>
  `coalesce(${from}_broken_key, ${rowKey(dialect, model, from)})`

/** Opens an EXISTS over the table's changes `q` that were set aside by earlier batches; the caller closes it. */
const openQuarantine = (model: Model): string =>
  `EXISTS (SELECT 1 FROM northstar.quarantine AS q WHERE q.table_name = ${literal(model.name)} AND q.resolved_at IS NULL`

/** Contract columns, operation and mask: what a change says. */
const sameContent = (model: Model, left: string, right: string): string =>
  [...model.columns.map(({ sql }) => sql), "_op", "_unchanged", "_moved_from"]
    .map((sql) => `${left}.${sql} IS NOT DISTINCT FROM ${right}.${sql}`)
    .join(" AND ")

const knownInHistory = (model: Model): string =>
  `UPDATE ${model.stage} AS s SET _outcome = 'superseded' FROM ${model.history} AS h WHERE ${sameKey(model, "s", "h")}
    AND s._version = h._version AND s._outcome IS NULL AND ${sameContent(model, "s", "h")}`

const conflictsWithHistory = (model: Model): string =>
  `UPDATE ${model.stage} AS s SET _reason = 'version_conflict' FROM ${model.history} AS h WHERE ${sameKey(model, "s", "h")}
    AND s._version = h._version AND s._outcome IS NULL AND s._reason IS NULL`

/** The same key and version twice in one stage: equal ones are repeats, others conflict with the first. */
const repeated = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model) {
  const earlier = `f._op <> 3 AND s._op <> 3 AND s._version = f._version AND ${stageKey(dialect, model, "s.")} = ${stageKey(dialect, model, "f.")}
    AND (f._segment < s._segment OR (f._segment = s._segment AND f._row < s._row))`
  yield* session.execute(
    `UPDATE ${model.stage} AS s SET _outcome = 'superseded' WHERE s._outcome IS NULL AND EXISTS (SELECT 1 FROM ${model.stage} AS f WHERE ${earlier} AND ${sameContent(model, "s", "f")})`
  )
  yield* session.execute(
    `UPDATE ${model.stage} AS s SET _reason = 'version_conflict' WHERE s._outcome IS NULL AND s._reason IS NULL AND EXISTS (SELECT 1 FROM ${model.stage} AS f WHERE ${earlier} AND f._outcome IS NULL)`
  )
})

/**
 * A change that leaves columns out joins the quarantined change before it, of its key or of the key it moved from, unless
 * a whole one stands between.
 */
const followsQuarantined = (dialect: Dialect, model: Model, anyOpen: boolean): string => {
  const key = stageKey(dialect, model, "s.")
  const moved = movedKey(dialect, model, "s.")
  // Of two changes one version apart a key move's delete is the earlier: the old key counts as it stood before.
  const broken = (brokenKey: string, version: string) => {
    const whole = (relation: string, wholeKey: string, extra: string) =>
      `EXISTS (SELECT 1 FROM ${relation} AS w WHERE ${wholeKey} = ${brokenKey} AND w._version > ${version} AND (w._op = 2 OR w._unchanged IS NULL)
        AND ((${brokenKey} = ${key} AND w._version < s._version) OR w._version < ${ordinalBefore("s._version")})${extra})`
    return `${brokenKey} IN (${key}, CASE WHEN s._moved_from IS NOT NULL THEN ${moved} END) AND ${version} < s._version
      AND NOT ${whole(model.stage, stageKey(dialect, model, "w."), " AND w._op <> 3 AND w._reason IS NULL AND w._outcome IS NULL")}
      AND NOT ${whole(model.history, rowKey(dialect, model, "w."), "")}`
  }
  const staged = `EXISTS (SELECT 1 FROM ${model.stage} AS b WHERE b._reason IS NOT NULL AND ${broken(stageKey(dialect, model, "b."), "b._version")})`
  // One that is staged again is judged anew.
  const isStaged = `EXISTS (SELECT 1 FROM ${model.stage} AS a WHERE a._version = q.version AND ${stageKey(dialect, model, "a.")} = q.row_key)`
  const earlier = anyOpen ? ` OR ${openQuarantine(model)} AND ${broken("q.row_key", "q.version")} AND NOT ${isStaged})` : ""
  return `UPDATE ${model.stage} AS s SET _reason = 'after_quarantined' WHERE s._op = 1 AND s._unchanged IS NOT NULL AND s._reason IS NULL
    AND s._outcome IS NULL AND (${staged}${earlier})`
}

/** Rows that may share a business key with another row, at most, in one batch. */
const claimsMax = 200_000

/** Sets aside changes that claim a business key held by another live row, in the stage or already published. */
const duplicateNames = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model) {
  if (model.table.businessKey.length === 0) return
  const names = model.table.businessKey.map((name) => dialect.id(name))
  const name = dialect.jsonArray(names.map((sql) => `CAST(${sql} AS VARCHAR)`))
  const isNamed = names.map((sql) => `${sql} IS NOT NULL`).join(" AND ")
  const key = rowKey(dialect, model)
  const usable = "_reason IS NULL AND _outcome IS NULL"
  const claimed = `SELECT DISTINCT ${key} AS k, ${name} AS name FROM ${model.stage} WHERE _op = 1 AND ${usable} AND ${isNamed}`
  const shared = `SELECT name FROM (${claimed} UNION SELECT ${key}, ${name} FROM ${model.curated} WHERE (${names.join(", ")}) IN (SELECT (${names.join(", ")}) FROM ${model.stage} WHERE _op = 1 AND ${usable} AND ${isNamed}))
    AS claims GROUP BY name HAVING count(*) > 1`
  const some = yield* session.query(`SELECT count(*) AS n FROM (${shared}) AS shared`)
  if (Number(some[0]?.["n"] ?? 0) === 0) return
  const keys = `SELECT k FROM (${claimed}) AS c WHERE name IN (${shared}) UNION SELECT ${key} FROM ${model.curated} WHERE ${name} IN (${shared})`
  const rows = yield* session
    .query(
      `SELECT ${key} AS k, CASE WHEN ${isNamed} THEN ${name} END AS name, CAST(_version AS VARCHAR) AS v, true AS published FROM ${model.curated} WHERE ${key} IN (${keys})
      UNION ALL SELECT ${key}, CASE WHEN _op = 1 AND ${isNamed} THEN ${name} END, CAST(_version AS VARCHAR), false FROM ${model.stage} WHERE _op <> 3 AND ${usable} AND ${key} IN (${keys})`,
      [],
      { rowsMax: claimsMax }
    )
    .pipe(Effect.mapError((error) => tooManyClaims(model, error)))
  const broken = refused(rows.map(claim))
  for (const { key: rowKeyText, version } of broken) {
    yield* session.execute(
      `UPDATE ${model.stage} SET _reason = ${literal(`duplicate:${model.table.businessKey.join("+")}`)} WHERE _version = ${version} AND ${key} = ?`,
      [rowKeyText]
    )
  }
})

const claim = (row: Readonly<Record<string, unknown>>): Claim => ({
  key: String(row["k"]),
  name: typeof row["name"] === "string" ? row["name"] : null,
  version: BigInt(String(row["v"])),
  published: row["published"] === true
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
