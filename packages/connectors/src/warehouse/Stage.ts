import { type Check, name as checkName } from "@northstar/core/Check"
import type { Segment } from "../landing/Segment.ts"
import { sourceColumn } from "./Contract.ts"
import { type Dialect, literal } from "./Dialect.ts"
import { type Model, versionSql } from "./Model.ts"
import type { AttachedSegment } from "./Warehouse.ts"

/** Columns of a table's stage, with types, in the order of `stageQuery`. */
export const stageColumns = (dialect: Dialect, model: Model): ReadonlyArray<readonly [sql: string, type: string]> => {
  const text = dialect.type({ kind: "text" })
  const instant = dialect.type({ kind: "timestamptz" })
  return [
    ["_segment", text],
    ["_row", dialect.type({ kind: "int64" })],
    ["_op", dialect.type({ kind: "int16" })],
    ["_version", dialect.versionType],
    ["_source_commit_at", instant],
    ["_ingested_at", instant],
    ["_unchanged", text],
    ["_moved_from", text],
    ...model.columns.map(({ sql, type }) => [sql, dialect.type(type)] as const),
    ["_event_at", instant],
    ["_business_date", dialect.type({ kind: "date" })],
    ["_business_zone", text],
    ["_reason", text],
    ["_broken_key", text],
    ["_outcome", text]
  ]
}

/** Segments that one statement reads at most: their list alone is then a quarter of the megabyte that Snowflake takes. */
const segmentsMax = 1_000

/** Segments that one query can read: of one relation, epoch and revision, in the order given. */
export const alike = (
  segments: ReadonlyArray<AttachedSegment>
): ReadonlyArray<readonly [AttachedSegment, ...Array<AttachedSegment>]> => {
  const groups = Map.groupBy(segments, ({ segment }) =>
    [segment.file.fingerprint, segment.epoch, segment.revision].join(" ")
  )
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / segmentsMax) }, (_, index) => {
      const start = index * segmentsMax
      // Sound: no group is empty.
      return group.slice(start, start + segmentsMax) as [AttachedSegment, ...Array<AttachedSegment>]
    })
  )
}

/**
 * The stage of one table from segments that are `alike`: every change of theirs with typed columns, `_version`, where it
 * came from (`_segment`, `_row`), `_reason`, which names the first thing wrong with the row, `_broken_key`, the text of an
 * unusable key, and `_outcome`, which publishing fills in. Nothing is dropped: what cannot be read is there with a reason.
 */
export const stageQuery = (
  dialect: Dialect,
  model: Model,
  segments: readonly [AttachedSegment, ...ReadonlyArray<AttachedSegment>]
): string => {
  const [{ segment }] = segments
  const parsed = model.columns.map(({ name, sql, type }) => {
    const from = sourceColumn(model.table, name, segment.columns)
    const source = segment.columns.find((column) => column.name === from)
    const text =
      source === undefined ? `CAST(NULL AS ${dialect.type({ kind: "text" })})` : `r.${dialect.id(source.name)}`
    return `${dialect.parse(text, type, source?.type)} AS ${sql}, ${text} AS ${raw(dialect, name)}`
  })
  const texts = `SELECT f._segment AS _segment, ${dialect.rowNumber} AS _row, _op,
    ${versionSql(dialect, segment.epoch, segment.revision + model.table.revision)} AS _version, ${dialect.instantOfUs("_committed_at")} AS _source_commit_at,
    ${dialect.instantOfUs("f._written_us")} AS _ingested_at, ${unchanged(dialect, model, segment)} AS _unchanged, _moved_from, _flagged,
    ${parsed.join(",\n    ")}
  FROM ${dialect.segments(segments)}`
  const typed = model.columns.map(({ sql }) => sql).join(", ")
  return `SELECT _segment, _row, _op, _version, _source_commit_at, _ingested_at, _unchanged, _moved_from, ${typed},
  ${eventColumns(dialect, model)},
  ${reason(dialect, model)} AS _reason, ${brokenKey(dialect, model)} AS _broken_key, CAST(NULL AS VARCHAR) AS _outcome
FROM (${texts}) AS parsed`
}

