import { Schema } from "effect"

/**
 * What a column holds, independent of any engine. `text` is also the lossless home of every source type that has no
 * better one (intervals, arrays, ranges, enums): the source's own text, unchanged.
 */
export type ColumnType =
  | {
      readonly kind:
        | "int16"
        | "int32"
        | "int64"
        | "float32"
        | "float64"
        | "boolean"
        | "text"
        | "date"
        | "time"
        | "timestamp"
        | "timestamptz"
        | "uuid"
        | "bytes"
        | "json"
    }
  /** `precision` is the number of digits (at most 38), `scale` those after the point. */
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }

/** One column of a table's contract. */
export interface Column<out T = unknown> {
  readonly type: ColumnType
  readonly nullable: boolean
  /** Segments written before the column existed may lack it; it is NULL there. */
  readonly optional: boolean
  /** `pci` may become durable only as a token; `pii` is masked for roles without the right to see it. */
  readonly tag: "pci" | "pii" | undefined
  /** Names the column had at the source before. */
  readonly aliases: ReadonlyArray<string>
  /** `false`: card numbers are not looked for here, see `notCard`. */
  readonly scanned: boolean
  /** Filled at capture from the card number in another column, never read from the source. */
  readonly cardPart: { readonly of: string; readonly part: "last4" | "brand" } | undefined
  /** Decodes the source's text; carries the type of the value in a row. */
  readonly schema: Schema.Codec<T, string | null>
}

const column = <T>(type: ColumnType, schema: Schema.Codec<T, string>): Column<T> => ({
  type,
  nullable: false,
  optional: false,
  tag: undefined,
  aliases: [],
  scanned: true,
  cardPart: undefined,
  schema
})

const IntText = Schema.FiniteFromString.check(Schema.isInt())

/** −32,768 to 32,767. */
export const int16: Column<number> = column({ kind: "int16" }, IntText)
/** −2³¹ to 2³¹ − 1. */
export const int32: Column<number> = column({ kind: "int32" }, IntText)
/** −2⁶³ to 2⁶³ − 1; a bigint in rows. */
export const int64: Column<bigint> = column({ kind: "int64" }, Schema.BigIntFromString)
/** Exact decimal with `scale` digits after the point, `precision` (at most 38) in all; text in rows, so that no digit is lost. */
export const decimal = (precision: number, scale: number): Column<string> =>
  column({ kind: "decimal", precision, scale }, Schema.String)
/** IEEE 754 single. */
export const float32: Column<number> = column({ kind: "float32" }, Schema.NumberFromString)
/** IEEE 754 double. */
export const float64: Column<number> = column({ kind: "float64" }, Schema.NumberFromString)
/** True or false; `t` or `f` in the source's text. */
export const boolean: Column<string> = column({ kind: "boolean" }, Schema.Literals(["t", "f"]))
/** Any text, and the lossless home of types without a better one. */
export const text: Column<string> = column({ kind: "text" }, Schema.String)
/** Calendar day. */
export const date: Column<string> = column({ kind: "date" }, Schema.String)
/** Time of day, microseconds. */
export const time: Column<string> = column({ kind: "time" }, Schema.String)
/** Date and time of day without a zone, microseconds. */
export const timestamp: Column<string> = column({ kind: "timestamp" }, Schema.String)
/** Instant, microseconds. */
export const timestamptz: Column<string> = column({ kind: "timestamptz" }, Schema.String)
/** RFC 9562 UUID. */
export const uuid: Column<string> = column({ kind: "uuid" }, Schema.String)
/** Bytes; `\x` and hexadecimal digits in the source's text. */
export const bytes: Column<string> = column({ kind: "bytes" }, Schema.String)
/** JSON, kept as the source's text: numbers keep all their digits. */
export const json: Column<string> = column({ kind: "json" }, Schema.String)

/** May be NULL. */
export const nullable = <T>(of: Column<T>): Column<T | null> => ({
  ...of,
  nullable: true,
  schema: Schema.NullOr(of.schema)
})

/** May be absent from segments written before the column was added; such rows hold NULL. */
export const optional = <T>(of: Column<T>): Column<T | null> => ({ ...nullable(of), optional: true })

/** Personal data: masked for roles without the right to see it. */
export const pii = <T>(of: Column<T>): Column<T> => ({ ...of, tag: "pii" })

/**
 * Card data, a text: a card number becomes durable only as its token, anything else in the column (verification values,
 * track data) as NULL. A capture without keys refuses the table.
 */
export const pci = <T>(of: Column<T>): Column<T> => ({ ...of, tag: "pci" })

/** The last four digits of the card number in a `pci` column of the same table; NULL where there is none. */
export const cardLast4Of = (column: string): Column<string | null> => ({
  ...optional(text),
  cardPart: { of: column, part: "last4" }
})

/** The brand (`visa`, `mastercard`, …) of the card number in a `pci` column of the same table; NULL where it is not known. */
export const cardBrandOf = (column: string): Column<string | null> => ({
  ...optional(text),
  cardPart: { of: column, part: "brand" }
})

/** Whether the warehouse holds what the source holds: a token, and a part of a card number, is made at capture. */
export const isVerbatim = ({ cardPart, tag }: Column): boolean => tag !== "pci" && cardPart === undefined

/**
 * Known to hold digits that are no card numbers, such as the codes of products: no card number is looked for. The risk is
 * the contract's: a card number that does get there lands as it is.
 */
export const notCard = <T>(of: Column<T>): Column<T> => ({ ...of, scanned: false })

/** The column was called so at the source before. */
export const renamedFrom = <T>(of: Column<T>, ...names: ReadonlyArray<string>): Column<T> => ({
  ...of,
  aliases: [...of.aliases, ...names]
})
