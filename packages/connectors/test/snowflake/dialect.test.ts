import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ColumnType } from "@northstar/core/Column"
import { duckdb } from "../../src/duckdb/DuckDbDialect.ts"
import { snowflake } from "../../src/snowflake/SnowflakeDialect.ts"
import type { Dialect } from "../../src/warehouse/Dialect.ts"
import { rowText } from "../../src/warehouse/RowText.ts"
import { openDuck, render } from "../local/snowflake/Duck.ts"

/** Texts to start from, by type; others are made of them by changing characters. */
const cases: ReadonlyArray<{ readonly type: ColumnType; readonly texts: ReadonlyArray<string> }> = [
  {
    type: { kind: "int16" },
    texts: ["-32768", "32767", "0", "32768", "-32769", "1.5", "15e-1", "1_0", " 1", "", "99999"]
  },
  { type: { kind: "int32" }, texts: ["-2147483648", "2147483647", "2147483648", "0x1f", "-0", "007"] },
  { type: { kind: "int64" }, texts: ["-9223372036854775808", "9223372036854775807", "9223372036854775808", "NaN"] },
  {
    type: { kind: "decimal", precision: 38, scale: 0 },
    texts: ["9".repeat(38), `-${"9".repeat(38)}`, "-0", `1${"0".repeat(38)}`, "0.5", "NaN"]
  },
  {
    type: { kind: "decimal", precision: 12, scale: 2 },
    texts: ["9999999999.99", "-0.01", "5", "1.500", "10000000000.00", "0.001", "1e1", "Infinity"]
  },
  { type: { kind: "decimal", precision: 3, scale: 3 }, texts: ["0.125", "-0.5", "0", "1", "-0.001"] },
  {
    type: { kind: "float32" },
    texts: [
      "0.1",
      "-0",
      "NaN",
      "Infinity",
      "-Infinity",
      "3.4028235e+38",
      "1e-45",
      "1e39",
      "16777217",
      "1.1754942e-38",
      "8388608",
      "0.99999994"
    ]
  },
  {
    type: { kind: "float64" },
    texts: [
      "0.1",
      "-0",
      "NaN",
      "Infinity",
      "1.7976931348623157e308",
      "5e-324",
      "0.30000000000000004",
      "1e400",
      "1,5",
      "2.2250738585072014e-308",
      "9007199254740993",
      "0.9999999999999999",
      "1024"
    ]
  },
  { type: { kind: "boolean" }, texts: ["t", "f", "true", "FALSE", "yes", "no", "1", "0", "on", "maybe", ""] },
  { type: { kind: "text" }, texts: ["", "🧾 naïve\u0301 \t\n\"'\\ \u007f", "NULL", " x "] },
  { type: { kind: "json" }, texts: ['{"n": 12345678901234567890.10}', "null"] },
  {
    type: { kind: "date" },
    texts: ["2024-02-29", "0001-01-01", "9999-12-31", "2024-02-30", "2024-01-01 10:00:00", "epoch", "1969-12-31"]
  },
  {
    type: { kind: "time" },
    texts: ["00:00:00", "23:59:59.999999", "12:00:00.5", "25:00:00", "12:00:00.1234567", "12:00:00+02", "12:60:00"]
  },
  {
    type: { kind: "timestamp" },
    texts: [
      "2024-02-29 12:00:00.000001",
      "0001-01-01 00:00:00",
      "9999-12-31 23:59:59.999999",
      "2024-01-01 00:00:00.1234567",
      "2024-01-01 00:00:00+02",
      "2026-11-03T10:11:12.5"
    ]
  },
  {
    type: { kind: "timestamptz" },
    texts: [
      "2024-02-29 12:00:00.000001+00",
      "2024-07-01 12:00:00+05:30",
      "2026-11-03T10:11:12.123456Z",
      "1883-11-18 12:03:58-04",
      "2024-01-01 00:00:00",
      "now"
    ]
  },
  {
    type: { kind: "uuid" },
    texts: ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-4fff-8fff-ffffffffffff", "00000000"]
  },
  { type: { kind: "bytes" }, texts: ["\\x", "\\x00ff27", "\\xDEad", "\\x0", "\\xzz", "00"] }
]

