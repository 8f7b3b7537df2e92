import type { ColumnType } from "@northstar/core/Column"
import type { Columns, Table } from "@northstar/core/Table"
import { hasClock } from "./Formats.ts"

/**
 * How one partner's export files become rows of one table. Plain data. The table's columns are an allowlist: a column of
 * the file that no contract column names (its own name, or one of `Column.renamedFrom`) is never captured.
 */
export interface FileContract {
  /** Names the contract in the discovery log; unique in its source. */
  readonly name: string
  readonly table: Table
  /** Which objects of the drop folder are this contract's: keys that start with `prefix` and go on as `glob` says. */
  readonly keys: { readonly prefix: string; readonly glob: string }
  /** One ASCII character. */
  readonly delimiter: string
  /** One ASCII character, or `none` where quotes are ordinary text. */
  readonly quote: string
  /** What the bytes are when no byte order mark says so. */
  readonly encoding: Encoding
  /** IANA zone of local times in the file and in its name. */
  readonly zone: string
  /** Names of the file's columns in order, where its files have no header line. */
  readonly header: ReadonlyArray<string> | undefined
  /** By column of the table: how the file writes it. */
  readonly formats: Readonly<Record<string, Format>>
  /** By column of the table: what the source itself writes into it, whatever the file holds. */
  readonly fill: Readonly<Record<string, Fill>>
  /** Unquoted texts that mean NULL, besides the empty one. */
  readonly nulls: ReadonlyArray<string>
  readonly order: FileOrder
  readonly redelivery: Redelivery
  readonly control: Control
  readonly limits: Limits
}

export type Encoding = "utf-8" | "windows-1252" | "latin1" | "utf-16le" | "utf-16be"

/**
 * How a file writes a column. A text that is not exactly so stays as it is, and its row is set aside as
 * `unparseable:<column>`.
 */
export type Format =
  /**
   * Date and time: `yyyy MM dd HH mm ss` and `SSS` (1 to 6 digits) stand for digits, `d` and `M` for one or two, anything else
   * for itself, such as `dd.MM.yyyy HH:mm`. `iso` takes ISO 8601 with or without an offset. Without an offset it is local time in the
   * contract's zone: the earlier of two in the hour that occurs twice, none in the hour that is left out.
   */
  | { readonly kind: "time"; readonly pattern: string }
  /** Decimal number with its decimal sign, and the sign between groups of three digits if there is one. */
  | { readonly kind: "number"; readonly decimal: "," | "."; readonly group?: "," | "." | " " | "'" }
  /** The texts of true and of false. */
  | { readonly kind: "boolean"; readonly true: ReadonlyArray<string>; readonly false: ReadonlyArray<string> }

/** `file`: key of the object (card numbers masked); `line`: line of the file at which the row starts, from 1; or a fixed text. */
export type Fill = "file" | "line" | { readonly constant: string }

/**
 * What decides which of two rows of a key is newer, to the second; then the order of discovery decides, then the row's place in
 * its file. By a time column of the row; by the time in the file's name (named groups `year month day hour minute second`, the last three
 * optional); or by the time at which the object was written.
 */
export type FileOrder =
  | { readonly by: "column"; readonly column: string }
  | { readonly by: "name"; readonly pattern: RegExp }
  | { readonly by: "modified" }

/**
 * What new content under a known key means. `corrects`: its rows count, others stay. `replaces`: rows of the delivery
 * before that the new one lacks are deleted.
 */
export type Redelivery = "corrects" | "replaces"

/** How a partner says that a file is whole. */
export type Control =
  | { readonly kind: "none" }
  /**
   * The last row: its first field is `mark`, the field at index `count` holds the number of rows before it, the field at `sum.field`
   * the sum of a column. Indices from 0.
   */
  | {
      readonly kind: "trailer"
      readonly mark: string
      readonly count: number
      readonly sum?: { readonly field: number; readonly column: string }
    }
  /**
   * An object of the same key plus `suffix`, without which a file is not taken. `pattern` finds in its text the group
   * `rows`, and `sum` where `sumOf` names the column.
   */
  | { readonly kind: "sidecar"; readonly suffix: string; readonly pattern: RegExp; readonly sumOf?: string }

/** Beyond these a file is refused. */
export interface Limits {
  /** Bytes of the file when unpacked. */
  readonly bytesMax: number
  /** Bytes out of one byte in, when unpacking. */
  readonly ratioMax: number
  /** Bytes of one row. */
  readonly rowBytesMax: number
}

/** What a file contract says beyond its defaults. */
export interface Options<C extends Columns> {
  /** The table's name by default: to be said where several contracts feed one table. */
  readonly name?: string
  readonly table: Table<C>
  readonly prefix: string
  /** `*` is any run of characters but `/`, `?` any one; `*.csv*` by default. */
  readonly glob?: string
  readonly delimiter?: string
  readonly quote?: string
  readonly encoding?: Encoding
  readonly zone?: string
  readonly header?: ReadonlyArray<string>
  /** A text is short for a date and time of that pattern, or with `,` or `.` for a number with that decimal sign. */
  readonly formats?: { readonly [K in keyof C & string]?: Format | string }
  readonly fill?: { readonly [K in keyof C & string]?: Fill }
  readonly nulls?: ReadonlyArray<string>
  readonly order?: FileOrder & { readonly column?: keyof C & string }
  readonly redelivery?: Redelivery
  readonly control?: Control
  readonly limits?: Partial<Limits>
}

