import { isUtf8 } from "node:buffer"
import { Refusal } from "./Refusal.ts"

/** What `next` answers instead of a number of fields: more bytes are needed; the row cannot be read. */
export const more = -1
export const malformed = -2

/** How a field was written: bare, in quotes, in quotes with doubled quotes inside. */
export const plain = 0
export const quoted = 1
export const doubled = 2

const lineFeed = 0x0a
const carriageReturn = 0x0d
/** No byte: what an absent quote is compared with. */
const noByte = -1

/** How the bytes are to be read. */
export interface Options {
  /** One ASCII character each; `none` where quotes are ordinary text. */
  readonly delimiter: string
  readonly quote: string
  readonly rowBytesMax: number
}

/**
 * Finds rows and fields in UTF-8 bytes as they come, cut anywhere: the hot path of files, without a string or an object
 * per row. Rows end at LF, CR LF or CR. After `next` has answered a number of fields, `starts`, `ends` and `kinds` say
 * where they lie in `buffer`, until the next call.
 *
 * Quotes are strict: a field that holds one is in quotes and doubles it. A row that breaks this is `malformed` up to the end
 * of its line, and `problem` says how. Where rows themselves cannot be told apart any more the file is refused: a quote
 * that is never closed, or broken quotes in a file whose values hold line breaks.
 */
export class Csv {
  buffer: Buffer
  starts = new Int32Array(64)
  ends = new Int32Array(64)
  kinds = new Uint8Array(64)
  /** Line at which the row just answered starts, from 1. */
  line = 1
  /** Why the row just answered is `malformed`. */
  problem = ""
  /** The last row had no line break behind it. */
  isOpenEnded = false
  private readonly delimiter: number
  private readonly quote: number
  private readonly rowBytesMax: number
  /** By byte: 1 where a bare field stops. */
  private readonly stops = new Uint8Array(256)
  /** By byte: 1 where a look at a quoted field is due. */
  private readonly quotedStops = new Uint8Array(256)
  /** Where the next row starts; its line. */
  private at = 0
  private nextLine = 1
  private end = 0
  private isLast = false
  /** Up to here the bytes are known to be UTF-8, unless they lie before `suspectEnd`. */
  private checked = 0
  private suspectEnd = 0
  private brokenLine = 0
  private brokenQuotes = 0
  private breakInQuotes = false
  /** Line breaks in the quoted field just read. */
  private linesInQuotes = 0

  constructor(options: Options) {
    this.delimiter = options.delimiter.charCodeAt(0)
    this.quote = options.quote === "none" ? noByte : options.quote.charCodeAt(0)
    this.rowBytesMax = options.rowBytesMax
    this.buffer = Buffer.allocUnsafeSlow(initialBytes)
    for (const byte of [this.delimiter, lineFeed, carriageReturn]) this.stops[byte] = 1
    for (const byte of [lineFeed, carriageReturn]) this.quotedStops[byte] = 1
    if (this.quote !== noByte) this.stops[this.quote] = this.quotedStops[this.quote] = 1
  }

