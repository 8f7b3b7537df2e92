import { Effect } from "effect"
import type { Dialect } from "./Dialect.ts"
import { literal } from "./Dialect.ts"
import { historyColumns, type Model, ordinalBefore, sameKey } from "./Model.ts"
import { eventColumns } from "./Stage.ts"
import type { Session } from "./Warehouse.ts"

/** Key moves followed one after the other; a longer chain than this is a loop in the data. */
const movesMax = 1_000

/**
 * Recomputes the current rows of the keys in the stage `<table>_refold` from history alone: what late and partial
 * changes and rollbacks need. The newest delete or floor of a key resets it; the newest upsert after that decides
 * whether the row exists; each column comes from the newest upsert that carries it, through key moves if need be. A row
 * of which some column was never carried is held, not shown.
 */
export const refold = Effect.fn("Refold.refold")(function* (session: Session, dialect: Dialect, model: Model) {
  const names = refoldNames(dialect, model)
  yield* session.execute(`DELETE FROM ${names.chainSql}`)
  yield* session.execute(`INSERT INTO ${names.chainSql} ${chainStart(dialect, model, names)}`)
  for (let move = 0; move < movesMax; move++) {
    const found = yield* session.execute(chainStep(dialect, model, names, move))
    if (found === 0) break
  }
  yield* session.execute(`DELETE FROM ${names.foldedSql}`)
  yield* session.execute(`INSERT INTO ${names.foldedSql} ${foldQuery(dialect, model, names)}`)
  yield* session.execute(
    `DELETE FROM ${model.curated} WHERE EXISTS (SELECT 1 FROM ${names.keysSql} AS k WHERE ${sameKey(model, model.curatedRef, "k")})`
  )
  yield* session.execute(
    `DELETE FROM northstar.held WHERE table_name = ${literal(model.name)} AND row_key IN (SELECT ${rowKey(dialect, model)} FROM ${names.keysSql})`
  )
  const missing = missingColumns(dialect, model)
  const columns = historyColumns(dialect, model)
    .map(([sql]) => sql)
    .filter((sql) => !["_op", "_unchanged", "_moved_from"].includes(sql))
  yield* session.execute(
    `INSERT INTO ${model.curated} (${columns.join(", ")}) SELECT ${columns.join(", ")} FROM (SELECT *, ${eventColumns(dialect, model)}, ${postingDate} FROM ${names.foldedSql} WHERE ${missing} = '') AS whole`
  )
  yield* session.execute(
    `INSERT INTO northstar.held SELECT ${literal(model.name)}, ${rowKey(dialect, model)}, _version, ${missing}, _batch FROM ${names.foldedSql} WHERE ${missing} <> ''`
  )
})

/** Adds the keys that were moved from a collected key: they inherit from its history. */
export const collectDependents = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model) {
  const names = refoldNames(dialect, model)
  const keys = model.key.map(({ sql }) => `h.${sql}`).join(", ")
  let added = 1
  while (added > 0) {
    added = yield* session.execute(
      `INSERT INTO ${names.keysSql} SELECT DISTINCT ${keys} FROM ${model.history} AS h WHERE h._moved_from IS NOT NULL AND h._unchanged IS NOT NULL
        AND ${movedKey(dialect, model, "h.")} IN (SELECT ${rowKey(dialect, model)} FROM ${names.keysSql})
        AND NOT EXISTS (SELECT 1 FROM ${names.keysSql} AS k WHERE ${sameKey(model, "k", "h")})`
    )
  }
})

/** A row is posted on its business date until that day is closed. */
const postingDate = "_business_date AS _posting_date"

/** Key columns as a JSON array of texts: how a key is written in quarantine and messages' counterparts. */
export const rowKey = (dialect: Dialect, model: Model, from = ""): string =>
  dialect.jsonArray(model.key.map(({ sql }) => `CAST(${from}${sql} AS VARCHAR)`))

/** The old key of a move, written as `rowKey` writes it. */
export const movedKey = (dialect: Dialect, model: Model, from = ""): string =>
  dialect.jsonArray(
    model.key.map(
      ({ type }, index) => `CAST(${dialect.parse(dialect.jsonAt(`${from}_moved_from`, index), type)} AS VARCHAR)`
    )
  )

/** Creates the empty stages that a refold works on, in this session; before its transaction, since an engine may commit at DDL. */
export const createRefoldStages = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model) {
  const names = refoldNames(dialect, model)
  const integer = dialect.type({ kind: "int32" })
  const typed = (prefix: (index: number, sql: string) => string) =>
    model.key.map(({ sql, type }, index) => [prefix(index, sql), dialect.type(type)] as const)
  const keys = typed((_, sql) => sql)
  const roots = typed((index) => `_root_${index}`)
  const types = new Map(historyColumns(dialect, model))
  const values = model.columns
    .filter(({ name }) => !model.table.key.includes(name))
    .flatMap(({ name, sql, type }) => [
      [sql, dialect.type(type)] as const,
      [dialect.id(`_from_${name}`), dialect.versionType] as const
    ])
  const kept = keptMetadata.map((name) => [name, types.get(name)!] as const)
  yield* session.execute(dialect.createStage(names.keys, keys))
  yield* session.execute(
    dialect.createStage(names.chain, [...roots, ...keys, ["_below", dialect.versionType], ["_move", integer]])
  )
  yield* session.execute(
    dialect.createStage(names.folded, [...keys, ...values, ["_version", dialect.versionType], ...kept])
  )
})

