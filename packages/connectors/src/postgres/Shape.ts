import type { Table } from "@northstar/core/Table"
import type { Relation, RelationColumn } from "../landing/Block.ts"
import { type BlockBuilder, relation } from "../landing/BlockBuilder.ts"
import type { Tuple } from "./Tuple.ts"

/** A column as the stream describes it. */
export interface NamedColumn {
  readonly name: string
  readonly type: string
  readonly isKey: boolean
}

/** A relation as rows arrive in it. */
export interface Shape {
  /** `undefined`: none of our tables. */
  readonly relation: Relation | undefined
  /** Per column of the source: its column in the block, or −1 where it must not land. */
  readonly targets: ReadonlyArray<number>
  /** Columns of the source that are the primary key, in key order. */
  readonly key: ReadonlyArray<number>
  /** Where its rows go, once there are some. */
  builder: BlockBuilder | undefined
}

/**
 * With `REPLICA IDENTITY FULL` the server marks every column as key: there the contract says which they are. The key's
 * order is the contract's, too; the server does not tell it.
 */
export const make = (table: Table, columns: ReadonlyArray<NamedColumn>, isFull: boolean): Shape => {
  const isKey = (column: NamedColumn) => (isFull ? table.key.includes(column.name) : column.isKey)
  const kept: Array<RelationColumn> = []
  const targets = columns.map((column) => {
    if (!isNamed(table, column.name) && !isKey(column)) return -1
    return kept.push({ name: column.name, type: column.type, key: isKey(column) }) - 1
  })
  const order = (index: number) => {
    const place = table.key.indexOf(columns[index]?.name ?? "")
    return place < 0 ? table.key.length + index : place
  }
  const key = columns.flatMap((column, index) => (isKey(column) ? [index] : []))
  return {
    relation: relation(table.source, kept),
    targets,
    key: key.toSorted((a, b) => order(a) - order(b)),
    builder: undefined
  }
}

/** A relation that none of our tables is. */
export const ignored = (width: number): Shape => ({
  relation: undefined,
  targets: Array.from({ length: width }, () => -1),
  key: [],
  builder: undefined
})

const isNamed = (table: Table, name: string): boolean =>
  name in table.columns || Object.values(table.columns).some((column) => column.aliases.includes(name))

/** Whether an update changed the key: only then the old row counts as gone. */
export const isMoved = (shape: Shape, before: Tuple, fresh: Tuple): boolean =>
  shape.key.some((index) => fresh.isText(index) && !fresh.equals(index, before))

/** Fills a delete: only the key lands. */
export const writeKey = (shape: Shape, tuple: Tuple): void => {
  for (const index of shape.key) {
    const target = shape.targets[index] ?? -1
    if (target >= 0 && tuple.isText(index)) tuple.write(index, shape.builder, target)
  }
}

/** A column that the new row does not carry is taken from the old row where that was sent: it has not changed. */
export const writeValues = (shape: Shape, fresh: Tuple, before: Tuple | undefined): void => {
  const { builder, targets } = shape
  if (builder === undefined) return
  for (let index = 0; index < targets.length; index++) {
    const target = targets[index] as number
    if (target < 0) continue
    if (fresh.isText(index)) fresh.write(index, builder, target)
    else if (!fresh.isUnchanged(index)) continue
    else if (before?.isText(index) === true) before.write(index, builder, target)
    else builder.unchanged(target)
  }
}
