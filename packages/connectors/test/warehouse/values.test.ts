import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Law } from "@northstar/core/testing"
import { changesOf } from "./Changes.ts"
import { fresh, scene } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-values-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const values = Table.make("values", {
  columns: {
    id: Column.int64,
    int16: Column.nullable(Column.int16),
    int32: Column.nullable(Column.int32),
    int64: Column.nullable(Column.int64),
    wide: Column.nullable(Column.decimal(38, 0)),
    money: Column.nullable(Column.decimal(12, 2)),
    float32: Column.nullable(Column.float32),
    float64: Column.nullable(Column.float64),
    boolean: Column.nullable(Column.boolean),
    text: Column.nullable(Column.text),
    date: Column.nullable(Column.date),
    time: Column.nullable(Column.time),
    timestamp: Column.nullable(Column.timestamp),
    timestamptz: Column.nullable(Column.timestamptz),
    uuid: Column.nullable(Column.uuid),
    bytes: Column.nullable(Column.bytes),
    json: Column.nullable(Column.json)
  },
  key: ["id"],
  event: { column: "timestamptz", zone: "Pacific/Auckland" }
})
type Name = Exclude<keyof typeof values.columns, "id">

const { put } = changesOf("values")
const nines = "9".repeat(38)
const emoji = "🧾 naïve\u0301 \t\n\"'\\ \u007f"

/** Source texts by column that arrive, with the text that DuckDB prints where it is another. */
const arriving: Readonly<Record<Name, ReadonlyArray<string | readonly [source: string, shown: string]>>> = {
  int16: ["-32768", "32767", "0"],
  int32: ["-2147483648", "2147483647"],
  int64: ["-9223372036854775808", "9223372036854775807"],
  wide: [nines, `-${nines}`, ["-0", "0"]],
  money: ["9999999999.99", "-0.01", ["5", "5.00"], ["1.500", "1.50"]],
  float32: [
    "0.1",
    ["-0", "-0.0"],
    ["NaN", "nan"],
    ["Infinity", "inf"],
    ["-Infinity", "-inf"],
    "3.4028235e+38",
    "1e-45"
  ],
  float64: [
    "0.1",
    ["-0", "-0.0"],
    ["NaN", "nan"],
    ["Infinity", "inf"],
    "1.7976931348623157e+308",
    "5e-324",
    "0.30000000000000004"
  ],
  boolean: [
    ["t", "true"],
    ["f", "false"]
  ],
  text: ["", emoji, "NULL", " x "],
  date: ["2024-02-29", ["0044-03-15 BC", "0044-03-15 (BC)"], "5874897-12-31", "infinity", "-infinity"],
  time: ["00:00:00", "23:59:59.999999", "24:00:00"],
  timestamp: [
    "2024-02-29 12:00:00.000001",
    ["0044-03-15 00:00:00.5 BC", "0044-03-15 (BC) 00:00:00.5"],
    "10000-01-01 00:00:00",
    "294246-12-31 23:59:59.999999",
    "infinity",
    "-infinity"
  ],
  timestamptz: [
    "2024-02-29 12:00:00.000001+00",
    ["2024-07-01 12:00:00+05:30", "2024-07-01 06:30:00+00"],
    ["4713-11-24 00:00:00+00 BC", "4713-11-24 (BC) 00:00:00+00"],
    "infinity",
    "-infinity",
    "294246-12-31 23:59:59+00"
  ],
  uuid: ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  bytes: [
    ["\\x", ""],
    ["\\x00ff27", "\\x00\\xFF\\x27"]
  ],
  json: ['{"n": 12345678901234567890.123456789012345678901}', "null", "[]"]
}

/** PostgreSQL's own types, which print more than other sources may: days of all eras, 24:00:00 and infinity. */
const types = {
  date: "date",
  time: "time without time zone",
  timestamp: "timestamp(6) without time zone",
  timestamptz: "timestamp with time zone"
}

/** Texts of sources whose types say nothing, by column, that no value of the type equals. */
const refused: Readonly<Partial<Record<Name, ReadonlyArray<string>>>> = {
  int16: ["32768", "1.5", "15e-1", "1_0", " 1", ""],
  int32: ["2147483648", "0x1f"],
  int64: ["9223372036854775808", "NaN"],
  wide: [`1${nines}`, "0.5", "NaN"],
  money: ["10000000000.00", "0.001", "1e1", "NaN", "Infinity"],
  float32: ["1e39", "x"],
  float64: ["1e400", "1,5"],
  boolean: ["maybe", ""],
  date: ["2024-02-30", "2024-01-01 10:00:00", "epoch", "2024-1-1", "infinity", "0000-01-01", "10000-01-01"],
  time: ["25:00:00", "24:00:00", "12:30", "12:00:00.1234567", "12:00:00+02", "12:00:60"],
  timestamp: ["294276-12-31 23:59:59", "2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00+02", "2024-01-01"],
  timestamptz: ["294276-12-31 23:59:59+00", "2024-01-01 00:00:00.1234567+00", "now", "2024-01-01 00:00:00 UTC"],
  uuid: ["00000000", "{00000000-0000-0000-0000-000000000000}", "0".repeat(32)],
  bytes: ["\\x0", "\\xzz", "00"]
}

