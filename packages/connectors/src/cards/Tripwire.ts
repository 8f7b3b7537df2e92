import { digitsMax, digitsMin, lengthBits } from "./IssuerRanges.ts"
import { coversTrack } from "./TrackData.ts"

/** Bytes that hold card data, from `from` to before `to`. */
export interface Hit {
  readonly from: number
  readonly to: number
  /** Track data is what a card's magnetic stripe holds: the number with the data that authorises payments. */
  readonly kind: "card_number" | "track_data"
  /** The card number's digits. */
  readonly digits: string
}

/** What stands where a card number was, if there is no key to make its token. */
export const removed = { card_number: "[card number removed]", track_data: "[track data removed]" } as const

/**
 * Names, messages and errors from outside, fit to be kept: without the card numbers and track data in them. Other text
 * comes back as it is.
 */
export const maskText = (text: string): string => {
  if (text.length < digitsMin) return text
  const bytes = Buffer.from(text)
  const hits = hitsIn(bytes, 0, bytes.length)
  return hits.length === 0 ? text : replaced(bytes, 0, bytes.length, hits, ({ kind }) => removed[kind]).toString()
}

/** The bytes from `start` to before `end`, with other texts in the place of hits. */
export const replaced = (
  bytes: Uint8Array,
  start: number,
  end: number,
  hits: ReadonlyArray<Hit>,
  textFor: (hit: Hit) => string
): Buffer => {
  const parts: Array<Uint8Array> = []
  let at = start
  for (const hit of hits) {
    parts.push(bytes.subarray(at, hit.from), Buffer.from(textFor(hit)))
    at = hit.to
  }
  parts.push(bytes.subarray(at, end))
  return Buffer.concat(parts)
}

/** Card data in a text of UTF-8 bytes from `start` to before `end`, in order. */
export const hitsIn = (bytes: Uint8Array, start: number, end: number): Array<Hit> => {
  const hits: Array<Hit> = []
  const runs = new Runs(bytes, start, end)
  while (runs.next()) {
    for (const hit of hitsOfRun(bytes, start, end, runs)) {
      const last = hits.at(-1)
      if (last === undefined || hit.from >= last.to) hits.push(hit)
    }
  }
  return hits
}

const digit = 1
const separator = 2

/**
 * Per byte: a digit, a byte that may be of a separator, or neither. Separators are the space and the hyphen with their typographic
 * relatives: no-break spaces, U+2000 to U+200A, and U+2010 to U+2015.
 */
const kinds = new Uint8Array(256)
for (let byte = 0x30; byte <= 0x39; byte++) kinds[byte] = digit
for (const byte of [0x20, 0x2d, 0xc2, 0xa0, 0xe2, 0xaf]) kinds[byte] = separator
for (let byte = 0x80; byte <= 0x8a; byte++) kinds[byte] = separator
for (let byte = 0x90; byte <= 0x95; byte++) kinds[byte] = separator

const isDigit = (byte: number | undefined): boolean => byte !== undefined && kinds[byte] === digit

/** Bytes between two that are looked at, and how many in a row a stretch as long as a card number holds of those. */
const stride = 4
const looksMin = Math.floor(digitsMin / stride)

/**
 * Finds the stretches of digits and separators that hold enough digits for a card number. One byte of four is looked at;
 * the bytes between only where three looks in a row met a digit or a separator.
 */
export class Runs {
  start = 0
  end: number
  private readonly bytes: Uint8Array
  private readonly limit: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes
    this.end = start
    this.limit = end
  }

  /** Moves to the next stretch; `false` behind the last. */
  next(): boolean {
    const { bytes, limit } = this
    let looks = 0
    for (let at = this.end + stride - 1; at < limit; at += stride) {
      if (kinds[bytes[at] as number] === 0) looks = 0
      else if (++looks === looksMin) {
        if (this.digitsAround(at) >= digitsMin) return true
        looks = 0
        at = this.end - 1
      }
    }
    this.end = limit
    return false
  }

  /** Sets the stretch to the one around a byte; answers its digits. */
  private digitsAround(at: number): number {
    const { bytes, limit } = this
    const low = this.end
    let digits = 0
    let start = at + 1
    let kind = 0
    while (start > low && (kind = kinds[bytes[start - 1] as number] as number) !== 0) {
      digits += kind & digit
      start--
    }
    let end = at + 1
    while (end < limit && (kind = kinds[bytes[end] as number] as number) !== 0) {
      digits += kind & digit
      end++
    }
    this.start = start
    this.end = end
    return digits
  }
}

