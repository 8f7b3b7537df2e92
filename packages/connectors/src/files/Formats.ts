import type { ColumnType } from "@northstar/core/Column"
import type { Format } from "./FileContract.ts"
import { daysInMonth, daysOf, type Zone } from "./LocalTime.ts"

/** Rewrites a field's bytes as the text that loading parses. */
export interface Converter {
  /** The result's bytes, from 0. */
  readonly out: Buffer
  /** Length of the result in `out`, or -1 where the field is not written as the format says. */
  readonly convert: (buffer: Uint8Array, start: number, end: number) => number
  /** Of times: whole seconds since 1970 UTC of the field just converted. */
  seconds: number
}

/** Longest field that has a format. */
const lengthMax = 96

/** How a column of this type is converted from a format. */
export const converter = (format: Format, type: ColumnType, zone: Zone): Converter => {
  switch (format.kind) {
    case "time":
      return new TimeConverter(format.pattern === "iso" ? isoPatterns : [tokens(format.pattern)], type.kind, zone)
    case "number":
      return new NumberConverter(format.decimal, format.group)
    case "boolean":
      return new BooleanConverter(format.true, format.false)
  }
}

const zero = 0x30
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= zero && byte <= 0x39

/** `1.234,50` as `1234.50`. */
class NumberConverter implements Converter {
  readonly out = Buffer.alloc(lengthMax)
  seconds = 0
  private readonly decimal: number
  private readonly group: number

  constructor(decimal: string, group: string | undefined) {
    this.decimal = decimal.charCodeAt(0)
    this.group = group === undefined ? -1 : group.charCodeAt(0)
  }

  convert(buffer: Uint8Array, start: number, end: number): number {
    if (end - start > lengthMax) return -1
    const { out } = this
    let at = start
    let to = 0
    if (buffer[at] === 0x2d) out[to++] = buffer[at++] as number
    else if (buffer[at] === 0x2b) at++
    const first = at
    // Digits since the last group sign; a group sign needs 1 to 3 before it the first time, then exactly 3.
    let run = 0
    let groups = 0
    for (; at < end; at++) {
      const byte = buffer[at] as number
      if (isDigit(byte)) {
        out[to++] = byte
        run++
      } else if (byte === this.group && (groups === 0 ? run >= 1 && run <= 3 : run === 3)) {
        groups++
        run = 0
      } else break
    }
    if (at === first || run === 0 || (groups > 0 && run !== 3)) return -1
    if (at === end) return to
    if (buffer[at] !== this.decimal || at + 1 === end) return -1
    out[to++] = 0x2e
    for (at++; at < end; at++) {
      if (!isDigit(buffer[at])) return -1
      out[to++] = buffer[at] as number
    }
    return to
  }
}

/** One of listed texts as `t` or `f`. */
class BooleanConverter implements Converter {
  readonly out = Buffer.alloc(1)
  seconds = 0
  private readonly values: ReadonlyMap<string, string>

  constructor(yes: ReadonlyArray<string>, no: ReadonlyArray<string>) {
    this.values = new Map([...no.map((text) => [text, "f"] as const), ...yes.map((text) => [text, "t"] as const)])
  }

  convert(buffer: Uint8Array, start: number, end: number): number {
    if (end - start > lengthMax) return -1
    const value = this.values.get(Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString())
    return value === undefined ? -1 : this.out.write(value)
  }
}

/** A piece of a time's pattern: between `min` and `max` digits of a part, or a literal byte. */
type Token =
  | { readonly part: Part; readonly min: number; readonly max: number }
  | { readonly part: typeof literal; readonly byte: number }
  | { readonly part: typeof offset }

/** Parts of a time, as indices; then what is not one of them. */
const [year, month, day, hour, minute, second, fraction, literal, offset] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const

type Part = 0 | 1 | 2 | 3 | 4 | 5 | 6

const letters: Readonly<Record<string, Token>> = {
  yyyy: { part: year, min: 4, max: 4 },
  MM: { part: month, min: 2, max: 2 },
  M: { part: month, min: 1, max: 2 },
  dd: { part: day, min: 2, max: 2 },
  d: { part: day, min: 1, max: 2 },
  HH: { part: hour, min: 2, max: 2 },
  H: { part: hour, min: 1, max: 2 },
  mm: { part: minute, min: 2, max: 2 },
  ss: { part: second, min: 2, max: 2 },
  SSS: { part: fraction, min: 1, max: 6 }
}

const tokens = (pattern: string): ReadonlyArray<Token> =>
  (pattern.match(/yyyy|MM?|dd?|HH?|mm|ss|SSS|[^]/g) ?? []).map(
    (text) => letters[text] ?? { part: literal, byte: text.charCodeAt(0) }
  )

const isoPatterns: ReadonlyArray<ReadonlyArray<Token>> = ["T", " "].flatMap((between) =>
  ["HH:mm:ss.SSS", "HH:mm:ss", "HH:mm"].flatMap((clock) => {
    const local = tokens(`yyyy-MM-dd${between}${clock}`)
    return [local, [...local, { part: offset } as const]]
  })
)

