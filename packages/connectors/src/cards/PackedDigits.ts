import { digitsMax } from "./IssuerRanges.ts"
import { cardLength, type Hit, Runs } from "./Tripwire.ts"

/** Behind the number of a packed track 2: separator, expiry with a month that exists, service code, and the issuer's own. */
const trackEnd = /^[dD]\d\d(?:0[1-9]|1[0-2])\d{3,}/
/** Hexadecimal digits of `trackEnd` that are looked at: the shortest it takes. */
const trackEndLength = 8

/**
 * Card data packed two digits to a byte, in a value's hexadecimal digits and in the `bytes` they stand for. A number may
 * begin with any byte, since lengths and tags before it are digits too, or behind a zero that fills a byte; and end with a
 * byte, or before a half that is no digit (`f` fills, `d` separates, `c` is a sign). Places are those of the hexadecimal digits.
 */
export const hitsIn = (hex: Uint8Array, bytes: Uint8Array): Array<Hit> => {
  const hits: Array<Hit> = []
  // Something else than hexadecimal digits is among them: a text.
  if (bytes.length * 2 !== hex.length) return hits
  const runs = new Runs(hex, 0, hex.length)
  while (runs.next()) {
    const track = trackOf(hex, runs)
    // The value goes whole, and what follows on a track may look like another number.
    if (track !== undefined) return [track]
    const { end, start } = runs
    const digits = Array.from(hex.subarray(start, end), (byte) => byte - 0x30)
    const closes = digits.map((_, index) => (start + index) % 2 === 1 || start + index + 1 === end)
    for (let at = start; at < end; at++) {
      // No number begins with a zero.
      if (hex[at] === 0x30 || (at % 2 === 1 && hex[at - 1] !== 0x30)) continue
      const length = cardLength(digits, closes, at - start)
      if (length === 0 || isOfText(bytes, at >> 1, (at + length + 1) >> 1)) continue
      hits.push({ from: at, to: at + length, kind: "card_number", digits: textOf(hex, at, at + length) })
      at += length - 1
    }
  }
  return hits
}

/** Track 2 whose number ends with a stretch of digits, whatever its check digit. */
const trackOf = (hex: Uint8Array, { end, start }: { readonly start: number; readonly end: number }) => {
  if (!trackEnd.test(textOf(hex, end, end + trackEndLength))) return undefined
  const from = Math.max(start, end - digitsMax)
  const hit: Hit = { from, to: end, kind: "track_data", digits: textOf(hex, from, end) }
  return hit
}

const textOf = (hex: Uint8Array, from: number, to: number): string =>
  Buffer.from(hex.subarray(from, to)).toString("latin1")

/** Printable bytes around a number, beside its own, that make it a part of a text. */
const neighboursMin = 3

/**
 * Whether bytes are of a text: figures alone, or printable ones with more of them around. Most letters and all figures
 * are two digits in hexadecimal, so that words would be numbers; one packed number in sixty has only such bytes.
 */
const isOfText = (bytes: Uint8Array, from: number, to: number): boolean => {
  const own = bytes.subarray(from, to)
  if (!own.every(isPrintable)) return false
  let start = from
  while (start > from - neighboursMin && isPrintable(bytes[start - 1])) start--
  let end = to
  while (end < to + neighboursMin && isPrintable(bytes[end])) end++
  return from - start + end - to >= neighboursMin || own.every((byte) => byte >= 0x30 && byte <= 0x39)
}

const isPrintable = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x20 && byte <= 0x7e