/** The columns that a change does not carry under the contract's names; NULL when they are none of the contract's. */
const unchanged = (dialect: Dialect, { table, columns }: Model, { columns: relation }: Segment): string => {
  const parts = columns.flatMap(({ name }) => {
    const from = sourceColumn(table, name, relation)
    if (from === undefined) return []
    return [`CASE WHEN ${dialect.jsonHas("_unchanged", from)} THEN ${literal(`,${JSON.stringify(name)}`)} ELSE '' END`]
  })
  const names = parts.join(" || ")
  return `CASE WHEN _unchanged IS NOT NULL AND ${names} <> '' THEN '[' || substr(${names}, 2) || ']' END`
}

/** The source's text of a key that has no typed value, so that two such rows stay two. */
const brokenKey = (dialect: Dialect, { key }: Model): string => {
  const isNull = key.map(({ sql }) => `${sql} IS NULL`).join(" OR ")
  return `CASE WHEN _op <> 3 AND (${isNull}) THEN ${dialect.jsonArray(key.map(({ name }) => raw(dialect, name)))} END`
}

/** The text a column had at the source, beside its typed value. */
const raw = (dialect: Dialect, name: string): string => dialect.id(`_raw_${name}`)

/** The row's event time, business date and zone, by the contract's event column. */
export const eventColumns = (dialect: Dialect, { table, columns }: Model): string => {
  const { event } = table
  const column = columns.find(({ name }) => name === event?.column)
  if (event === undefined || column === undefined) {
    return `CAST(NULL AS ${dialect.type({ kind: "timestamptz" })}) AS _event_at, CAST(NULL AS DATE) AS _business_date, CAST(NULL AS VARCHAR) AS _business_zone`
  }
  const { at, day } = dialect.event(column.sql, column.type, event.zone)
  return `${at} AS _event_at, ${day} AS _business_date, ${literal(event.zone)} AS _business_zone`
}

/** First reason why an upsert's row cannot be published, by the row alone. */
const reason = (dialect: Dialect, model: Model): string => {
  const isUpsert = "_op = 1"
  const carried = (name: string) => `NOT ${dialect.jsonHas("_unchanged", name)}`
  const keys = model.key.flatMap(({ name, sql }) => [
    `WHEN _op <> 3 AND ${raw(dialect, name)} IS NULL THEN ${literal(`null_key:${name}`)}`,
    `WHEN _op <> 3 AND ${sql} IS NULL THEN ${literal(`unparseable:${name}`)}`
  ])
  const others = model.columns.filter((column) => !model.key.includes(column))
  const values = others.flatMap(({ name, sql, type, column }) => [
    ...(type.kind === "text" || type.kind === "json"
      ? []
      : [
          `WHEN ${isUpsert} AND ${raw(dialect, name)} IS NOT NULL AND ${sql} IS NULL THEN ${literal(`unparseable:${name}`)}`
        ]),
    ...(column.nullable
      ? []
      : [`WHEN ${isUpsert} AND ${raw(dialect, name)} IS NULL AND ${carried(name)} THEN ${literal(`null:${name}`)}`])
  ])
  const checks = model.table.checks
    .filter((check) => check.severity === "quarantine")
    .map((check) => `WHEN ${isUpsert} AND ${violates(dialect, model, check)} THEN ${literal(checkName(check))}`)
  const flagged = "WHEN _op <> 3 AND _flagged IS NOT NULL THEN _flagged"
  return `CASE ${[flagged, ...keys, ...values, ...checks].join("\n  ")} END`
}

/** Whether a staged row breaks a check. NULL breaks only `NotNull`, and only where the change carries the column. */
export const violates = (dialect: Dialect, model: Model, check: Check): string => {
  const column = model.columns.find(({ name }) => name === check.column)!
  switch (check._tag) {
    case "NotNull":
      return `(${column.sql} IS NULL AND NOT ${dialect.jsonHas("_unchanged", column.name)})`
    case "OneOf":
      return `(${column.sql} IS NOT NULL AND ${column.sql} NOT IN (${check.values.map(literal).join(", ")}))`
    case "Between": {
      const bounds = [
        ...(check.min === undefined ? [] : [`${column.sql} < ${decimal(check.min)}`]),
        ...(check.max === undefined ? [] : [`${column.sql} > ${decimal(check.max)}`])
      ]
      return bounds.length === 0 ? "FALSE" : `(${bounds.join(" OR ")})`
    }
  }
}

/** A bound as a numeric literal; the contract's own text, checked to be a number. */
const decimal = (text: string): string => {
  if (!/^-?\d+(\.\d+)?$/.test(text))
    throw new TypeError(`a bound must be a decimal number, not ${JSON.stringify(text)}`)
  return text
}
