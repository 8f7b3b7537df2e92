import type { Version } from "./Change.ts"
import { everyRow, type Expectation } from "./Expectation.ts"

/** `warn` records, `quarantine` sets the broken row aside, `block` lets nothing of the batch be published. */
export type Severity = "warn" | "quarantine" | "block"

/**
 * An assertion about single rows, as data: an engine runs it in SQL over a stage, `expectation` runs it over rows in
 * memory, with the same verdicts. Bounds are decimal texts, both ends included. NULL satisfies all but `NotNull`.
 */
export type Check<Name extends string = string> =
  | { readonly _tag: "NotNull"; readonly column: Name; readonly severity: Severity }
  | {
      readonly _tag: "Between"
      readonly column: Name
      readonly min: string | undefined
      readonly max: string | undefined
      readonly severity: Severity
    }
  | {
      readonly _tag: "OneOf"
      readonly column: Name
      readonly values: ReadonlyArray<string>
      readonly severity: Severity
    }

/** The column is never NULL. */
export const notNull = <const Name extends string>(column: Name, severity: Severity = "quarantine"): Check<Name> => ({
  _tag: "NotNull",
  column,
  severity
})

/** The number lies between `min` and `max`, both included and each optional. */
export const between = <const Name extends string>(
  column: Name,
  bounds: { readonly min?: string; readonly max?: string },
  severity: Severity = "quarantine"
): Check<Name> => ({ _tag: "Between", column, min: bounds.min, max: bounds.max, severity })

/** The text is one of `values`. */
export const oneOf = <const Name extends string>(
  column: Name,
  values: ReadonlyArray<string>,
  severity: Severity = "quarantine"
): Check<Name> => ({ _tag: "OneOf", column, values, severity })

/** How a check is called in reports: `between:total_minor`. */
export const name = (check: Check): string =>
  `${{ NotNull: "not_null", Between: "between", OneOf: "one_of" }[check._tag]}:${check.column}`

/** A row of source texts with the place it came from. */
export interface LocatedRow {
  readonly table: string
  readonly version: Version
  readonly values: Readonly<Record<string, string | null>>
}

/** Whether a row satisfies a check. */
export const holds = (check: Check, values: LocatedRow["values"]): boolean => {
  const value = values[check.column] ?? null
  if (value === null) return check._tag !== "NotNull"
  switch (check._tag) {
    case "NotNull":
      return true
    case "OneOf":
      return check.values.includes(value)
    case "Between":
      return isBetween(value, check.min, check.max)
  }
}

/** The check as an expectation over rows in memory; `quarantine` and `block` both fail the read. */
export const expectation = (check: Check): Expectation<LocatedRow> =>
  everyRow<LocatedRow>({
    name: name(check),
    severity: check.severity === "warn" ? "warn" : "fail",
    holds: (row) => holds(check, row.values),
    locate: ({ table, version }) => ({ table, version })
  })

/** A number's text in comparable form: `rank` orders −∞, finite numbers, ∞ and NaN; digits are exact. */
interface Numeral {
  readonly rank: number
  readonly digits: bigint
  readonly scale: number
}

const beyondFinite = new Map([
  ["-Infinity", -1],
  ["Infinity", 1],
  ["NaN", 2]
])

/** Exponents have at most three digits, as those of IEEE 754 doubles do. */
const Finite = /^([+-]?)(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/i

/** `undefined` for a text that is no number. */
const numeral = (text: string): Numeral | undefined => {
  const rank = beyondFinite.get(text)
  if (rank !== undefined) return { rank, digits: 0n, scale: 0 }
  const match = Finite.exec(text)
  if (match === null) return undefined
  const [, sign, whole = "", fraction = "", exponent = "0"] = match
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n)
  return { rank: 0, digits, scale: fraction.length - Number(exponent) }
}

/** Exact order of two numbers, NaN above all as in SQL. */
const isAtLeast = (value: Numeral, bound: Numeral): boolean => {
  if (value.rank !== bound.rank) return value.rank > bound.rank
  const scale = Math.max(value.scale, bound.scale)
  return scaled(value, scale) >= scaled(bound, scale)
}

const scaled = ({ digits, scale }: Numeral, to: number): bigint => digits * 10n ** BigInt(to - scale)

/** Whether a text is a number within both bounds; a text that is no number is not. */
const isBetween = (text: string, min: string | undefined, max: string | undefined): boolean => {
  const value = numeral(text)
  const lower = min === undefined ? undefined : numeral(min)
  const upper = max === undefined ? undefined : numeral(max)
  return (
    value !== undefined &&
    (lower === undefined || isAtLeast(value, lower)) &&
    (upper === undefined || isAtLeast(upper, value))
  )
}
