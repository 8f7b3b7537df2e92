import { type Relation } from "../landing/Block.ts"
import { relation as makeRelation } from "../landing/BlockBuilder.ts"
import { type Csv, doubled, malformed } from "./Csv.ts"
import type { FileContract } from "./FileContract.ts"
import { Refusal } from "./Refusal.ts"

/** Which field of a row each column of the table is, and what else the file has. */
export interface Header {
  /** By column of the relation: the field's index, or -1 where an optional column is missing. */
  readonly fields: ReadonlyArray<number>
  readonly width: number
  /** Columns that are not captured: by name where the name is plainly one, else by place. */
  readonly extra: ReadonlyArray<string>
}

/** The shape that a contract's rows land in: its table's columns, whatever a file lacks or adds. */
export const relation = ({ table }: FileContract): Relation =>
  makeRelation(
    table.source,
    Object.keys(table.columns).map((name) => ({ name, type: "text", key: table.key.includes(name) }))
  )

/** The names of the header line that `csv.next()` has just answered with `fields`. */
export const names = (csv: Csv, fields: number): ReadonlyArray<string> => {
  if (fields === malformed) throw new Refusal(`the header line cannot be read (${csv.problem})`)
  return Array.from({ length: fields }, (_, field) => {
    const text = csv.buffer.toString("utf8", csv.starts[field], csv.ends[field])
    if (text.includes("\0")) {
      throw new Refusal(
        "the header holds zero bytes, as UTF-16 text without a byte order mark does",
        "State the encoding in the file contract, then have the file read again"
      )
    }
    const quote = String.fromCharCode(csv.buffer[csv.ends[field] as number] as number)
    return (csv.kinds[field] === doubled ? text.replaceAll(quote + quote, quote) : text).trim()
  })
}

/** Finds the contract's columns among a file's; a missing or repeated one is a `Refusal`. */
export const resolve = (contract: FileContract, found: ReadonlyArray<string>): Header => {
  const { table, fill } = contract
  const taken = new Set<number>()
  const missing: Array<string> = []
  const fields = Object.entries(table.columns).map(([name, column]) => {
    if (fill[name] !== undefined) return -1
    const source = [name, ...column.aliases].find((candidate) => found.includes(candidate))
    if (source === undefined) {
      if (!column.optional || table.key.includes(name)) missing.push(name)
      return -1
    }
    const at = found.indexOf(source)
    if (found.lastIndexOf(source) !== at) throw new Refusal(`the file has the column of ${name} twice`, correct)
    taken.add(at)
    return at
  })
  if (missing.length > 0) {
    throw new Refusal(`the file lacks columns of ${table.name}: ${missing.join(", ")}`, correct)
  }
  const extra = found.flatMap((name, at) => (taken.has(at) ? [] : [isPlain(name) ? name : `column ${at + 1}`]))
  return { fields, width: found.length, extra }
}

const correct =
  "Ask the partner for a correct file; if its layout has changed, name the new columns by Column.renamedFrom in the contract, then have it read again"

/** A name that is surely a name, and no value of a file without a header. */
const isPlain = (name: string): boolean => /^[A-Za-z][A-Za-z_ ]{0,40}\d{0,3}$/.test(name)