/** Digits with a few separators between: what a card number may be written as, and its neighbours. */
interface Chain {
  /** Values of the digits, and where they stand. */
  readonly digits: Array<number>
  readonly places: Array<number>
  /** Whether a group of digits begins, or ends, with the digit. */
  readonly opens: Array<boolean>
  readonly closes: Array<boolean>
  /** Whether more than one separator stands between two of its groups: they may be of two things, a number and its neighbour. */
  hasRuns: boolean
}

/** Card data in a stretch that `Runs` found, within the text from `start` to before `end`. */
export const hitsOfRun = (
  bytes: Uint8Array,
  start: number,
  end: number,
  run: { readonly start: number; readonly end: number }
): Array<Hit> => {
  const hits: Array<Hit> = []
  const last = Math.min(run.end, end)
  for (let at = Math.max(run.start, start); at < last;) {
    if (!isDigit(bytes[at])) {
      at++
      continue
    }
    const chain = chainAt(bytes, at, last)
    const track = coversTrack(bytes, start, end, chain)
    const isPhone = at > start && bytes[at - 1] === 0x2b
    const cards = cardsOf(chain, isPhone).filter((hit) => !isPartOfIdentifier(bytes, start, end, hit))
    hits.push(...(track === undefined ? cards : withTrack(cards, track)))
    at = Math.max((chain.places.at(-1) as number) + 1, track?.to ?? 0)
  }
  return hits
}

/** Track data hides no number before it; one that reaches into it goes with it. */
const withTrack = (cards: ReadonlyArray<Hit>, track: Hit): ReadonlyArray<Hit> => {
  const reaching = cards.filter(({ to }) => to > track.from)
  const from = Math.min(track.from, ...reaching.map((hit) => hit.from))
  return [...cards.filter(({ to }) => to <= track.from), { ...track, from }]
}

const chainAt = (bytes: Uint8Array, from: number, end: number): Chain => {
  const chain: Chain = { digits: [], places: [], opens: [], closes: [], hasRuns: false }
  let opens = true
  for (let at = from; ;) {
    chain.digits.push((bytes[at] as number) - 0x30)
    chain.places.push(at)
    chain.opens.push(opens)
    opens = at + 1 >= end || !isDigit(bytes[at + 1])
    chain.closes.push(opens)
    const gap = opens ? separatorsLength(bytes, at + 1) : 0
    const next = at + 1 + gap
    if (next >= end || !isDigit(bytes[next]) || (opens && gap === 0)) return chain
    if (opens && gap > separatorLength(bytes, at + 1)) chain.hasRuns = true
    at = next
  }
}

/** Separators between two groups at most, as in `4111 -- 1111`: more are a gap between columns. */
const separatorsMax = 4

/** Bytes of the separators that stand here; 0 for none. */
const separatorsLength = (bytes: Uint8Array, at: number): number => {
  let length = 0
  for (let count = 0, one = -1; count < separatorsMax && one !== 0; count++) {
    one = separatorLength(bytes, at + length)
    length += one
  }
  return length
}

const separatorLength = (bytes: Uint8Array, at: number): number => {
  const byte = bytes[at]
  if (byte === 0x20 || byte === 0x2d) return 1
  if (byte === 0xc2 && bytes[at + 1] === 0xa0) return 2
  if (byte !== 0xe2 || bytes[at + 1] !== 0x80) return 0
  const third = bytes[at + 2] ?? 0
  return third === 0xaf || (third >= 0x80 && third <= 0x8a) || (third >= 0x90 && third <= 0x95) ? 3 : 0
}

/**
 * Card numbers among whole groups of digits, so that neither an expiry date behind a number nor a count before it hides
 * it, and never a part of a longer group. Zeros that pad a number on the left are no part of it. Where numbers overlap,
 * all their digits count as one hit.
 */
const cardsOf = (chain: Chain, isPhone: boolean): Array<Hit> => {
  const { closes, digits, hasRuns, opens, places } = chain
  if (!hasRuns && isTrackingNumber(digits)) return []
  const hits: Array<{ from: number; to: number; kind: "card_number"; digits: string }> = []
  for (let first = 0; first < digits.length; first++) {
    if (!opens[first]) continue
    const from = behindZeros(chain, first)
    const length = cardLength(digits, closes, from)
    if (length === 0 || (length === 13 && !isOldVisa(chain, first, from, isPhone && first === 0))) continue
    const to = (places[from + length - 1] as number) + 1
    const last = hits.at(-1)
    if (last !== undefined && (places[first] as number) < last.to) last.to = Math.max(last.to, to)
    else {
      const number = digits.slice(from, from + length).join("")
      hits.push({ from: places[first] as number, to, kind: "card_number", digits: number })
    }
  }
  return hits
}

