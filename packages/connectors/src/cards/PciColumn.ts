import { Option } from "effect"
import type { TextColumn } from "../landing/Block.ts"
import type { CardKeys } from "./CardKeys.ts"
import type { Part } from "./CardRules.ts"
import { brandOf } from "./IssuerRanges.ts"
import { type Edit, edited, fromTexts, textOf, ValueCursor } from "./TextValues.ts"
import * as Token from "./Token.ts"
import { maskText } from "./Tripwire.ts"

/** A `pci` column as it may land. */
export interface ProtectedColumn {
  readonly column: TextColumn
  /** The parts that were asked for, in their order. */
  readonly parts: ReadonlyArray<TextColumn>
  /** Rows whose value was no card number and is NULL now. */
  readonly dropped: ReadonlyArray<number>
}

/** Replaces every value of a column by its token, or by NULL; card numbers' parts are taken on the way. */
export const protect = (
  column: TextColumn,
  parts: ReadonlyArray<Part>,
  keys: Option.Option<CardKeys>
): ProtectedColumn => {
  const edits: Array<Edit> = []
  const dropped: Array<number> = []
  const texts = parts.map(() => Array.from({ length: column.present.length }, (): string | undefined => undefined))
  const cursor = new ValueCursor(column)
  while (cursor.next()) {
    const { end, row, start } = cursor
    const found = protectedText(textOf(column, cursor), keys)
    if (found === undefined) dropped.push(row)
    for (const [place, { part }] of parts.entries()) texts[place]![row] = partOf(found?.digits, part)
    edits.push({ row, start, end, value: found && Buffer.from(found.text) })
  }
  return { column: edited(column, edits), parts: texts.map(fromTexts), dropped }
}

/**
 * What stands for a value of a `pci` column: the token of a card number (12 to 19 digits, whatever the check digit says:
 * a mistyped number is still most of one), or a token that it is already; `undefined` for everything else.
 */
export const protectedText = (
  value: string,
  keys: Option.Option<CardKeys>
): { readonly text: string; readonly digits: string | undefined } | undefined => {
  if (Option.isNone(keys)) return undefined
  const text = value.trim()
  // A text that only looks like a token may hold a card number; that a true one does has odds of one in 10¹⁰.
  if (Token.versionOf(text) !== undefined) {
    return maskText(text) === text ? { text: Token.upgrade(text, keys.value), digits: undefined } : undefined
  }
  const digits = text.replaceAll(/[ \u00A0\u2000-\u200A\u202F\u2010-\u2015-]/g, "").replace(/^0+/, "")
  return /^\d{12,19}$/.test(digits) ? { text: Token.tokenise(digits, keys.value), digits } : undefined
}

const partOf = (digits: string | undefined, part: Part["part"]): string | undefined =>
  digits === undefined ? undefined : part === "last4" ? digits.slice(-4) : brandOf(digits)
