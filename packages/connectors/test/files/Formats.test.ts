import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import type { ColumnType } from "@northstar/core/Column"
import type { Format } from "../../src/files/FileContract.ts"
import { converter } from "../../src/files/Formats.ts"
import { daysOf, Zone } from "../../src/files/LocalTime.ts"

const converted = (format: Format, kind: ColumnType["kind"], text: string, zone = "Europe/Berlin") => {
  const one = converter(format, { kind } as ColumnType, new Zone(zone))
  const bytes = Buffer.from(`<${text}>`)
  const length = one.convert(bytes, 1, bytes.length - 1)
  return length < 0 ? undefined : one.out.toString("utf8", 0, length)
}

const time = (pattern: string): Format => ({ kind: "time", pattern })

it("local times become instants of the contract's zone, the skipped hour none, the doubled hour its first", () => {
  const at = (text: string) => converted(time("dd.MM.yyyy HH:mm"), "timestamptz", text)
  assert.strictEqual(at("23.11.2026 14:05"), "2026-11-23 14:05:00+01:00")
  assert.strictEqual(at("01.07.2026 00:00"), "2026-07-01 00:00:00+02:00")
  assert.strictEqual(at("29.03.2026 01:59"), "2026-03-29 01:59:00+01:00")
  assert.isUndefined(at("29.03.2026 02:30"))
  assert.strictEqual(at("29.03.2026 03:00"), "2026-03-29 03:00:00+02:00")
  assert.strictEqual(at("25.10.2026 02:30"), "2026-10-25 02:30:00+02:00")
  assert.strictEqual(at("25.10.2026 03:00"), "2026-10-25 03:00:00+01:00")
  assert.strictEqual(
    converted(time("yyyyMMddHHmmss"), "timestamptz", "20260701120000", "America/New_York"),
    "2026-07-01 12:00:00-04:00"
  )
  assert.strictEqual(
    converted(time("M/d/yyyy H:mm"), "timestamptz", "7/4/2026 9:05", "Asia/Kolkata"),
    "2026-07-04 09:05:00+05:30"
  )
})

it("only what is exactly as the format says is converted", () => {
  const at = (text: string) => converted(time("dd.MM.yyyy HH:mm"), "timestamptz", text)
  for (const text of [
    "",
    "1.11.2026 14:05",
    "31.11.2026 14:05",
    "29.02.2027 10:00",
    "23.11.26 14:05",
    "23.11.2026 24:00",
    "23.11.2026 14:05 ",
    "23.11.2026",
    "2026-11-23 14:05"
  ]) {
    assert.isUndefined(at(text), text)
  }
  assert.strictEqual(at("29.02.2028 10:00"), "2028-02-29 10:00:00+01:00")
})

it("each day is held against its own month, whatever month was read before", () => {
  const one = converter(time("dd.MM.yyyy"), { kind: "date" }, new Zone("UTC"))
  const at = (text: string) => {
    const length = one.convert(Buffer.from(text), 0, text.length)
    return length < 0 ? undefined : [one.out.toString("latin1", 0, length), one.seconds / 86_400]
  }
  assert.deepStrictEqual(at("31.12.2026"), ["2026-12-31", daysOf(2026, 12, 31)])
  assert.isUndefined(at("31.02.2027"))
  assert.deepStrictEqual(at("28.02.2027"), ["2027-02-28", daysOf(2027, 2, 28)])
  assert.isUndefined(at("29.02.2027"))
  assert.deepStrictEqual(at("29.02.2028"), ["2028-02-29", daysOf(2028, 2, 29)])
  assert.isUndefined(at("31.13.2028"))
  assert.deepStrictEqual(at("31.01.2028"), ["2028-01-31", daysOf(2028, 1, 31)])
  assert.deepStrictEqual(at("01.12.0001"), ["0001-12-01", daysOf(1, 12, 1)])
})

it("ISO times keep their offset and their digits; without an offset they are local", () => {
  const at = (text: string) => converted(time("iso"), "timestamptz", text)
  assert.strictEqual(at("2026-11-23T14:05:06Z"), "2026-11-23 14:05:06+00:00")
  assert.strictEqual(at("2026-11-23 14:05:06.123456-0530"), "2026-11-23 14:05:06.123456-05:30")
  assert.strictEqual(at("2026-11-23T14:05:06.050"), "2026-11-23 14:05:06.050+01:00")
  assert.strictEqual(at("2026-11-23T14:05+02"), "2026-11-23 14:05:00+02:00")
  assert.isUndefined(at("2026-11-23T14:05:06.1234567Z"))
  assert.isUndefined(at("2026-11-23"))
  assert.strictEqual(converted(time("iso"), "timestamp", "2026-11-23T14:05:06"), "2026-11-23 14:05:06")
  assert.isUndefined(converted(time("iso"), "timestamp", "2026-11-23T14:05:06Z"))
  assert.strictEqual(converted(time("dd/MM/yyyy"), "date", "03/02/2026"), "2026-02-03")
})

it("numbers lose their grouping only where it groups", () => {
  const number = (text: string, group?: "." | "'") =>
    converted({ kind: "number", decimal: ",", ...(group && { group }) }, "decimal", text)
  assert.strictEqual(number("1234,50"), "1234.50")
  assert.strictEqual(number("-0,5"), "-0.5")
  assert.strictEqual(number("+7"), "7")
  assert.strictEqual(number("1.234.567,8", "."), "1234567.8")
  assert.strictEqual(number("1234,8", "."), "1234.8")
  for (const text of ["", "-", ",5", "5,", "1.5", "1,2,3", "1 000", "12a", "1e3"])
    assert.isUndefined(number(text), text)
  for (const text of ["1.5", "1.23,4", "1234.567,8", ".123", "1..234", "1.234.5"])
    assert.isUndefined(number(text, "."), text)
})

it("booleans are the listed texts", () => {
  const yes = (text: string) => converted({ kind: "boolean", true: ["J", "ja"], false: ["N"] }, "boolean", text)
  assert.deepStrictEqual(["J", "ja", "N", "n", ""].map(yes), ["t", "t", "f", undefined, undefined])
})

it.effect.prop(
  "every instant's local time leads back to it, but for the second of a doubled hour",
  {
    seconds: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_000_000_000 }))),
    zone: Schema.Literals(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
  },
  ({ seconds, zone }) =>
    Effect.sync(() => {
      const clock = new Zone(zone)
      const shown = new Intl.DateTimeFormat("sv-SE", {
        timeZone: zone,
        dateStyle: "short",
        timeStyle: "medium"
      }).format(seconds * 1_000)
      const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = shown.split(/[- :]/).map(Number)
      const local = daysOf(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
      const back = local - clock.offset(local)
      // A doubled hour (half an hour on Lord Howe) is read as its first.
      assert.include([0, 1_800, 3_600], seconds - back)
    }),
  { arbitrary: { runs: 300 } }
)