/** What a folded row keeps of its newest upsert besides its version. */
const keptMetadata = ["_batch", "_source_commit_at", "_ingested_at", "_recorded_at"] as const

/** The stages that a refold works on; the caller fills `keys`. */
export const refoldNames = (dialect: Dialect, model: Model) => {
  const name = (part: string) => `${part}_${model.name}`
  return {
    keys: name("refold"),
    chain: name("chain"),
    folded: name("folded"),
    keysSql: dialect.id(name("refold")),
    chainSql: dialect.id(name("chain")),
    foldedSql: dialect.id(name("folded"))
  }
}
type Names = ReturnType<typeof refoldNames>

const keyList = (model: Model, from: string): string => model.key.map(({ sql }) => `${from}.${sql}`).join(", ")
const rootList = (model: Model): string => model.key.map(({ sql }, index) => `${sql} AS _root_${index}`).join(", ")
const roots = (model: Model): string => model.key.map((_, index) => `_root_${index}`).join(", ")
/** Every key is the first link of its own chain, open at the top. */
const chainStart = (dialect: Dialect, model: Model, names: Names): string =>
  `SELECT ${rootList(model)}, ${keyList(model, "k")}, CAST(NULL AS ${dialect.versionType}) AS _below, 0 AS _move FROM ${names.keysSql} AS k`

/** Floor of the table: what lies at or below it is gone. */
export const floorOf = (model: Model): string =>
  `(SELECT coalesce(max(version), -1) FROM northstar.floors WHERE table_name = ${literal(model.name)})`

/** The greatest version ever published of the table. */
export const highOf = (model: Model): string =>
  `(SELECT max(high_version) FROM northstar.tables WHERE table_name = ${literal(model.name)})`

/** Upserts of a chain's links that nothing after them has reset. */
const liveQuery = (model: Model, names: Names): string => {
  // A row that moved here has no past under this key, even if the delete before it is missing.
  const reset = `CASE WHEN h._op = 2 THEN h._version WHEN h._moved_from IS NOT NULL THEN h._version - 1 END`
  return `SELECT l.* EXCLUDE (_reset)
  FROM (SELECT ${model.key.map((_, index) => `c._root_${index}`).join(", ")}, c._move, h.*, max(${reset}) OVER (PARTITION BY ${roots(model)}, c._move) AS _reset
    FROM ${names.chainSql} AS c JOIN ${model.history} AS h ON ${sameKey(model, "h", "c")} AND (c._below IS NULL OR h._version < c._below)) AS l
  WHERE l._op = 1 AND l._version > coalesce(l._reset, -1) AND l._version > ${floorOf(model)}`
}

/** Links that key moves with columns left behind add to the chains: the old key, below the delete that belongs to the move. */
const chainStep = (dialect: Dialect, model: Model, names: Names, move: number): string => {
  const old = model.key.map(
    ({ sql, type }, index) => `${dialect.parse(dialect.jsonAt("_moved_from", index), type)} AS ${sql}`
  )
  return `INSERT INTO ${names.chainSql} SELECT ${roots(model)}, ${old.join(", ")}, ${ordinalBefore("_version")} AS _below, ${move + 1}
  FROM (${liveQuery(model, names)}) AS live
  WHERE _move = ${move} AND _moved_from IS NOT NULL AND _unchanged IS NOT NULL`
}

/** One row per key that exists: version and metadata of its newest upsert, every column from its newest carrier. */
const foldQuery = (dialect: Dialect, model: Model, names: Names): string => {
  const own = "CASE WHEN _move = 0 THEN _version END"
  const isKey = (name: string) => model.table.key.includes(name)
  const values = model.columns
    .filter(({ name }) => !isKey(name))
    .flatMap(({ name, sql, column }) => {
      // The history of before a rename names the column as it was called then.
      const isLeftOut = [name, ...column.aliases].map((alias) => dialect.jsonHas("_unchanged", alias)).join(" OR ")
      const carrier = `CASE WHEN NOT (${isLeftOut}) THEN _version END`
      return [`${dialect.newest(sql, carrier)} AS ${sql}`, `max(${carrier}) AS ${dialect.id(`_from_${name}`)}`]
    })
  const keys = model.key.map(({ sql }, index) => `_root_${index} AS ${sql}`)
  const kept = keptMetadata.map((name) => `${dialect.newest(name, own)} AS ${name}`)
  return `SELECT ${[...keys, ...values, `max(${own}) AS _version`, ...kept].join(", ")}
  FROM (${liveQuery(model, names)}) AS live GROUP BY ${roots(model)} HAVING max(${own}) IS NOT NULL`
}

/** Names of the columns that no change ever carried, comma-separated; empty for a whole row. */
const missingColumns = (dialect: Dialect, model: Model): string => {
  const parts = model.columns
    .filter(({ name }) => !model.table.key.includes(name))
    .map(({ name }) => `CASE WHEN ${dialect.id(`_from_${name}`)} IS NULL THEN ${literal(`${name} `)} ELSE '' END`)
  return parts.length === 0 ? "''" : `(${parts.join(" || ")})`
}
