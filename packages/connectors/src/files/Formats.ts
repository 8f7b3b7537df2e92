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

/** A piece of a time's pattern: between `min` and `max` digits of a part, or a literal `byte`, or an offset. */
interface Token {
  readonly part: number
  readonly min: number
  readonly max: number
  readonly byte: number
}

/** Parts of a time, as indices; then what is not one of them. */
const [year, month, day, hour, minute, second, fraction, literal, offset] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const

// All tokens have the same fields in the same order: what reads them is the hot path of files.
const digitsOf = (part: number, min: number, max: number): Token => ({ part, min, max, byte: 0 })
const anOffset: Token = { part: offset, min: 0, max: 0, byte: 0 }

const letters: Readonly<Record<string, Token>> = {
  yyyy: digitsOf(year, 4, 4),
  MM: digitsOf(month, 2, 2),
  M: digitsOf(month, 1, 2),
  dd: digitsOf(day, 2, 2),
  d: digitsOf(day, 1, 2),
  HH: digitsOf(hour, 2, 2),
  H: digitsOf(hour, 1, 2),
  mm: digitsOf(minute, 2, 2),
  ss: digitsOf(second, 2, 2),
  SSS: digitsOf(fraction, 1, 6)
}

const tokens = (pattern: string): ReadonlyArray<Token> =>
  (pattern.match(/yyyy|MM?|dd?|HH?|mm|ss|SSS|[^]/g) ?? []).map(
    (text) => letters[text] ?? { part: literal, min: 0, max: 0, byte: text.charCodeAt(0) }
  )

const isoPatterns: ReadonlyArray<ReadonlyArray<Token>> = ["T", " "].flatMap((between) =>
  ["HH:mm:ss.SSS", "HH:mm:ss", "HH:mm"].flatMap((clock) => {
    const local = tokens(`yyyy-MM-dd${between}${clock}`)
    return [local, [...local, anOffset]]
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
  /** The month of the time before, as a number, with the day it starts on (days since 1970) and its length. */
  private month = Number.NaN
  private monthStart = 0
  private monthDays = 0

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
    parts[year] = parts[hour] = parts[minute] = parts[second] = parts[fraction] = 0
    parts[month] = parts[day] = 1
    this.fractionDigits = 0
    this.offset = Number.NaN
    let at = start
    for (let index = 0; index < pattern.length; index++) {
      const { byte, max, min, part } = pattern[index] as Token
      if (part === literal) {
        if (at === end || buffer[at] !== byte) return false
        at++
      } else if (part === offset) {
        at = this.parseOffset(buffer, at, end)
        if (at < 0) return false
      } else if (min === 2) {
        // Most parts: two digits, neither more nor less.
        if (at + 2 > end) return false
        const tens = (buffer[at] as number) - zero
        const ones = (buffer[at + 1] as number) - zero
        if (tens >>> 0 > 9 || ones >>> 0 > 9) return false
        parts[part] = tens * 10 + ones
        at += 2
      } else {
        const first = at
        const stop = Math.min(end, at + max)
        let value = 0
        for (let digit = 0; at < stop && (digit = (buffer[at] as number) - zero) >>> 0 <= 9; at++) {
          value = value * 10 + digit
        }
        if (at - first < min) return false
        parts[part] = value
        if (part === fraction) this.fractionDigits = at - first
      }
    }
    return at === end && this.isTime()
  }

  private isTime(): boolean {
    const y = this.parts[year] as number
    const m = this.parts[month] as number
    const d = this.parts[day] as number
    if (y === 0 || m < 1 || m > 12) return false
    if (this.month !== y * 12 + m) {
      this.month = y * 12 + m
      this.monthStart = daysOf(y, m, 1)
      this.monthDays = daysInMonth(y, m)
    }
    return (
      d >= 1 &&
      d <= this.monthDays &&
      (this.parts[hour] as number) <= 23 &&
      (this.parts[minute] as number) <= 59 &&
      (this.parts[second] as number) <= 59
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
    const local = (this.monthStart + d - 1) * 86_400 + h * 3_600 + min * 60 + s
    const hasOffset = !Number.isNaN(this.offset)
    const found = hasOffset ? this.offset : this.zone.offset(local)
    // As a 32 bit integer: the remainder of a floating point number is a call.
    const ahead = found | 0
    if (Number.isNaN(found) || ahead % 60 !== 0) return -1
    this.seconds = local - ahead
    this.pair(0, (y / 100) | 0, 0)
    this.pair(2, y % 100, 0x2d)
    this.pair(5, m, 0x2d)
    this.pair(8, d, 0x20)
    if (this.kind === "date") return hasOffset ? -1 : 10
    this.pair(11, h, 0x3a)
    this.pair(14, min, 0x3a)
    this.pair(17, s, 0x2e)
    let to = 19
    if (this.fractionDigits > 0) {
      this.digits(20, parts[fraction] as number, this.fractionDigits)
      to = 20 + this.fractionDigits
    }
    if (this.kind === "timestamp") return hasOffset ? -1 : to
    const minutes = (Math.abs(ahead) / 60) | 0
    this.out[to] = ahead < 0 ? 0x2d : 0x2b
    this.pair(to + 1, (minutes / 60) | 0, 0x3a)
    this.pair(to + 4, minutes % 60, 0)
    return to + 6
  }

  /** A number of two digits, and the byte behind it. */
  private pair(to: number, value: number, then: number): void {
    const tens = (value / 10) | 0
    this.out[to] = zero + tens
    this.out[to + 1] = zero + value - tens * 10
    this.out[to + 2] = then
  }

  /** A number of so many digits. */
  private digits(to: number, value: number, count: number): void {
    let rest = value
    for (let at = to + count - 1; at >= to; at--) {
      this.out[at] = zero + (rest % 10)
      rest = (rest / 10) | 0
    }
  }
}