/** Whether a pattern has a time of day: it would be lost in a date. */
export const hasClock = (pattern: string): boolean => pattern === "iso" || /H|mm|ss|S/.test(pattern)

/** A date, or a date and time, as ISO 8601; instants with their offset. */
class TimeConverter implements Converter {
  readonly out = Buffer.alloc(40)
  seconds = 0
  private readonly patterns: ReadonlyArray<ReadonlyArray<Token>>
  private readonly kind: ColumnType["kind"]
  private readonly zone: Zone
  private readonly parts = new Int32Array(7)
  private fractionDigits = 0
  private offset = Number.NaN
  /** The pattern that matched last: most files keep to one. */
  private last = 0

  constructor(patterns: ReadonlyArray<ReadonlyArray<Token>>, kind: ColumnType["kind"], zone: Zone) {
    this.patterns = patterns
    this.kind = kind
    this.zone = zone
  }

  convert(buffer: Uint8Array, start: number, end: number): number {
    const count = this.patterns.length
    for (let tried = 0; tried < count; tried++) {
      const index = (this.last + tried) % count
      if (!this.parse(this.patterns[index] as ReadonlyArray<Token>, buffer, start, end)) continue
      this.last = index
      return this.write()
    }
    return -1
  }

  private parse(pattern: ReadonlyArray<Token>, buffer: Uint8Array, start: number, end: number): boolean {
    const { parts } = this
    parts.fill(0)
    parts[month] = parts[day] = 1
    this.fractionDigits = 0
    this.offset = Number.NaN
    let at = start
    for (const token of pattern) {
      if (token.part === literal) {
        if (at === end || buffer[at] !== token.byte) return false
        at++
      } else if (token.part === offset) {
        at = this.parseOffset(buffer, at, end)
        if (at < 0) return false
      } else {
        let digits = 0
        let value = 0
        for (; digits < token.max && at < end && isDigit(buffer[at]); digits++, at++) {
          value = value * 10 + (buffer[at] as number) - zero
        }
        if (digits < token.min) return false
        parts[token.part] = value
        if (token.part === fraction) this.fractionDigits = digits
      }
    }
    return at === end && this.isTime()
  }

  private isTime(): boolean {
    const y = this.parts[year] as number
    const m = this.parts[month] as number
    const d = this.parts[day] as number
    if (y === 0 || m < 1 || m > 12 || d < 1 || (d > 28 && d > daysInMonth(y, m))) return false
    return (
      (this.parts[hour] as number) <= 23 && (this.parts[minute] as number) <= 59 && (this.parts[second] as number) <= 59
    )
  }

  /** `Z`, `+HH`, `+HHmm`, `+HH:mm`; where it ends, or -1. */
  private parseOffset(buffer: Uint8Array, start: number, end: number): number {
    const sign = buffer[start]
    if (start === end) return -1
    if (sign === 0x5a) {
      this.offset = 0
      return start + 1
    }
    const text = Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString("latin1")
    const [, hours, minutes = "00"] = /^[+-](\d\d)(?::?([0-5]\d))?$/.exec(text) ?? []
    if (hours === undefined || Number(hours) > 15) return -1
    this.offset = (sign === 0x2d ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60)
    return end
  }

  private write(): number {
    const { parts } = this
    const y = parts[year] as number
    const m = parts[month] as number
    const d = parts[day] as number
    const h = parts[hour] as number
    const min = parts[minute] as number
    const s = parts[second] as number
    const local = daysOf(y, m, d) * 86_400 + h * 3_600 + min * 60 + s
    const hasOffset = !Number.isNaN(this.offset)
    const ahead = hasOffset ? this.offset : this.zone.offset(local)
    if (Number.isNaN(ahead) || ahead % 60 !== 0) return -1
    this.seconds = local - ahead
    this.digits(0, y, 4, 0x2d)
    this.digits(5, m, 2, 0x2d)
    this.digits(8, d, 2, 0x20)
    if (this.kind === "date") return hasOffset ? -1 : 10
    this.digits(11, h, 2, 0x3a)
    this.digits(14, min, 2, 0x3a)
    this.digits(17, s, 2, 0x2e)
    let to = 19
    if (this.fractionDigits > 0) {
      this.digits(20, parts[fraction] as number, this.fractionDigits, 0)
      to = 20 + this.fractionDigits
    }
    if (this.kind === "timestamp") return hasOffset ? -1 : to
    const minutes = Math.abs(ahead) / 60
    this.out[to] = ahead < 0 ? 0x2d : 0x2b
    this.digits(to + 1, Math.floor(minutes / 60), 2, 0x3a)
    this.digits(to + 4, minutes % 60, 2, 0)
    return to + 6
  }

  /** A number of so many digits, and the byte behind it. */
  private digits(to: number, value: number, count: number, then: number): void {
    let rest = value
    for (let at = to + count - 1; at >= to; at--) {
      this.out[at] = zero + (rest % 10)
      rest = Math.floor(rest / 10)
    }
    this.out[to + count] = then
  }
}
