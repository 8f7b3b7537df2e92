import { Effect } from "effect"
import { type Dialect, literal } from "./Dialect.ts"
import { curatedColumns, historyColumns, type Model, type ModelColumn, sameKey } from "./Model.ts"
import { isAccepted, type StageFacts } from "./Outcome.ts"
import type { Session } from "./Warehouse.ts"

/** The batch that is being published. */
export interface Publication {
  /** Names the batch in every row, in the ledger and to `rollback`. */
  readonly batch: string
  readonly recordedAtMs: number
}

/** Every column of the history, from a staged row. */
export const historyValues = (dialect: Dialect, model: Model, { batch, recordedAtMs }: Publication): string =>
  historyColumns(dialect, model)
    .map(([sql]) => {
      if (sql === "_batch") return `${literal(batch)} AS _batch`
      if (sql === "_recorded_at") return `${dialect.instant(recordedAtMs)} AS _recorded_at`
      return sql === "_posting_date" ? "_business_date AS _posting_date" : sql
    })
    .join(", ")

/** What is merged: the staged changes, without those whose keys are in the stage `except`. */
interface Source {
  readonly facts: StageFacts
  readonly except: string | undefined
}

/**
 * Brings the current rows up to date with the stage: of each key's accepted changes the newest wins; it is newer than
 * anything published. Rows are merged in lanes, each with the literal business dates and the bounds of the keys that its
 * target rows have: an engine then reads only what the batch touches, however much history the table has.
 */
export const mergeNewest = Effect.fn("Merge.newest")(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  publication: Publication,
  source: Source
) {
  const rows = newest(dialect, model, publication, source)
  for (const lane of yield* lanesOf(session, dialect, model, source)) {
    const ofLane = `SELECT * FROM (${rows}) AS n WHERE ${lane.condition}`
    const pruning = yield* pruningOf(session, model, source, lane)
    const isNew = pruning === undefined
    yield* session.execute(isNew ? insertSql(dialect, model, ofLane) : mergeSql(dialect, model, ofLane, pruning))
  }
})

/** The accepted changes of the stage, one row a key, with every column of the history. */
const newest = (dialect: Dialect, model: Model, publication: Publication, source: Source): string =>
  `SELECT ${historyValues(dialect, model, publication)} FROM ${model.stage} AS c WHERE ${isMerged(model, source)}${onePerKey(model, source)}`

const isMerged = (model: Model, { except }: Source): string =>
  except === undefined
    ? isAccepted
    : `${isAccepted} AND NOT EXISTS (SELECT 1 FROM ${except} AS k WHERE ${sameKey(model, "k", "c")})`

const onePerKey = (model: Model, { facts }: Source): string =>
  facts.keys === facts.rows
    ? ""
    : ` QUALIFY row_number() OVER (PARTITION BY ${model.key.map(({ sql }) => sql).join(", ")} ORDER BY _version DESC) = 1`

/** Rows of which the table has none: a third of what a MERGE that matches nothing takes DuckDB. */
const insertSql = (dialect: Dialect, model: Model, source: string): string => {
  const columns = curatedColumns(dialect, model)
    .map(([sql]) => sql)
    .join(", ")
  return `INSERT INTO ${model.curated} (${columns}) SELECT ${columns} FROM (${source}) AS s WHERE s._op = 1`
}

/** `pruning` only narrows where target rows are looked for: each condition holds for every row that has a partner. */
const mergeSql = (dialect: Dialect, model: Model, source: string, pruning: ReadonlyArray<string>): string => {
  const columns = curatedColumns(dialect, model).map(([sql]) => sql)
  const keys = new Set(model.key.map(({ sql }) => sql))
  const others = columns.filter((sql) => !keys.has(sql))
  return `MERGE INTO ${model.curated} AS t USING (${source}) AS s ON ${[sameKey(model, "t", "s"), ...pruning].join(" AND ")}
    WHEN MATCHED AND s._op = 2 THEN DELETE
    WHEN MATCHED THEN UPDATE SET ${others.map((sql) => `${sql} = s.${sql}`).join(", ")}
    WHEN NOT MATCHED AND s._op = 1 THEN INSERT (${columns.join(", ")}) VALUES (${columns.map((sql) => `s.${sql}`).join(", ")})`
}

