import type { FileContract } from "./FileContract.ts"
import { type Block, opUpsert, type Relation } from "../landing/Block.ts"
import { BlockBuilder, type Sizes } from "../landing/BlockBuilder.ts"
import { type Csv, doubled, malformed, plain, undouble } from "./Csv.ts"
import { type Converter, converter } from "./Formats.ts"
import { Zone } from "./LocalTime.ts"

/** A block is handed on with so many rows or bytes of values. */
const blockRowsMax = 16_384
const blockBytesMax = 4 << 20

/** Seconds since 1970 that a version's position can hold, years 1970 to 2255, and what a second is worth in it. */
const secondsMax = 9_000_000_000
export const positionUnit = 1_000_000_000n

/** What all rows of a delivery share. */
export interface Shared {
  readonly contract: FileContract
  readonly relation: Relation
  readonly sequence: bigint
  /** The file's key. */
  readonly file: string
  readonly modifiedMs: number
  /** Order of rows whose contract does not order them by a column: whole seconds since 1970. */
  readonly seconds: number
}

/** How one column of the table is taken from the file. */
interface Plan {
  /** Which field of a row; -1 where the file has no such column. */
  readonly field: number
  readonly fill: "none" | "line" | "fixed"
  readonly fixed: Uint8Array
  readonly converter: Converter | undefined
  /** A quoted empty text is a text of its own only in columns of text. */
  readonly isText: boolean
}

/** Instead of a field's index: the file has no such column; the source fills it; a format converts it. */
const absent = -1
const filled = -2
const converted = -3

/** A column's value was converted into nothing: it is NULL, or not as its format says. */
const isNull = -1
const isUnparseable = -2

/**
 * Writes a file's rows into blocks: for every row one, whatever it is. A row that cannot be read is flagged and carries
 * no value of the file, since a shifted field may hold what must not be captured.
 */
export class Rows {
  /** Rows of the file so far, and those of them that were flagged. */
  rows = 0
  flagged = 0
  /** Rows that could not be read. */
  malformed = 0
  private readonly shared: Shared
  private readonly plans: ReadonlyArray<Plan>
  private readonly names: ReadonlyArray<string>
  /** By column: the field that is copied into it, or one of the above. */
  private readonly fields: Int32Array
  /** By column: 1 where a quoted empty text is a value. */
  private readonly isText: Uint8Array
  private readonly convertedColumns: ReadonlyArray<number>
  private readonly width: number
  private readonly order: number
  private readonly nulls: ReadonlyArray<Buffer>
  private readonly lengths: Int32Array
  private readonly committedAtUs: bigint
  private scratch = Buffer.alloc(4096)
  private builder: BlockBuilder
  private like: Sizes | undefined
  private seconds = Number.NaN
  private position = 0n

  /** `fields`: by column of the relation the field's index in the file, or -1; `width`: fields of a row. */
  constructor(shared: Shared, fields: ReadonlyArray<number>, width: number) {
    const { contract, relation } = shared
    const zone = new Zone(contract.zone)
    this.shared = shared
    this.width = width
    this.names = relation.columns.map(({ name }) => name)
    this.plans = this.names.map((name, index) => plan(shared, name, fields[index] ?? -1, zone))
    this.fields = Int32Array.from(this.plans, ({ field, fill, converter }) =>
      fill !== "none" ? filled : field >= 0 && converter !== undefined ? converted : field
    )
    this.convertedColumns = [...this.fields.keys()].filter((column) => this.fields[column] === converted)
    this.isText = Uint8Array.from(this.plans, ({ isText }) => Number(isText))
    this.order = contract.order.by === "column" ? this.names.indexOf(contract.order.column) : -1
    this.nulls = contract.nulls.map((text) => Buffer.from(text))
    this.lengths = new Int32Array(this.names.length).fill(isNull)
    this.committedAtUs = BigInt(shared.modifiedMs) * 1000n
    this.builder = new BlockBuilder(relation)
  }

  /** A block's worth has been gathered. */
  get isFull(): boolean {
    return this.builder.rows >= blockRowsMax || this.builder.bytes >= blockBytesMax
  }

  /** The rows gathered since the last call, if there are any. */
  take(): Block | undefined {
    if (this.builder.rows === 0) return undefined
    this.like = this.builder.sizes
    const block = this.builder.finish()
    this.builder = new BlockBuilder(this.shared.relation, this.like)
    return block
  }

  /** The row that `csv.next()` has just answered with `fields`. */
  add(csv: Csv, fields: number): void {
    if (fields !== this.width) return this.addMalformed(csv, fields === malformed ? csv.problem : "fields")
    const reason = this.convert(csv)
    this.begin()
    const { builder, fields: from, isText } = this
    const { buffer, starts, ends, kinds } = csv
    for (let column = 0; column < from.length; column++) {
      const field = from[column] as number
      if (field < 0) {
        if (field !== absent) this.addOther(csv, column, field)
        continue
      }
      const start = starts[field] as number
      const end = ends[field] as number
      const kind = kinds[field] as number
      if (kind === plain) {
        if (end > start && !this.isNullText(buffer, start, end)) builder.value(column, buffer, start, end)
      } else if (kind === doubled) this.undoubled(csv, column, start, end)
      else if (end > start || isText[column] === 1) builder.value(column, buffer, start, end)
    }
    if (reason !== undefined) this.flag(reason)
  }