/** Digits of the longest card number that starts with this one and ends with a group; 0 for none. */
export const cardLength = (digits: ReadonlyArray<number>, closes: ReadonlyArray<boolean>, from: number): number => {
  if (digits.length - from < digitsMin) return 0
  let prefix = 0
  for (let at = from; at < from + 6; at++) prefix = prefix * 10 + (digits[at] as number)
  const bits = lengthBits(prefix)
  if (bits === 0) return 0
  for (let length = Math.min(digitsMax, digits.length - from); length >= digitsMin; length--) {
    if (closes[from + length - 1] !== true || (bits & (1 << (length - digitsMin))) === 0) continue
    if (hasCheckDigit(digits, from, length) && (length !== 13 || !hasGs1CheckDigit(digits, from, 13))) return length
  }
  return 0
}

/** ISO/IEC 7812: from the right, every second digit doubled, the sum of all digits a multiple of ten. */
const hasCheckDigit = (digits: ReadonlyArray<number>, from: number, length: number): boolean => {
  let sum = 0
  for (let index = 0; index < length; index++) {
    const value = digits[from + length - 1 - index] as number
    sum += index % 2 === 0 ? value : value > 4 ? value * 2 - 9 : value * 2
  }
  return sum % 10 === 0
}

/** The check digit of GS1's codes and of tracking numbers of the US Postal Service: from the right, every second digit thrice. */
const hasGs1CheckDigit = (digits: ReadonlyArray<number>, from: number, length: number): boolean => {
  let sum = 0
  for (let index = 0; index < length; index++) {
    sum += (digits[from + length - 1 - index] as number) * (index % 2 === 0 ? 1 : 3)
  }
  return sum % 10 === 0
}

/** A tracking number of the US Postal Service, from 91 to 95: written in groups of four it would look like a number and more. */
const isTrackingNumber = (digits: ReadonlyArray<number>): boolean =>
  (digits.length === 20 || digits.length === 22) &&
  digits[0] === 9 &&
  digits[1]! >= 1 &&
  digits[1]! <= 5 &&
  hasGs1CheckDigit(digits, 0, digits.length)

/** The group's first digit behind the zeros that pad it to the length of the longest card number, as fixed columns do. */
const behindZeros = ({ closes, digits }: Chain, first: number): number => {
  let from = first
  while (digits[from] === 0 && !closes[from]) from++
  return closes.indexOf(true, first) - first < digitsMax ? from : first
}

/**
 * Visa's numbers of 13 digits are no longer issued, and much else has 13 digits from 4 on. They are looked for as they
 * were printed, in one group or as 4-3-3-3; not behind a `+` or zeros, which make a phone number (Germany's and Austria's
 * begin with 4 too). That they have no EAN's check digit is looked at before: a tenth of Germany's and Japan's product
 * codes has both.
 */
const isOldVisa = ({ closes }: Chain, first: number, from: number, isPhone: boolean): boolean => {
  const ends = [...closes.slice(first, first + 13).keys()].filter((index) => closes[first + index]).join()
  return !isPhone && from === first && (ends === "12" || ends === "3,6,9,12")
}

const uuid = /(?<![\da-f-])[\da-f]{8}-[\da-f]{4}-[1-8][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}(?![\da-f-])/gi
const hexDigest = /[\da-f]{32,}/gi
/** How far around a hit an identifier may reach: a SHA-512 digest in hexadecimal digits. */
const identifierReach = 128

/** Whether the digits belong to a UUID, or to a digest in hexadecimal digits with letters among them. */
const isPartOfIdentifier = (bytes: Uint8Array, start: number, end: number, { from, to }: Hit): boolean => {
  const before = Math.max(start, from - identifierReach)
  const around = Buffer.from(bytes.subarray(before, Math.min(end, to + identifierReach))).toString("latin1")
  const covers = (match: RegExpMatchArray) =>
    before + match.index! <= from && to <= before + match.index! + match[0].length
  return (
    [...around.matchAll(uuid)].some(covers) ||
    [...around.matchAll(hexDigest)].some((match) => covers(match) && /[a-f]/i.test(match[0]))
  )
}
