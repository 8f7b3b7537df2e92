import { DateTime } from "effect"

/** The parts of an instant that a clock on the wall of a zone shows. */
export const wallClock = (atMs: number, zone: string) => {
  const parts = DateTime.toParts(DateTime.makeZonedUnsafe(atMs, { timeZone: zone }))
  const two = (value: number) => String(value).padStart(2, "0")
  return {
    year: String(parts.year),
    month: two(parts.month),
    day: two(parts.day),
    hour: two(parts.hour),
    minute: two(parts.minute),
    second: two(parts.second)
  }
}

/** Day of an instant in a zone as `20101203`. */
export const compactDay = (atMs: number, zone: string): string => {
  const { day, month, year } = wallClock(atMs, zone)
  return `${year}${month}${day}`
}