  /** Takes the next bytes, or none as the end of the file. Only after `next` has answered `more`. */
  feed(chunk: Uint8Array | undefined): void {
    const length = chunk?.length ?? 0
    this.isLast = chunk === undefined
    const kept = this.end - this.at
    if (kept > this.rowBytesMax) {
      throw new Refusal(
        `the row at line ${this.nextLine} is longer than ${this.rowBytesMax} bytes: a quote is never closed, or this is no text`
      )
    }
    // One byte more: the sentinel.
    if (kept + length + 1 > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(kept + length + 1, this.buffer.length * 2))
      grown.set(this.buffer.subarray(this.at, this.end))
      this.buffer = grown
    } else this.buffer.copyWithin(0, this.at, this.end)
    if (chunk !== undefined) this.buffer.set(chunk, kept)
    this.checked = Math.max(0, this.checked - this.at)
    this.suspectEnd = Math.max(0, this.suspectEnd - this.at)
    this.end = kept + length
    this.at = 0
    this.buffer[this.end] = lineFeed
    this.check()
  }

  /** The number of fields of the next row, or `malformed`, or `more`: at the end of the file that there is none. */
  next(): number {
    const { stops, delimiter, quote, end } = this
    const buffer = this.buffer
    let at = this.at
    if (at === end) return more
    let field = 0
    let lines = 1
    for (;;) {
      if (field === this.starts.length) this.grow()
      if (buffer[at] === quote && at < end) {
        const close = this.closing(at + 1, field)
        if (close < 0) return more
        lines += this.linesInQuotes
        at = close + 1
      } else {
        this.starts[field] = at
        while (stops[buffer[at] as number] === 0) at++
        this.ends[field] = at
        this.kinds[field] = plain
      }
      field++
      const byte = buffer[at]
      if (at === end) {
        if (!this.isLast) return more
        this.isOpenEnded = true
        return this.finish(field, at, lines - 1)
      }
      if (byte === delimiter) at++
      else if (byte === lineFeed) return this.finish(field, at + 1, lines)
      else if (byte === carriageReturn) {
        if (at + 1 === end && !this.isLast) return more
        return this.finish(field, at + 1 < end && buffer[at + 1] === lineFeed ? at + 2 : at + 1, lines)
      } else return this.skip(at, lines)
    }
  }

  /** Where the quoted field that starts at `start` ends, or `more`. */
  private closing(start: number, field: number): number {
    const { buffer, quotedStops, quote, end } = this
    let kind = quoted
    let lines = 0
    for (let at = start; ; at++) {
      while (quotedStops[buffer[at] as number] === 0) at++
      if (at === end) return this.unclosed()
      const byte = buffer[at]
      if (byte === quote) {
        if (at + 1 === end && !this.isLast) return more
        if (at + 1 === end || buffer[at + 1] !== quote) {
          this.starts[field] = start
          this.ends[field] = at
          this.kinds[field] = kind
          this.linesInQuotes = lines
          if (lines > 0) this.breakInQuotes = true
          return at
        }
        kind = doubled
        at++
      } else if (byte === lineFeed || at + 1 === end || buffer[at + 1] !== lineFeed) lines++
    }
  }

  private unclosed(): number {
    if (!this.isLast) return more
    throw new Refusal(
      `a quote opened in the row at line ${this.nextLine} is never closed: the file was cut off, or its quotes are broken`
    )
  }

  /** The row ends before `next`. */
  private finish(fields: number, next: number, lines: number): number {
    const start = this.at
    this.line = this.nextLine
    this.nextLine += lines
    this.at = next
    if (start < this.suspectEnd && !isUtf8(this.buffer.subarray(start, next))) {
      this.problem = "encoding"
      return malformed
    }
    if (this.breakInQuotes && this.brokenQuotes > 0) this.refuseBroken()
    return fields
  }

  /** Passes over the rest of the line of a row whose quotes are broken at `from`. */
  private skip(from: number, lines: number): number {
    const { buffer, end } = this
    let at = from
    while (at < end && buffer[at] !== lineFeed && buffer[at] !== carriageReturn) at++
    if (at + 1 >= end && !this.isLast) return more
    const width = at === end ? 0 : buffer[at] === carriageReturn && at + 1 < end && buffer[at + 1] === lineFeed ? 2 : 1
    this.finish(0, at + width, width === 0 ? lines - 1 : lines)
    if (this.brokenQuotes++ === 0) this.brokenLine = this.line
    if (this.breakInQuotes) this.refuseBroken()
    this.problem = "quote"
    return malformed
  }

  private refuseBroken(): never {
    throw new Refusal(
      `the quotes of the row at line ${this.brokenLine} are broken, in a file whose values hold line breaks: where its rows end cannot be told`
    )
  }

  /** Looks at once at all bytes that came; only where they are not UTF-8 rows are looked at one by one. */
  private check(): void {
    const to = this.isLast ? this.end : this.end - this.unfinished()
    if (to <= this.checked) return
    if (!isUtf8(this.buffer.subarray(this.checked, to))) this.suspectEnd = to
    this.checked = to
  }

  /** Bytes at the end that begin a character without ending it. */
  private unfinished(): number {
    for (let back = 1; back <= 3 && this.end - back >= this.checked; back++) {
      const byte = this.buffer[this.end - back] as number
      if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0
      if (byte < 0x80) return 0
    }
    return 0
  }

  private grow(): void {
    const size = this.starts.length * 2
    if (size > fieldsMax) throw new Refusal(`the row at line ${this.nextLine} has more than ${fieldsMax / 2} fields`)
    const widen = <A extends Int32Array | Uint8Array>(from: A, to: A): A => {
      to.set(from)
      return to
    }
    this.starts = widen(this.starts, new Int32Array(size))
    this.ends = widen(this.ends, new Int32Array(size))
    this.kinds = widen(this.kinds, new Uint8Array(size))
  }
}

const initialBytes = 1 << 20
const fieldsMax = 1 << 17

/** Writes the value of a field whose quotes are doubled into `target`, which has room, and returns its length. */
export const undouble = (buffer: Uint8Array, start: number, end: number, target: Uint8Array): number => {
  const quote = buffer[end]
  let to = 0
  for (let at = start; at < end; at++) {
    const byte = buffer[at] as number
    target[to++] = byte
    if (byte === quote) at++
  }
  return to
}
