import type { ColumnType } from "@northstar/core/Column"

const day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
const clock = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?"
/** Zones of the world reach from -12:00 to +14:00. */
const zone = "(Z|[-+](0[0-9]|1[0-4])(:[0-5][0-9])?)"

/**
 * The texts that are values of a type, as regular expressions of a whole text in the syntax that all engines share: an engine's
 * own cast takes other spellings than the next one's (`2024-1-1`, `12:30`, `{00…}`, `24:00:00`), or rounds them. Digits behind
 * microseconds and a zone where the type has none are not left out, but refused. Without a zone an instant is in UTC.
 */
export const patterns = {
  date: day,
  time: clock,
  timestamp: `${day}[ T]${clock}`,
  timestamptz: `${day}[ T]${clock}${zone}?`,
  uuid: "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
} as const satisfies Partial<Record<ColumnType["kind"], string>>

/** Of a text that matches: days of the years 1 to 9999, those that Snowflake supports. */
export const isOfOurEra = (text: string): string => `${text} >= '0001'`