const changed = (texts: ReadonlyArray<string>, count: number): ReadonlyArray<string> => {
  let state = 42
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const alphabet = "0123456789-+.:eETZ _abf\\x,"
  return Array.from({ length: count }, () => {
    let text = texts[random(texts.length)] ?? ""
    for (let edits = 1 + random(2); edits > 0; edits--) {
      const at = random(text.length + 1)
      const added = random(2) === 0 ? alphabet.charAt(random(alphabet.length)) : ""
      text = `${text.slice(0, at)}${added}${text.slice(at + random(2))}`
    }
    return text.toWellFormed()
  })
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`

describe("the Snowflake dialect, read by the local Snowflake", () => {
  it.live("D1 dialects: every text becomes the value that DuckDB's dialect makes of it, or NULL in both", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      const differing: Array<unknown> = []
      for (const { texts, type } of cases) {
        const corpus = [...texts, ...changed(texts, 400)]
        yield* run(
          `CREATE OR REPLACE TABLE "DB"."PUBLIC"."CORPUS" AS SELECT * FROM (VALUES ${corpus.map((text, n) => `(${n}, ${quote(text)})`).join(", ")}) AS t("N", "T")`
        )
        const sql = (dialect: Dialect) =>
          `SELECT ${dialect.canonical("v", type)} AS c FROM (SELECT n, ${dialect.parse("t", type, "text")} AS v FROM db.public.corpus) AS parsed ORDER BY n`
        const ofSnowflake = yield* run(render(sql(snowflake)))
        const ofDuckDb = yield* run(sql(duckdb))
        corpus.forEach((text, n) => {
          const [there, here] = [ofSnowflake[n]?.[0], ofDuckDb[n]?.[0]]
          if (there === here) return
          differing.push([type.kind, text, there, here])
        })
      }
      assert.deepStrictEqual(differing, [])
    })
  )

  /** Expressions of a dialect over the columns of `corpus`; equal texts are expected of both. */
  const expressions = (dialect: Dialect): ReadonlyArray<string> => {
    const { at, day } = dialect.event("moment", { kind: "timestamptz" }, "Pacific/Auckland")
    const local = dialect.event("wall", { kind: "timestamp" }, "Europe/Warsaw")
    const ofDay = dialect.event("wall", { kind: "date" }, "Europe/Warsaw")
    return [
      dialect.jsonArray(["t", "NULL", "'x'"]),
      dialect.jsonArray([]),
      dialect.jsonObject([
        ['a"b\\', "t"],
        ["NULL", "CAST(NULL AS VARCHAR)"]
      ]),
      dialect.jsonAt(dialect.jsonArray(["'y'", "t"]), 1),
      dialect.jsonAt(dialect.jsonArray(["'y'"]), 1),
      `CAST(${dialect.jsonHas(dialect.jsonArray(["t"]), 'say "\\"')} AS VARCHAR)`,
      `CAST(${dialect.jsonHas("CAST(NULL AS VARCHAR)", "a")} AS VARCHAR)`,
      `CAST(${dialect.digest(rowText(["t", "NULL"]))} AS VARCHAR)`,
      `CAST(${dialect.epochMs("moment")} AS VARCHAR)`,
      `CAST(${day} AS VARCHAR)`,
      dialect.canonical(at, { kind: "timestamptz" }),
      dialect.canonical(local.at, { kind: "timestamptz" }),
      `CAST(${local.day} AS VARCHAR)`,
      dialect.canonical(ofDay.at, { kind: "timestamptz" }),
      dialect.canonical(dialect.instant(1_700_000_000_123), { kind: "timestamptz" }),
      dialect.canonical(dialect.instantOfUs("n - 1"), { kind: "timestamptz" })
    ]
  }

  it.live("D1 dialects: instants, days, JSON texts and digests are DuckDB's", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      const texts = ["a", "🧾 żółć /", 'say "\\"', "tab\t line\n \u0001 \u001f \u007f", "", "null"]
      const rows = texts.map(
        (text, n) =>
          `(${n}, ${quote(text)}, TIMESTAMPTZ '1969-12-31 11:30:00.000001+00' + INTERVAL (${n} * 150) DAY, TIMESTAMP '2024-01-31 23:30:00' + INTERVAL (${n} * 40) DAY)`
      )
      yield* run(
        `CREATE TABLE "DB"."PUBLIC"."CORPUS" AS SELECT * FROM (VALUES ${rows.join(", ")}, (9, NULL, NULL, NULL)) AS v("N", "T", "MOMENT", "WALL")`
      )
      for (const [index, expression] of expressions(snowflake).entries()) {
        const other = expressions(duckdb)[index]
        const found = yield* run(render(`SELECT ${expression} AS x FROM db.public.corpus ORDER BY n`))
        assert.deepStrictEqual(found, yield* run(`SELECT ${other} AS x FROM db.public.corpus ORDER BY n`), expression)
      }
    })
  )

  it.live("D1 dialects: the newest value counts though it is NULL, and versions that are NULL do not", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      yield* run(
        `CREATE TABLE "DB"."PUBLIC"."CORPUS" AS SELECT * FROM (VALUES (1, 'a', 1), (1, NULL, 2), (2, 'b', 1), (2, 'c', NULL), (3, 'd', NULL)) AS v("N", "T", "V")`
      )
      const sql = (dialect: Dialect) =>
        `SELECT n, ${dialect.newest("t", "v")} AS x FROM db.public.corpus GROUP BY n ORDER BY n`
      const expected = [
        ["1", null],
        ["2", "b"],
        ["3", null]
      ]
      assert.deepStrictEqual(yield* run(render(sql(snowflake))), expected)
      assert.deepStrictEqual(yield* run(sql(duckdb)), expected)
    })
  )

  it("names of letters of one case stand plain, reserved words and all others are quoted", () => {
    assert.deepStrictEqual(
      ["orders", "ORDERS", "ORDER", "order", "_op", "a b", "Id", 'x"y', "żó", "rows"].map(snowflake.id),
      ["orders", "orders", '"ORDER"', '"ORDER"', "_op", '"a b"', '"Id"', '"x""y"', '"żó"', '"ROWS"']
    )
  })

  it.live("columns of a schema are told by the names and types that were given", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      const types = cases.map(({ type }) => snowflake.type(type))
      const columns = [
        ...types.map((type, n) => [n === 0 ? "order" : `c${n}`, type] as const),
        ["Mixed Case", "VARCHAR"] as const
      ]
      yield* run(render("CREATE SCHEMA curated"))
      yield* run(
        render(
          `CREATE TABLE curated.${snowflake.id("values")} (${columns.map(([name, type]) => `${snowflake.id(name)} ${type}`).join(", ")})`
        )
      )
      const found = yield* run(render(snowflake.columnsOf("curated")))
      assert.deepStrictEqual(
        new Set(found.map((row) => row.join(" "))),
        new Set(columns.map(([name, type]) => `values ${name} ${type}`))
      )
    })
  )

  it("a stage is a temporary table", () => {
    assert.strictEqual(
      snowflake.createStage("stage_orders", [["id", "VARCHAR"]]),
      "CREATE OR REPLACE TEMPORARY TABLE stage_orders (id VARCHAR)"
    )
  })
})
