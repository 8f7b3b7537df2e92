/** Days from 1970-01-01 to a day of the Gregorian calendar (Howard Hinnant's algorithm). `month` from 1. */
export const daysOf = (year: number, month: number, day: number): number => {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** Days of a month, from 1. */
export const daysInMonth = (year: number, month: number): number => daysOf(year, month + 1, 1) - daysOf(year, month, 1)

const quarterHour = 900
const day = 86_400

/** Quarters of an hour whose offset is remembered at most: about 35 years. */
const cachedMax = 1_200_000

/** What a zone's clocks showed when: local times to offsets. */
export class Zone {
  private readonly parts: Intl.DateTimeFormat
  private readonly offsets = new Map<number, number>()

  constructor(name: string) {
    this.parts = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
      era: "short"
    })
  }

  /**
   * Seconds by which a local time (as seconds since 1970 of a clock that shows it) is ahead of UTC: the earlier
   * instant's where the hour occurs twice, NaN where the clocks skip it.
   */
  offset(localSeconds: number): number {
    // All changes of offsets since 1900 were on quarters of an hour.
    const quarter = Math.floor(localSeconds / quarterHour)
    const known = this.offsets.get(quarter)
    if (known !== undefined) return known
    if (this.offsets.size >= cachedMax) this.offsets.clear()
    const offset = this.find(localSeconds)
    this.offsets.set(quarter, offset)
    return offset
  }

  private find(localSeconds: number): number {
    const before = this.offsetAt(localSeconds - day)
    const after = this.offsetAt(localSeconds + day)
    // The greater offset is the earlier instant.
    for (const offset of [Math.max(before, after), Math.min(before, after)]) {
      if (this.offsetAt(localSeconds - offset) === offset) return offset
    }
    return Number.NaN
  }

  private offsetAt(utcSeconds: number): number {
    const part: Record<string, string> = {}
    for (const { type, value } of this.parts.formatToParts(utcSeconds * 1_000)) part[type] = value
    const year = part["era"] === "BC" ? 1 - Number(part["year"]) : Number(part["year"])
    const days = daysOf(year, Number(part["month"]), Number(part["day"]))
    const seconds = Number(part["hour"]) * 3_600 + Number(part["minute"]) * 60 + Number(part["second"])
    return days * day + seconds - utcSeconds
  }
}
