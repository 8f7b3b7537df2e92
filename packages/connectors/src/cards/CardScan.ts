import { Option } from "effect"
import type { TextColumn } from "../landing/Block.ts"
import type { CardKeys } from "./CardKeys.ts"
import type { ColumnRule } from "./CardRules.ts"
import { digitsMin } from "./IssuerRanges.ts"
import * as PackedDigits from "./PackedDigits.ts"
import { type Edit, edited, ValueCursor } from "./TextValues.ts"
import * as Token from "./Token.ts"
import { type Hit, hitsIn, hitsOfRun, removed, replaced, Runs } from "./Tripwire.ts"

/** What a scan found: the column without it, and per row that held some, what it was. */
export interface Scanned {
  readonly column: TextColumn
  readonly rows: ReadonlyMap<number, Hit["kind"]>
}

/** Looks for card data in a column's values; `undefined` where there is none, and then nothing was copied. */
export const scan = (
  column: TextColumn,
  form: ColumnRule["form"],
  keys: Option.Option<CardKeys>
): Scanned | undefined => {
  if (form !== "bytes") return scanTexts(column, form, keys)
  const encoded = scanBytes(column, keys)
  // What is not in PostgreSQL's hexadecimal form is a text, and so may be a value that is nothing but digits.
  const texts = scanTexts(encoded?.column ?? column, "text", keys)
  if (encoded === undefined || texts === undefined) return texts ?? encoded
  return { column: texts.column, rows: new Map([...texts.rows, ...encoded.rows]) }
}

/** The whole of a value with card data among its bytes becomes what stands for that: no part of it is a text. */
const scanBytes = (column: TextColumn, keys: Option.Option<CardKeys>): Scanned | undefined => {
  const cursor = new ValueCursor(column)
  const edits: Array<Edit> = []
  const rows = new Map<number, Hit["kind"]>()
  while (cursor.next()) {
    const { end, row, start } = cursor
    const found = ofBytes(column.bytes.subarray(start, end), keys)
    if (found === undefined) continue
    rows.set(row, found.kind)
    edits.push({ row, start, end, value: found.value })
  }
  return edits.length === 0 ? undefined : { column: edited(column, edits), rows }
}

/** What stands for a value of bytes, as PostgreSQL writes them, that holds card data; else `undefined`. */
export const ofBytes = (
  value: Uint8Array,
  keys: Option.Option<CardKeys>
): { readonly value: Uint8Array; readonly kind: Hit["kind"] } | undefined => {
  if (value.length < 2 + digitsMin || value[0] !== 0x5c || value[1] !== 0x78) return undefined
  const bytes = Buffer.from(Buffer.from(value.buffer, value.byteOffset, value.length).toString("latin1", 2), "hex")
  const hits = [...hitsIn(bytes, 0, bytes.length), ...PackedDigits.hitsIn(value.subarray(2), bytes)]
  if (hits.length === 0) return undefined
  const kind = hits.some((hit) => hit.kind === "track_data") ? "track_data" : "card_number"
  return { value: Buffer.from(hits.map(textFor(keys)).join(" ")), kind }
}

/** The bytes of all values are searched as one: only where a stretch of digits is long enough, the value around it is looked up. */
const scanTexts = (
  column: TextColumn,
  form: ColumnRule["form"],
  keys: Option.Option<CardKeys>
): Scanned | undefined => {
  const { bytes } = column
  const runs = new Runs(bytes, 0, bytes.length)
  const cursor = new ValueCursor(column)
  const edits: Array<Edit> = []
  const rows = new Map<number, Hit["kind"]>()
  let hits: Array<Hit> = []
  const close = () => {
    if (hits.length === 0) return
    rows.set(cursor.row, hits.some(({ kind }) => kind === "track_data") ? "track_data" : "card_number")
    edits.push({
      row: cursor.row,
      start: cursor.start,
      end: cursor.end,
      value: without(bytes, cursor, hits, form, keys)
    })
    hits = []
  }
  while (runs.next()) {
    while (cursor.end <= runs.start) {
      close()
      if (!cursor.next()) break
    }
    for (const hit of hitsOfRun(bytes, cursor.start, cursor.end, runs)) {
      const isNew = hit.from >= (hits.at(-1)?.to ?? 0)
      if (isNew && !isFraction(bytes, cursor.start, hit, form)) hits.push(hit)
    }
  }
  close()
  return edits.length === 0 ? undefined : { column: edited(column, edits), rows }
}

/** The text that stands for a hit: its token, or with no keys, or of track data, that something was removed. */
export const textFor =
  (keys: Option.Option<CardKeys>) =>
  ({ digits, kind }: Hit): string =>
    kind === "card_number" && Option.isSome(keys) ? Token.tokenise(digits, keys.value) : removed[kind]

const without = (
  bytes: Uint8Array,
  { end, start }: { readonly start: number; readonly end: number },
  hits: ReadonlyArray<Hit>,
  form: ColumnRule["form"],
  keys: Option.Option<CardKeys>
): Uint8Array => {
  const text = textFor(keys)
  if (form !== "json") return replaced(bytes, start, end, hits, text)
  const literals = new Set<Hit>()
  const widened = hits.map((hit) => {
    if (isInString(bytes, start, hit.from)) return hit
    const literal = numberAround(bytes, start, end, hit)
    literals.add(literal)
    return literal
  })
  return replaced(bytes, start, end, widened, (hit) => (literals.has(hit) ? JSON.stringify(text(hit)) : text(hit)))
}

/** Digits right behind a number's decimal point are no card number. In texts they may be: there a point is a mere sign. */
const isFraction = (bytes: Uint8Array, start: number, { from }: Hit, form: ColumnRule["form"]): boolean => {
  if (form === "text" || from < start + 2 || bytes[from - 1] !== 0x2e) return false
  const before = bytes[from - 2] as number
  return before >= 0x30 && before <= 0x39 && (form === "number" || !isInString(bytes, start, from))
}

/** Whether a place in a JSON text is within a string. */
const isInString = (bytes: Uint8Array, start: number, at: number): boolean => {
  let isIn = false
  for (let index = start; index < at; index++) {
    if (bytes[index] === 0x22) isIn = !isIn
    else if (isIn && bytes[index] === 0x5c) index++
  }
  return isIn
}

/** The whole JSON number that a hit is part of: a token in its place must be a string. */
const numberAround = (bytes: Uint8Array, start: number, end: number, hit: Hit): Hit => {
  const isPart = (byte: number | undefined) => byte !== undefined && /[\d+.eE-]/.test(String.fromCharCode(byte))
  let { from, to } = hit
  while (from > start && isPart(bytes[from - 1])) from--
  while (to < end && isPart(bytes[to])) to++
  return { ...hit, from, to }
}
