import type { Column } from "@northstar/core/Column"
import type { Table } from "@northstar/core/Table"
import type { Relation } from "../landing/Block.ts"
import { relation as makeRelation } from "../landing/BlockBuilder.ts"
import { maskText } from "./Tripwire.ts"

/** How the values of one column of a relation are treated. */
export interface ColumnRule {
  /** Name in reports: of the contract where it has the column. */
  readonly name: string
  /** `pci`: whole values become tokens; `scan`: card numbers within them; `pass`: nothing, the contract vouches for it. */
  readonly kind: "pci" | "scan" | "pass"
  /**
   * What a token must not break: JSON stays JSON, and digits behind a decimal point are no card number. `bytes` are hexadecimal
   * digits behind `\x`, in which a text cannot be seen: what they stand for is searched too.
   */
  readonly form: "json" | "number" | "text" | "bytes"
  /** A token cannot stand for such a value: the row is set aside. */
  readonly isFlagged: boolean
}

/** A column that is filled from the card number in another. */
export interface Part {
  readonly name: string
  readonly part: "last4" | "brand"
  /** The relation's column that holds the number. */
  readonly of: number
  /** The relation's column that it fills: behind the source's columns, or in the place of one of its name. */
  readonly target: number
}

/** How blocks of one relation are treated. */
export interface CardRules {
  /** Without card numbers in its names, and with the columns of `parts`. */
  readonly relation: Relation
  readonly columns: ReadonlyArray<ColumnRule>
  readonly parts: ReadonlyArray<Part>
  /** The key's columns in the order of `movedFrom`. */
  readonly key: ReadonlyArray<number>
}

/** The rules of a relation under its table's contract; without one every column is scanned. */
export const make = (table: Table | undefined, relation: Relation): CardRules => {
  const named = relation.columns.map((column) => ({ ...column, contract: contractOf(table, column.name) }))
  const columns = named.map(({ contract, key, name, type }): ColumnRule => {
    const column = contract?.column
    const form = formOf(column, type)
    const isText = column === undefined ? form !== "bytes" : column.type.kind === "text" || column.type.kind === "json"
    return {
      name: contract?.name ?? maskText(name),
      kind: column?.tag === "pci" ? "pci" : column?.scanned === false ? "pass" : "scan",
      form,
      isFlagged: key || !isText
    }
  })
  const key = columns.flatMap((_, index) => (relation.columns[index]?.key === true ? [index] : []))
  const place = (index: number) => {
    const found = table?.key.indexOf(columns[index]?.name ?? "") ?? -1
    return found < 0 ? columns.length + index : found
  }
  const parts = partsOf(table, columns)
  return {
    relation: withParts(relation, parts),
    columns,
    parts,
    key: key.toSorted((a, b) => place(a) - place(b))
  }
}

const contractOf = (table: Table | undefined, name: string) => {
  if (table === undefined) return undefined
  const own = table.columns[name]
  if (own !== undefined) return { name, column: own }
  const found = Object.entries(table.columns).find(([, { aliases }]) => aliases.includes(name))
  return found === undefined ? undefined : { name: found[0], column: found[1] }
}

const formOf = (column: Column | undefined, type: string): ColumnRule["form"] => {
  const kind = column?.type.kind
  if (kind === "json" || /^jsonb?$/.test(type)) return "json"
  if (kind === "bytes" || type === "bytea") return "bytes"
  const isNumber = kind === "float32" || kind === "float64" || kind === "decimal"
  return isNumber || /^(real|double precision|numeric)/.test(type) ? "number" : "text"
}

const partsOf = (table: Table | undefined, columns: ReadonlyArray<ColumnRule>): ReadonlyArray<Part> => {
  let added = 0
  return Object.entries(table?.columns ?? {}).flatMap(([name, { cardPart }]): ReadonlyArray<Part> => {
    const of = columns.findIndex((column) => column.kind === "pci" && column.name === cardPart?.of)
    if (cardPart === undefined || of < 0) return []
    const own = columns.findIndex((column) => column.name === name)
    return [{ name, part: cardPart.part, of, target: own < 0 ? columns.length + added++ : own }]
  })
}

/** The relation as it lands; the same one where nothing about it changes. */
const withParts = (relation: Relation, parts: ReadonlyArray<Part>): Relation => {
  const columns = relation.columns.map((column) => ({ ...column, name: maskText(column.name) }))
  const added = parts.filter(({ target }) => target >= columns.length)
  if (added.length === 0 && columns.every(({ name }, index) => name === relation.columns[index]?.name)) return relation
  return makeRelation(relation.table, [...columns, ...added.map(({ name }) => ({ name, type: "text", key: false }))])
}
