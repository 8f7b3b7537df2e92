import { Effect } from "effect"
import type { ColumnType } from "@northstar/core/Column"
import * as Column from "@northstar/core/Column"
import type { Table } from "@northstar/core/Table"
import { rowText } from "../warehouse/RowText.ts"
import type { Connection } from "./Connection.ts"
import { type KeyRange, order, within } from "./KeyRange.ts"
import { id, literal, relation } from "./Sql.ts"

/** Only rows whose `column` is at least `bound` (the source's text of a value); rows with NULL there are left out. */
export interface Recent {
  readonly column: string
  readonly bound: string
}

/** Which rows of a table to read. Every read is one statement under the session's statement and lock timeouts. */
export interface Scope {
  readonly range: KeyRange
  readonly recent?: Recent
}

/** Order-independent digest of the rows of a range. */
export interface Digest {
  readonly rows: number
  /** Sum of the rows' digests, each below 2⁶⁰. */
  readonly checksum: bigint
}

/** Between which WAL positions rows were read. */
export interface Moment {
  /** Before the read: a commit at or below it was seen, unless it was not visible yet (a moment after its WAL, longer while it waits for a synchronous standby). */
  readonly lsn: bigint
  /** After the read: no commit above it was seen. */
  readonly lsnThrough: bigint
}

/** One row of a range: the source's texts of its key, in key order, and its digest. */
export interface KeyDigest {
  readonly key: ReadonlyArray<string>
  readonly digest: bigint
}

/** Counts and digests the rows of some ranges, each by itself, in one statement. */
export const digests = Effect.fn("Auditor.digests")(function* (
  connection: Connection,
  table: Table,
  scopes: ReadonlyArray<Scope>
) {
  // A scan of its own for each range, which the index serves: to find a row's range by its key costs as much as its digest.
  const scans = scopes.map(
    (scope, index) =>
      `SELECT ${index} AS n, count(*)::text, coalesce(sum(digest), 0)::text
     FROM (SELECT ${rowDigest(table)} AS digest FROM ${relation(table.source)} WHERE ${condition(table, scope)}) t`
  )
  const rows = yield* connection.query(`${scans.join("\nUNION ALL ")} ORDER BY n`)
  return rows.map(([, count, checksum]): Digest => ({ rows: Number(count), checksum: BigInt(checksum ?? 0) }))
})

/** Reads between two positions of the WAL. */
const between = Effect.fnUntraced(function* <A, E>(connection: Connection, read: Effect.Effect<A, E>) {
  const lsn = yield* connection.query(walPosition("pg_current_wal_lsn()"))
  const found = yield* read
  // Inserted, not yet written: a commit that did not wait for the disk is visible before its WAL is written.
  const through = yield* connection.query(walPosition("pg_current_wal_insert_lsn()"))
  return { found, lsn: BigInt(lsn[0]?.[0] ?? 0), lsnThrough: BigInt(through[0]?.[0] ?? 0) }
})

/**
 * The keys of a range with their digests, in the source's key order: the first `rowsMax` of them, so that a full answer
 * is continued after its last key.
 */
export const keys = Effect.fn("Auditor.keys")(function* (
  connection: Connection,
  table: Table,
  scope: Scope & { readonly rowsMax: number }
) {
  const { found, ...moment } = yield* between(
    connection,
    connection.query(
      `SELECT ${rowDigest(table)}::text, ${keyTexts(table)} FROM ${relation(table.source)} t
     WHERE ${condition(table, scope)} ORDER BY ${order(table.key)} LIMIT ${scope.rowsMax}`
    )
  )
  const keys = found.map(([digest, ...key]): KeyDigest => ({
    key: key.map((text) => text ?? ""),
    digest: BigInt(digest ?? 0)
  }))
  return { keys, ...moment }
})

/** Keys looked up by one statement. */
const keysPerRead = 500

/**
 * The rows of some keys as they are between `lsn` and `lsnThrough`, by the JSON of their key texts; keys without a row
 * are absent.
 */
export const rows = Effect.fn("Auditor.rows")(function* (
  connection: Connection,
  table: Table,
  wanted: ReadonlyArray<ReadonlyArray<string>>
) {
  const digests = new Map<string, bigint>()
  const pages = Array.from({ length: Math.ceil(wanted.length / keysPerRead) }, (_, page) => page * keysPerRead)
  const read = Effect.forEach(pages, (start) => {
    const list = wanted.slice(start, start + keysPerRead).map((key) => `(${key.map(literal).join(", ")})`)
    const found = connection.query(
      `SELECT ${rowDigest(table)}::text, ${keyTexts(table)} FROM ${relation(table.source)}
       WHERE (${table.key.map(id).join(", ")}) IN (${list.join(", ")})`
    )
    return Effect.map(found, (rows) => {
      for (const [digest, ...key] of rows) digests.set(JSON.stringify(key), BigInt(digest ?? 0))
    })
  })
  const { lsn, lsnThrough } = yield* between(connection, read)
  return { digests, lsn, lsnThrough }
})