/** A contract; what is not said is comma-separated UTF-8 with `"` quotes, UTC, ordered by the object's time. */
export const make = <const C extends Columns>(options: Options<C>): FileContract => ({
  name: options.name ?? options.table.name,
  table: options.table,
  keys: { prefix: options.prefix, glob: options.glob ?? "*.csv*" },
  delimiter: options.delimiter ?? ",",
  quote: options.quote ?? '"',
  encoding: options.encoding ?? "utf-8",
  zone: options.zone ?? "UTC",
  header: options.header,
  formats: formats(options.table, options.formats ?? {}),
  fill: Object.fromEntries(
    Object.entries(options.fill ?? {}).filter((entry): entry is [string, Fill] => entry[1] !== undefined)
  ),
  nulls: options.nulls ?? [],
  order: options.order ?? { by: "modified" },
  redelivery: options.redelivery ?? "corrects",
  control: options.control ?? { kind: "none" },
  limits: { bytesMax: 64 * 1024 ** 3, ratioMax: 250, rowBytesMax: 4 * 1024 ** 2, ...options.limits }
})

/** Instants are always read by a format: without one a local time would silently pass for UTC. */
const formats = (
  table: Table,
  given: Readonly<Record<string, Format | string | undefined>>
): FileContract["formats"] => {
  const all: Record<string, Format> = {}
  for (const [name, { type }] of Object.entries(table.columns)) {
    const format = given[name] ?? (type.kind === "timestamptz" ? "iso" : undefined)
    if (format !== undefined) all[name] = typeof format === "string" ? short(format) : format
  }
  return all
}

const short = (text: string): Format =>
  text === "," || text === "." ? { kind: "number", decimal: text } : { kind: "time", pattern: text }

/** Kinds of columns that a time can be written into. */
const timeKinds: ReadonlySet<ColumnType["kind"]> = new Set(["timestamptz", "timestamp", "date"])

/** What is wrong with a contract, for whoever wrote it; empty for a sound one. */
export const problems = (contract: FileContract): ReadonlyArray<string> => {
  const { table, delimiter, quote, order, control, formats } = contract
  const of = (name: string) => table.columns[name]
  const isSign = (text: string) => /^[\t\x20-\x7e]$/.test(text)
  const summed =
    control.kind === "trailer" ? control.sum?.column : control.kind === "sidecar" ? control.sumOf : undefined
  return [
    ...(isSign(delimiter) ? [] : [`the delimiter of ${table.name} is not one ASCII character`]),
    ...(quote === "none" || (isSign(quote) && quote !== delimiter)
      ? []
      : [`the quote of ${table.name} is not one ASCII character, or is its delimiter`]),
    ...(isZone(contract.zone) ? [] : [`${table.name}: ${contract.zone} is no time zone`]),
    ...Object.entries(formats)
      .filter(([name, format]) => format.kind === "time" && !timeKinds.has(of(name)?.type.kind ?? "text"))
      .map(([name]) => `${table.name}.${name} has the format of a time but holds none`),
    ...Object.entries(formats)
      .filter(([name, format]) => format.kind === "time" && of(name)?.type.kind === "date" && hasClock(format.pattern))
      .map(([name]) => `${table.name}.${name} is a date, and its format has a time of day that would be lost`),
    ...(order.by === "column" && formats[order.column]?.kind !== "time"
      ? [`${table.name} is ordered by ${order.column}, which has no time format`]
      : []),
    ...(summed !== undefined && of(summed) === undefined
      ? [`${table.name}: the sum's column ${summed} is none of the table's`]
      : []),
    // Which rows are gone is told by the keys' texts: two texts of one value would be a row and its deletion.
    ...(contract.redelivery === "replaces"
      ? table.key
          .filter((name) => !replacing.has(of(name)?.type.kind ?? "text"))
          .map((name) => `${table.name}.${name}: only texts and dates can be the key of files that replace others`)
      : []),
    // A correction could move a row back in time, below what the delivery before it said.
    ...(contract.redelivery === "replaces" && order.by === "column"
      ? [`${table.name} is ordered by a column, and files that replace others must be ordered as a whole`]
      : []),
    ...table.key
      .filter((name) => contract.fill[name] === "line")
      .map((name) => `${table.name}.${name}: a line number is no key`)
  ]
}

/** Kinds of key columns whose values have one text each. */
const replacing: ReadonlySet<ColumnType["kind"]> = new Set(["text", "date"])

const isZone = (zone: string): boolean => {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== ""
  } catch {
    return false
  }
}

/** Whether an object's key is one of the contract's files. */
export const matches = ({ keys, control }: FileContract, key: string): boolean =>
  key.startsWith(keys.prefix) &&
  globPattern(keys.glob).test(key.slice(keys.prefix.length)) &&
  !(control.kind === "sidecar" && key.endsWith(control.suffix))

const globPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", "[^/]*")
      .replaceAll("?", "[^/]")}$`,
    "u"
  )
