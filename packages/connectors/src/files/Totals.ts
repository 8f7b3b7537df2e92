import type { Csv } from "./Csv.ts"
import type { Control } from "./FileContract.ts"
import { Refusal } from "./Refusal.ts"
import type { Rows } from "./Rows.ts"

/** Digits behind the point that sums are kept with. */
const scale = 12

/** Holds a file against what its partner says is in it: the number of rows, and perhaps the sum of a column. */
export class Totals {
  private readonly control: Control
  private readonly rows: Rows
  private readonly mark: Buffer | undefined
  private readonly summed: number
  private sum = 0n
  /** Some value of the summed column is no number. */
  private isUnsummed = false
  private stated: { readonly rows: string; readonly sum: string | undefined } | undefined

  /** `columns`: names of the relation's columns. `sidecar`: text of the file beside this one. */
  constructor(control: Control, rows: Rows, columns: ReadonlyArray<string>, sidecar: string | undefined) {
    this.control = control
    this.rows = rows
    this.mark = control.kind === "trailer" ? Buffer.from(control.mark) : undefined
    const summed =
      control.kind === "trailer" ? control.sum?.column : control.kind === "sidecar" ? control.sumOf : undefined
    this.summed = summed === undefined ? -1 : columns.indexOf(summed)
    if (control.kind !== "sidecar") return
    const { rows: count, sum } = control.pattern.exec(sidecar ?? "")?.groups ?? {}
    if (count === undefined) throw new Refusal("the file of control totals beside it does not say the number of rows")
    this.stated = { rows: count, sum }
  }

  /** Whether the row that `csv.next()` has just answered is the trailer, which is no row of the table. */
  takeTrailer(csv: Csv, fields: number): boolean {
    const { mark, control } = this
    if (mark === undefined || control.kind !== "trailer") return false
    if (this.stated !== undefined) throw new Refusal(`rows follow the trailer, from line ${csv.line} on`)
    const start = csv.starts[0] as number
    if (fields < 1 || mark.compare(csv.buffer, start, csv.ends[0]) !== 0) return false
    const text = (field: number): string | undefined =>
      field < fields ? csv.buffer.toString("utf8", csv.starts[field], csv.ends[field]).trim() : undefined
    const rows = text(control.count)
    if (rows === undefined) throw new Refusal("the trailer has no number of rows")
    this.stated = { rows, sum: control.sum === undefined ? undefined : text(control.sum.field) }
    return true
  }

  /** Counts the row that was just added to `rows`. */
  add(csv: Csv): void {
    if (this.summed < 0) return
    const text = this.rows.text(csv, this.summed)
    const value = text === "" ? 0n : scaled(text)
    if (value === undefined) this.isUnsummed = true
    else this.sum += value
  }

  /** To be called at the end. With rows that cannot be read the sum is not judged. */
  check(): void {
    if (this.control.kind === "none") return
    const { stated, rows } = this
    if (stated === undefined) throw new Refusal(`the file has ${rows.rows} rows and no trailer: it was cut off`)
    if (!/^\d{1,18}$/.test(stated.rows) || BigInt(stated.rows) !== BigInt(rows.rows)) {
      throw new Refusal(`the file has ${rows.rows} rows, and its control total is another number`)
    }
    if (this.summed < 0 || rows.malformed > 0) return
    const sum = scaled(rows.read(this.summed, stated.sum ?? ""))
    if (this.isUnsummed || sum !== this.sum) throw new Refusal("the file's sum is not that of its control total")
  }
}

/** A decimal number times ten to `scale`, or `undefined` for other texts. */
const scaled = (text: string): bigint | undefined => {
  const [, sign, whole, fraction = ""] = /^([-+]?)(\d{1,38})(?:\.(\d{1,12}))?$/.exec(text) ?? []
  if (whole === undefined) return undefined
  const digits = BigInt(whole + fraction.padEnd(scale, "0"))
  return sign === "-" ? -digits : digits
}