/**
 * Keys that cut the start of a scope into parts of `rowsPerPart` rows, ascending, at most `partsMax`: one walk over the
 * index. Fewer cuts than that: behind the last lies less than one part.
 */
export const cuts = Effect.fn("Auditor.cuts")(function* (
  connection: Connection,
  table: Table,
  scope: Scope & { readonly rowsPerPart: number; readonly partsMax: number }
) {
  // Columns by number: no name of a key's column can stand for another.
  const parts = table.key.map((_, index) => `k${index}`)
  const rows = yield* connection.query(
    `SELECT ${parts.map((part) => `concat(${part})`).join(", ")} FROM (
       SELECT ${order(table.key)}, row_number() OVER (ORDER BY ${order(table.key)}) FROM ${relation(table.source)} t
       WHERE ${condition(table, scope)} ORDER BY ${order(table.key)} LIMIT ${scope.rowsPerPart * scope.partsMax}
     ) AS walk(${parts.join(", ")}, n) WHERE n % ${scope.rowsPerPart} = 0 ORDER BY n`
  )
  return rows.map((row) => row.map((text) => text ?? ""))
})

/**
 * The canonical text of a source value, the same text that `canonicalDuckDb` gives of the curated value; see there for
 * the forms. A decimal with more digits than the contract's scale, which curated cannot hold, keeps them. NULL stays
 * NULL.
 */
export const canonicalPostgres = (value: string, type: ColumnType): string => {
  switch (type.kind) {
    case "text":
    case "json":
      // The type's output function, as replication uses it: casts to text would strip blanks of character(n).
      return `CASE WHEN ${value} IS NOT NULL THEN concat(${value}) END`
    case "int16":
    case "int32":
    case "int64":
    case "uuid":
      return `${value}::text`
    case "decimal": {
      const rounded = `round(${value}::numeric, ${type.scale})`
      return `CASE WHEN ${rounded} = ${value}::numeric THEN ${rounded} ELSE ${value}::numeric END::text`
    }
    case "boolean":
      return `CASE WHEN ${value} THEN 't' WHEN NOT ${value} THEN 'f' END`
    case "date":
      return `CASE WHEN isfinite(${value}) THEN (${value} - date '1970-01-01')::text ELSE ${value}::text END`
    case "time":
      return microseconds(value)
    case "timestamp":
    case "timestamptz":
      return `CASE WHEN isfinite(${value}) THEN ${microseconds(value)} ELSE ${value}::text END`
    case "float32":
      return float(value, `float4send(${value}::float4)`)
    case "float64":
      return float(value, `float8send(${value}::float8)`)
    case "bytes":
      return `encode(${value}, 'hex')`
  }
}

/** A non-negative bigint below 2⁶⁰: the first 15 hex digits of the MD5 of the text's UTF-8 bytes. */
export const digestPostgres = (text: string): string =>
  `('x' || left(md5(convert_to(${text}, 'UTF8')), 15))::bit(60)::bigint`

/** Exact: `extract` gives a numeric with six digits since PostgreSQL 14. */
const microseconds = (value: string): string => `(extract(epoch FROM ${value}) * 1000000)::bigint::text`

const float = (value: string, bytes: string): string =>
  `CASE WHEN ${value} = 'NaN' THEN 'nan' WHEN ${value} = 0 THEN '0' ELSE encode(${bytes}, 'hex') END`

const rowDigest = (table: Table): string =>
  digestPostgres(
    rowText(
      Object.entries(table.columns).flatMap(([name, column]) =>
        Column.isVerbatim(column) ? [canonicalPostgres(id(name), column.type)] : []
      )
    )
  )

const keyTexts = (table: Table): string => table.key.map((name) => `concat(${id(name)})`).join(", ")

const condition = (table: Table, scope: Scope): string =>
  scope.recent === undefined
    ? within(table.key, scope.range)
    : `${within(table.key, scope.range)} AND ${id(scope.recent.column)} >= ${literal(scope.recent.bound)}`

const walPosition = (position: string): string => `SELECT (${position} - '0/0'::pg_lsn)::text`