  /** A value that is not simply copied. */
  private addOther(csv: Csv, column: number, field: number): void {
    const plan = this.plans[column] as Plan
    if (field === filled) return this.fill(csv, column, plan)
    const length = this.lengths[column] as number
    if (length >= 0) return this.builder.value(column, (plan.converter as Converter).out, 0, length)
    if (length === isNull) return
    const start = csv.starts[plan.field] as number
    const end = csv.ends[plan.field] as number
    if (csv.kinds[plan.field] === doubled) this.undoubled(csv, column, start, end)
    else this.builder.value(column, csv.buffer, start, end)
  }

  /** The text that a column of the row has as loading will read it, for sums; empty where it is NULL. */
  text(csv: Csv, column: number): string {
    const { field, converter } = this.plans[column] as Plan
    if (field < 0) return ""
    const length = this.lengths[column] as number
    if (converter !== undefined) return length < 0 ? "" : converter.out.toString("latin1", 0, length)
    return csv.buffer.toString("latin1", csv.starts[field], csv.ends[field])
  }

  /** A text as a column's format reads it, or as it is. */
  read(column: number, text: string): string {
    const bytes = Buffer.from(text)
    const { converter } = this.plans[column] as Plan
    const length = converter?.convert(bytes, 0, bytes.length) ?? -1
    return converter === undefined || length < 0 ? text : converter.out.toString("latin1", 0, length)
  }

  private addMalformed(csv: Csv, problem: string): void {
    this.setSeconds(this.shared.seconds)
    this.begin()
    for (const [column, plan] of this.plans.entries()) if (plan.fill !== "none") this.fill(csv, column, plan)
    this.malformed++
    this.flag(`malformed:${problem}`)
  }

  private begin(): void {
    this.rows++
    this.builder.begin(opUpsert, this.position, this.rows, this.committedAtUs)
  }

  private flag(reason: string): void {
    this.flagged++
    this.builder.flag(reason)
  }

  /** Converts the columns that have a format, and finds the row's time; answers why the row is to be set aside. */
  private convert(csv: Csv): string | undefined {
    const { plans } = this
    let reason: string | undefined
    for (const column of this.convertedColumns) {
      const { field, converter } = plans[column] as Plan
      if (converter === undefined) continue
      const length = this.convertField(csv, field, converter)
      this.lengths[column] = length
      if (length === isUnparseable) reason ??= `unparseable:${this.names[column] ?? ""}`
    }
    const { order } = this
    if (order < 0) {
      this.setSeconds(this.shared.seconds)
      return reason
    }
    const seconds = (plans[order] as Plan).converter?.seconds ?? Number.NaN
    const isOrdered = (this.lengths[order] as number) >= 0 && seconds >= 0 && seconds <= secondsMax
    this.setSeconds(isOrdered ? seconds : this.shared.seconds)
    return isOrdered ? reason : (reason ?? `unordered:${this.names[order] ?? ""}`)
  }

  private convertField(csv: Csv, field: number, converter: Converter): number {
    const start = csv.starts[field] as number
    const end = csv.ends[field] as number
    if (start === end || (csv.kinds[field] === plain && this.isNullText(csv.buffer, start, end))) return isNull
    if (csv.kinds[field] === doubled) return isUnparseable
    const length = converter.convert(csv.buffer, start, end)
    return length < 0 ? isUnparseable : length
  }

  private setSeconds(seconds: number): void {
    if (seconds === this.seconds) return
    this.seconds = seconds
    this.position = BigInt(seconds) * positionUnit + this.shared.sequence
  }

  private isNullText(buffer: Buffer, start: number, end: number): boolean {
    return (
      this.nulls.length > 0 &&
      this.nulls.some((text) => text.length === end - start && text.compare(buffer, start, end) === 0)
    )
  }

  private undoubled(csv: Csv, column: number, start: number, end: number): void {
    if (this.scratch.length < end - start) this.scratch = Buffer.alloc((end - start) * 2)
    this.builder.value(column, this.scratch, 0, undouble(csv.buffer, start, end, this.scratch))
  }

  private fill(csv: Csv, column: number, { fill, fixed }: Plan): void {
    if (fill === "fixed") return this.builder.value(column, fixed, 0, fixed.length)
    this.builder.value(column, this.scratch, 0, this.scratch.write(String(csv.line), "latin1"))
  }
}

const plan = ({ contract, file }: Shared, name: string, field: number, zone: Zone): Plan => {
  const fill = contract.fill[name]
  const column = contract.table.columns[name]
  const format = contract.formats[name]
  const kind = column?.type.kind ?? "text"
  return {
    field: fill === undefined ? field : -1,
    fill: fill === undefined ? "none" : fill === "line" ? "line" : "fixed",
    fixed: Buffer.from(typeof fill === "object" ? fill.constant : file),
    converter: column === undefined || format === undefined ? undefined : converter(format, column.type, zone),
    isText: kind === "text" || kind === "json"
  }
}
