import type { Hit } from "./Tripwire.ts"

/** Bytes of the longest track (ISO/IEC 7813: 79 characters), with a reserve. */
const trackBytesMax = 100
/** Digits that a card number on a track has. */
const digitsMin = 12
const digitsMax = 19

/** Behind the separator: expiry and service code, and what the issuer put there. */
const track1End = /^\^[^^?]{0,40}\^\d{4}[^?]*\??/
const track2End = /^[=D]\d{7,}\??/

/**
 * The track data that a chain of digits is the card number of: `%B<number>^<name>^<expiry and more>?`,
 * `;<number>=<expiry and more>?` or the same with `D`, as a chip gives it. Their form is enough, whatever the check digit.
 */
export const coversTrack = (
  bytes: Uint8Array,
  start: number,
  end: number,
  {
    digits,
    opens,
    places
  }: {
    readonly digits: ReadonlyArray<number>
    readonly opens: ReadonlyArray<boolean>
    readonly places: ReadonlyArray<number>
  }
): Hit | undefined => {
  const behind = (places.at(-1) as number) + 1
  const byte = bytes[behind]
  if (behind >= end || (byte !== 0x5e && byte !== 0x3d && byte !== 0x44)) return undefined
  const rest = Buffer.from(bytes.subarray(behind, Math.min(end, behind + trackBytesMax))).toString("latin1")
  const match = (byte === 0x5e ? track1End : track2End).exec(rest)
  if (match === null) return undefined
  // On track 1 the number may have spaces between, and something before it; on the others it is one group.
  const first =
    byte === 0x5e
      ? opens.findIndex((isOpen, index) => isOpen && digits.length - index <= digitsMax)
      : opens.lastIndexOf(true)
  if (first < 0) return undefined
  const count = digits.length - first
  if (count < digitsMin || count > digitsMax) return undefined
  let from = places[first] as number
  if (byte === 0x5e && from > start && (bytes[from - 1] === 0x42 || bytes[from - 1] === 0x62)) from--
  if (from > start && (bytes[from - 1] === 0x25 || bytes[from - 1] === 0x3b)) from--
  return { from, to: behind + match[0].length, kind: "track_data", digits: digits.slice(first).join("") }
}
