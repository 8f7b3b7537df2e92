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
      return (
        (check.min === undefined || compareDecimal(value, check.min) >= 0) &&
        (check.max === undefined || compareDecimal(value, check.max) <= 0)
      )
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

/** Exact order of two decimal texts. */
const compareDecimal = (left: string, right: string): number => {
  const scale = Math.max(fraction(left).length, fraction(right).length)
  const difference = scaled(left, scale) - scaled(right, scale)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

const fraction = (text: string): string => text.split(".")[1] ?? ""

const scaled = (text: string, scale: number): bigint => {
  const digits = text.replace(".", "") + "0".repeat(scale - fraction(text).length)
  return BigInt(digits)
}
