import type { ColumnType } from "@northstar/core/Column"
import type { Table } from "@northstar/core/Table"
import type { Segment } from "../landing/Segment.ts"

/** How a segment's relation fits a contract. */
export type Fit =
  | { readonly _tag: "Fits"; readonly added: ReadonlyArray<string> }
  | { readonly _tag: "Breaks"; readonly reason: string }

/** A relation's columns, as a commit record holds them. */
type Columns = Segment["columns"]

/** The column of the relation that feeds a contract's column: of its name, or of a name it had before. */
export const sourceColumn = (table: Table, name: string, columns: Columns): string | undefined =>
  [name, ...(table.columns[name]?.aliases ?? [])].find((candidate) =>
    columns.some((column) => column.name === candidate)
  )

/**
 * Whether changes of this shape can be loaded under the contract. `accepted` is the shape that the contract was last
 * loaded with: a retyped column breaks unless it only widened, or the contract holds it as text, or the contract was
 * edited since (`accepted` is then undefined).
 */
export const fit = (table: Table, columns: Columns, accepted: Columns | undefined): Fit => {
  for (const [name, column] of Object.entries(table.columns)) {
    const from = sourceColumn(table, name, columns)
    if (from === undefined) {
      if (column.optional) continue
      return breaks(`column ${name} is gone from ${table.source}`)
    }
    const now = columns.find((candidate) => candidate.name === from)
    const before = accepted?.find((candidate) => candidate.name === from)
    if (now && narrows(now.type, column.type)) {
      return breaks(`column ${name} of ${table.source} is ${now.type}, which its ${column.type.kind} would round`)
    }
    if (now && before && now.type !== before.type && column.type.kind !== "text" && !widens(before.type, now.type)) {
      return breaks(`column ${name} of ${table.source} changed its type from ${before.type} to ${now.type}`)
    }
  }
  const key = columns.filter((column) => column.key).map((column) => column.name)
  const wanted = table.key.map((name) => sourceColumn(table, name, columns))
  if (key.length !== wanted.length || wanted.some((name) => name === undefined || !key.includes(name))) {
    return breaks(`the primary key of ${table.source} is now (${key.join(", ")})`)
  }
  const known = new Set(Object.keys(table.columns).map((name) => sourceColumn(table, name, columns)))
  return { _tag: "Fits", added: columns.map((column) => column.name).filter((name) => !known.has(name)) }
}

const breaks = (reason: string): Fit => ({ _tag: "Breaks", reason })

const integers = ["smallint", "integer", "bigint"]
const sized = /^(character varying|character|numeric|timestamp|time)\((\d+)(?:,(\d+))?\)( with(?:out)? time zone)?$/

/** Whether values of a source type have digits that a floating-point column cannot hold: no cast would notice. */
const narrows = (source: string, { kind }: ColumnType): boolean =>
  (kind === "float32" && /^(double precision|numeric)/.test(source)) ||
  (kind === "float64" && source.startsWith("numeric"))

/** Whether every value of the type before is one of the type after: such a change loses nothing. */
const widens = (before: string, after: string): boolean => {
  const rank = integers.indexOf(before)
  if (rank >= 0 && integers.indexOf(after) > rank) return true
  if (before === "real" && after === "double precision") return true
  if (before.startsWith("character") && (after === "text" || after === "character varying")) return true
  const [, kindBefore, sizeBefore, scaleBefore, zoneBefore] = sized.exec(before) ?? []
  const [, kindAfter, sizeAfter, scaleAfter, zoneAfter] = sized.exec(after) ?? []
  return (
    kindBefore !== undefined &&
    kindBefore === kindAfter &&
    zoneBefore === zoneAfter &&
    Number(sizeAfter) >= Number(sizeBefore) &&
    (scaleBefore ?? "0") === (scaleAfter ?? "0")
  )
}

/** Text that changes whenever the contract does: what a parked table is compared by. */
export const fingerprint = (table: Table): string =>
  JSON.stringify([
    table.source,
    table.key,
    table.businessKey,
    table.event ?? null,
    table.checks,
    Object.entries(table.columns).map(([name, { type, nullable, optional, tag, aliases, cardPart }]) => [
      name,
      type,
      nullable,
      optional,
      tag ?? null,
      aliases,
      cardPart ?? null
    ])
  ])
