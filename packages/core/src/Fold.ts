import { Equal, Order } from "effect"
import { type Change, Version } from "./Change.ts"

/** Column values of a row by name. */
export type Columns = Readonly<Record<string, unknown>>

/** What is known of a key: its row, or that the row exists but a change before it, with some of its columns, is missing. */
export type Current<Row extends Columns> =
  | { readonly _tag: "Live"; readonly version: Version; readonly row: Row }
  | { readonly _tag: "Held"; readonly version: Version; readonly missing: ReadonlyArray<string> }

type Upsert<Row> = Extract<Change<Row>, { readonly op: "upsert" }>

/**
 * The current rows of one table by key: the meaning of laws K5 to K7, as a function of the set of its changes, whatever
 * their order, repetition and batching. Keys without a live or held row are absent. Written to be obviously right, not
 * fast: an engine's tables are compared with it. Takes for granted that `conflicts` finds none.
 */
export const fold = <Row extends Columns>(changes: Iterable<Change<Row>>): ReadonlyMap<string, Current<Row>> => {
  const history = aboveFloor(changes)
  const keys = new Set(history.flatMap((change) => (change.op === "truncate" ? [] : [change.key])))
  const rows = new Map<string, Current<Row>>()
  for (const key of keys) {
    const row = current(history, key)
    if (row !== undefined) rows.set(key, row)
  }
  return rows
}

/** `fold` of each table's changes, by table. Tables without rows are absent. */
export const foldTables = <Row extends Columns>(
  changes: Iterable<Change<Row>>
): ReadonlyMap<string, ReadonlyMap<string, Current<Row>>> => {
  const tables = new Map<string, ReadonlyMap<string, Current<Row>>>()
  for (const [table, ofTable] of Map.groupBy(changes, (change) => change.table)) {
    const rows = fold(ofTable)
    if (rows.size > 0) tables.set(table, rows)
  }
  return tables
}

/** Versions at which one key of a table has two different changes: an error of the source, never a choice. */
export const conflicts = <Row extends Columns>(
  changes: Iterable<Change<Row>>
): ReadonlyArray<{ readonly table: string; readonly version: Version }> => {
  const first = new Map<string, Change<Row>>()
  const found: Array<{ readonly table: string; readonly version: Version }> = []
  for (const change of changes) {
    const { epoch, position, ordinal, revision } = change.version
    const key = change.op === "truncate" ? null : change.key
    const place = JSON.stringify([change.table, key, epoch, String(position), ordinal, revision])
    const earlier = first.get(place)
    if (earlier === undefined) first.set(place, change)
    else if (!Equal.equals(earlier, change)) found.push({ table: change.table, version: change.version })
  }
  return found
}

/** Changes that the newest truncate does not supersede. */
const aboveFloor = <Row>(changes: Iterable<Change<Row>>): ReadonlyArray<Change<Row>> => {
  const all = [...changes]
  const floor = newest(all.filter((change) => change.op === "truncate"))
  return floor === undefined ? all : all.filter((change) => isNewer(change.version, floor.version))
}

/** The key's newest upsert decides whether it exists, unless a delete is newer. */
const current = <Row extends Columns>(history: ReadonlyArray<Change<Row>>, key: string): Current<Row> | undefined => {
  const upserts = upsertsSinceDelete(history, key)
  const last = newest(upserts)
  if (last === undefined) return undefined
  const values: Record<string, unknown> = {}
  const missing: Array<string> = []
  for (const column of new Set([...Object.keys(last.row), ...last.unchanged])) {
    const value = newestValue(history, upserts, column)
    if (value === undefined) missing.push(column)
    else values[column] = value.is
  }
  if (missing.length > 0) return { _tag: "Held", version: last.version, missing: missing.toSorted() }
  // Sound: the row has exactly the columns that its newest change names.
  return { _tag: "Live", version: last.version, row: values as Row }
}

/**
 * A column's value from the newest of a key's upserts that carries it. A row that moved here from another key has no
 * past of its own: what it did not carry, the old key knew before the delete that made room, one ordinal earlier.
 */
const newestValue = <Row extends Columns>(
  history: ReadonlyArray<Change<Row>>,
  upserts: ReadonlyArray<Upsert<Row>>,
  column: string
): { readonly is: unknown } | undefined => {
  for (const upsert of upserts.toSorted(Order.flip(byVersion))) {
    if (column in upsert.row && !upsert.unchanged.includes(column)) return { is: upsert.row[column] }
    if (upsert.movedFrom !== undefined) {
      const { epoch, position, ordinal } = upsert.version
      const madeRoom: Version = { epoch, position, ordinal: ordinal - 1, revision: -1 }
      const before = history.filter((change) => isNewer(madeRoom, change.version))
      return newestValue(before, upsertsSinceDelete(before, upsert.movedFrom), column)
    }
  }
  return undefined
}

/** The key's upserts that are newer than its newest delete. */
const upsertsSinceDelete = <Row>(history: ReadonlyArray<Change<Row>>, key: string): ReadonlyArray<Upsert<Row>> => {
  const deleted = newest(history.filter((change) => change.op === "delete" && change.key === key))
  return history
    .filter((change) => change.op === "upsert")
    .filter((upsert) => upsert.key === key && (deleted === undefined || isNewer(upsert.version, deleted.version)))
}

const byVersion = Order.mapInput(Version, (change: { readonly version: Version }) => change.version)

const isNewer = Order.isGreaterThan(Version)

const newest = <C extends { readonly version: Version }>(changes: ReadonlyArray<C>): C | undefined =>
  changes.toSorted(byVersion).at(-1)