/** Rows `n` that are merged by one statement, and what holds for the key of every target row `t` of theirs. */
interface Lane {
  readonly condition: string
  readonly bounds: ReadonlyArray<string>
}

/** Days behind the newest business date of a batch that its recent lane reaches back. */
const recentDays = 3

/**
 * Up to three lanes: what happened lately, what is late, and what does not say (deletes). One late row would else widen
 * the bounds of all the others to the whole table.
 */
const lanesOf = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model, source: Source) {
  const [first] = model.key as readonly [ModelColumn, ...Array<ModelColumn>]
  const cut = `(SELECT max(_business_date) - ${recentDays} FROM ${model.stage})`
  const date = "n._business_date"
  const conditions = [`${date} >= ${cut}`, `${date} < ${cut}`, `${date} IS NULL`]
  const name = `CASE WHEN ${conditions[0]} THEN 0 WHEN ${conditions[1]} THEN 1 ELSE 2 END`
  const reduced = `SELECT * FROM ${model.stage} AS c WHERE ${isMerged(model, source)}${onePerKey(model, source)}`
  const rows = yield* session.query(
    `SELECT lane, CAST(min(k) AS VARCHAR) AS low, CAST(max(k) AS VARCHAR) AS high
    FROM (SELECT ${name} AS lane, n.${first.sql} AS k FROM (${reduced}) AS n) AS lanes GROUP BY lane ORDER BY lane`
  )
  return rows.map((row): Lane => ({
    condition: conditions[Number(row["lane"])]!,
    bounds: boundsOf(dialect, first, String(row["low"]), String(row["high"]))
  }))
})

/** Types whose text in a result is a text that a cast reads as the same value, in every engine. */
const bounded: ReadonlySet<ModelColumn["type"]["kind"]> = new Set([
  "int16",
  "int32",
  "int64",
  "decimal",
  "text",
  "uuid",
  "date"
])

/** Literal bounds of a key's column: an engine prunes by constants, not by what it would have to compute. */
const boundsOf = (dialect: Dialect, { sql, type }: ModelColumn, low: string, high: string): ReadonlyArray<string> => {
  if (!bounded.has(type.kind)) return []
  const isNumber = type.kind.startsWith("int") || type.kind === "decimal"
  const value = (text: string) => (isNumber ? text : `CAST(${literal(text)} AS ${dialect.type(type)})`)
  return [`t.${sql} >= ${value(low)}`, `t.${sql} <= ${value(high)}`]
}

/** Dates named in one statement at most; beyond them the bounds of the keys must do. */
const datesMax = 400

/**
 * Conditions that every target row of a lane satisfies: looked up by key, in two columns of what the bounds leave.
 * Undefined when there is no such row.
 */
const pruningOf = Effect.fnUntraced(function* (session: Session, model: Model, source: Source, { bounds }: Lane) {
  if (model.table.event === undefined) return bounds
  const keys = model.key.map(({ sql }) => sql).join(", ")
  const found = yield* session.query(
    `SELECT DISTINCT CAST(t._business_date AS VARCHAR) AS d FROM ${model.curated} AS t
      JOIN (SELECT DISTINCT ${keys} FROM ${model.stage} AS c WHERE ${isMerged(model, source)}) AS s ON ${[sameKey(model, "t", "s"), ...bounds].join(" AND ")}
      ORDER BY 1 LIMIT ${datesMax + 1}`
  )
  if (found.length > datesMax) return bounds
  const dates = found.flatMap(({ d }) => (d === null || d === undefined ? [] : [`CAST(${literal(String(d))} AS DATE)`]))
  const anyNull = found.some(({ d }) => d === null)
  const isListed = [
    ...(dates.length === 0 ? [] : [`t._business_date IN (${dates.join(", ")})`]),
    ...(anyNull ? ["t._business_date IS NULL"] : [])
  ]
  return isListed.length === 0 ? undefined : [...bounds, `(${isListed.join(" OR ")})`]
})