layer(fresh([values], root))("values", (it) => {
  it.effect(
    "V1 lossless: a value of each type arrives as it is",
    Effect.fnUntraced(function* () {
      const { load, query, segment } = yield* scene([values])
      const good = Object.entries(arriving).flatMap(([name, texts]) =>
        texts.map((text) => ({
          name,
          source: typeof text === "string" ? text : text[0],
          shown: typeof text === "string" ? text : text[1]
        }))
      )
      const changes = good.map(({ name, source }, index) => put(index + 1, { id: `${index}`, [name]: source }))
      yield* load([yield* segment(values, changes, { types })])
      const columns = Object.keys(values.columns).map((name) => `CAST("${name}" AS VARCHAR) AS "${name}"`)
      const rows = yield* query(`SELECT ${columns.join(", ")} FROM curated."values" ORDER BY CAST(id AS INTEGER)`)
      const seen = rows.map((row) =>
        Object.entries(row).flatMap(([name, text]) =>
          name === "id" || text === null ? [] : [`${name} ${text as string}`]
        )
      )
      assert.deepStrictEqual(
        seen,
        good.map(({ name, shown }) => [`${name} ${shown}`])
      )
    })
  )

  it.effect(
    "V1 lossless: a text that is no value of its type is set aside with the column's name",
    Effect.fnUntraced(function* () {
      const { publish, query } = yield* scene([values])
      const bad = Object.entries(refused).flatMap(([name, texts]) => texts.map((source) => ({ name, source })))
      yield* publish(bad.map(({ name, source }, index) => put(index + 1, { id: `${index}`, [name]: source })))
      const aside = yield* query("SELECT reason, source_values AS kept FROM northstar.quarantine ORDER BY version")
      assert.deepStrictEqual(
        aside.map(({ reason, kept }) => [
          reason,
          (JSON.parse(String(kept)) as Record<string, string>)[String(reason).split(":")[1] ?? ""]
        ]),
        bad.map(({ name, source }) => [`unparseable:${name}`, source])
      )
    })
  )

  const law = Law.property(
    "V1 lossless: any number, text and time comes back as the same value",
    { input: Arbitrary.array(anyRow(), { minLength: 1, maxLength: 60 }), runs: 10, size: 40 },
    Effect.fnUntraced(function* (rows) {
      const { publish, query } = yield* scene([values])
      yield* publish(rows.map((row, index) => put(index + 1, { id: `${index}`, ...row.texts })))
      const found = yield* query(
        `SELECT CAST(int64 AS VARCHAR) AS int64, CAST(money AS VARCHAR) AS money, float64, text, json, CAST(epoch_us(timestamptz) AS VARCHAR) AS us FROM curated."values" ORDER BY CAST(id AS INTEGER)`
      )
      const aside = yield* query("SELECT reason FROM northstar.quarantine")
      yield* Law.same("what is set aside", aside, [])
      yield* Law.same(
        "the values",
        found,
        rows.map(({ shown }) => shown)
      )
    })
  )
  it.effect(law.name, () => law.check, 120_000)
})

function anyRow() {
  const Any = Schema.Struct({
    big: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n })),
    cents: Schema.Int.check(Schema.isBetween({ minimum: -99_999_999_999, maximum: 99_999_999_999 })),
    float: Schema.Finite,
    text: Schema.String,
    // Years 1 to 9999, in which both sides print alike.
    us: Schema.Int.check(Schema.isBetween({ minimum: -62_135_596_800_000, maximum: 253_402_300_799_999 }))
  })
  return Arbitrary.map(Arbitrary.schema(Any), ({ big, cents, float, text, us }) => {
    // PostgreSQL's text and JSON hold no NUL, and UTF-8 no half of a pair.
    const clean = text.replaceAll("\0", "").toWellFormed()
    const sign = cents < 0 ? "-" : ""
    const money = `${sign}${Math.trunc(Math.abs(cents) / 100)}.${String(Math.abs(cents) % 100).padStart(2, "0")}`
    const at = new Date(us).toISOString().replace("T", " ").replace("Z", "+00")
    return {
      texts: {
        int64: `${big}`,
        money,
        float64: Object.is(float, -0) ? "-0" : `${float}`,
        text: clean,
        json: JSON.stringify(clean),
        timestamptz: at
      },
      shown: {
        int64: `${big}`,
        money,
        float64: float,
        text: clean,
        json: JSON.stringify(clean),
        us: `${BigInt(us) * 1000n}`
      }
    }
  })
}
