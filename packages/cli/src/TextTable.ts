/** A cell; numbers are written with their digits grouped, NULL as `∅`. */
export type Cell = string | number | boolean | null

/** Rows under their headings, aligned in columns; columns of numbers to the right. No row: the headings alone. */
export const render = (headings: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>): string => {
  const texts = rows.map((row) => row.map(cell))
  const widths = headings.map((heading, at) => Math.max(width(heading), ...texts.map((row) => width(row[at] ?? ""))))
  const isNumber = headings.map(
    (_, at) => rows.length > 0 && rows.every((row) => row[at] === null || isNumeric(row[at] ?? ""))
  )
  const line = (row: ReadonlyArray<string>) =>
    row
      .map((text, at) => {
        const blank = " ".repeat((widths[at] ?? 0) - width(text))
        return isNumber[at] === true ? `${blank}${text}` : `${text}${blank}`
      })
      .join("  ")
      .trimEnd()
  return [line(headings), line(widths.map((width) => "─".repeat(width))), ...texts.map(line)].join("\n")
}

/** A number with its digits grouped. */
export const count = (value: number): string => value.toLocaleString("en-US")

/** `1 row`, `2 rows`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** A span of milliseconds in the unit that fits. */
export const span = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return `${(ms / 3_600_000).toFixed(1)} h`
}

/** An instant in UTC, to the second; empty without one. */
export const instant = (ms: number | null): string =>
  ms === null ? "" : new Date(ms).toISOString().replace("T", " ").slice(0, 19)

const cellMax = 80

const cell = (value: Cell): string => {
  if (value === null) return "∅"
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(value)
  // A line break or an escape sequence of a value must not move the cursor.
  const text = String(value).replaceAll(/\p{Cc}/gu, "·")
  return width(text) > cellMax
    ? `${characters(text)
        .slice(0, cellMax - 1)
        .join("")}…`
    : text
}

const isNumeric = (value: Cell): boolean =>
  typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value))

const segmenter = new Intl.Segmenter("en")

const characters = (text: string): ReadonlyArray<string> =>
  Array.from(segmenter.segment(text), ({ segment }) => segment)

/** Plain ASCII, which nearly every cell is, needs no segmenting. */
const width = (text: string): number => (/^[ -~]*$/.test(text) ? text.length : characters(text).length)
