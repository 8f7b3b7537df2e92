import { describe, expect, it } from "@effect/vitest"
import type { ColumnType } from "@northstar/core/Column"
import { DuckDBInstance } from "@duckdb/node-api"
import { Effect } from "effect"
import { canonicalDuckDb, digestDuckDb } from "../../src/duckdb/Canonical.ts"
import { duckdb } from "../../src/duckdb/DuckDbDialect.ts"
import * as Postgres from "../../src/local/Postgres.ts"
import { canonicalPostgres, digestPostgres } from "../../src/postgres/Auditor.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import { literal } from "../../src/postgres/Sql.ts"
import { columnType, isOrderedAlike } from "../../src/postgres/Types.ts"
import { rowText } from "../../src/warehouse/RowText.ts"

/** A source type, values worth trying (`null` too), and an SQL expression of further ones, `r` being random in [0, 1). */
interface Case {
  readonly type: string
  readonly values: ReadonlyArray<string>
  readonly random: string
}

const sign = "(CASE WHEN random() < 0.5 THEN -1 ELSE 1 END)"
const cases: ReadonlyArray<Case> = [
  { type: "smallint", values: ["0", "-32768", "32767"], random: `(r * 65535 - 32768)::int::smallint` },
  { type: "integer", values: ["0", "-2147483648", "2147483647"], random: `(r * 4294967295 - 2147483648)::bigint::int` },
  {
    type: "bigint",
    values: ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"],
    random: `${sign} * (r * 9e18)::bigint`
  },
  {
    type: "numeric(12,2)",
    values: ["0", "-0.05", "0.5", "-1", "9999999999.99", "-9999999999.99"],
    random: `${sign} * r * 1e10::numeric`
  },
  { type: "numeric(2,2)", values: ["0", "-0.5", "0.05", "0.99", "-0.99"], random: `r * 0.98` },
  {
    type: "numeric(38,0)",
    values: ["0", "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"],
    random: `r * 1e30`
  },
  {
    type: "numeric(38,38)",
    values: ["0", "-0.1", "0.00000000000000000000000000000000000001"],
    random: `r::numeric * 0.9`
  },
  { type: "numeric(2,5)", values: ["0", "0.00099", "-0.00001"], random: `r * 0.0009` },
  { type: "numeric(5,-2)", values: ["0", "1234500", "-9999900"], random: `r * 9000000` },
  {
    type: "real",
    values: ["0", "-0", "0.1", "1e-45", "3.4028235e38", "-3.4028235e38", "NaN", "Infinity", "-Infinity", "16777217"],
    random: `(${sign} * r * 10 ^ (random() * 60 - 30))::float4`
  },
  {
    type: "double precision",
    values: [
      "0",
      "-0",
      "0.1",
      "5e-324",
      "1.7976931348623157e308",
      "2.2250738585072014e-308",
      "NaN",
      "Infinity",
      "-Infinity"
    ],
    random: `${sign} * r * 10 ^ (random() * 600 - 300)`
  },
  { type: "boolean", values: ["t", "f"], random: `r < 0.5` },
  {
    type: "text",
    values: ["", " ", "a", "😀👩‍👩‍👧 żółć", "\u001f=~", "line\nline\r\t", "\\x00 'quoted' \"\\", "\u{10ffff}", "e\u0301é"],
    random: `repeat(chr(1 + (r * 55000)::int), 1 + (r * 99)::int)`
  },
  { type: "character(5)", values: ["", "ab", "abcde"], random: `left(r::text, 4)` },
  { type: "character varying(9)", values: ["", "ab "], random: `left(r::text, 9)` },
  {
    type: "date",
    values: [
      "1970-01-01",
      "1969-12-31",
      "0001-01-01",
      "0001-12-31 BC",
      "4713-01-01 BC",
      "5874897-12-31",
      "infinity",
      "-infinity",
      "2024-02-29"
    ],
    random: `date '4000-01-01 BC' + (r * 9000000)::int`
  },
  {
    type: "time without time zone",
    values: ["00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.000001"],
    random: `time '00:00' + r * interval '24 hours'`
  },
  {
    type: "timestamp without time zone",
    values: [
      "1970-01-01 00:00:00",
      "1969-12-31 23:59:59.999999",
      "0044-03-15 12:00:00.5 BC",
      "4713-01-01 00:00:00 BC",
      "294246-12-31 23:59:59.999999",
      "infinity",
      "-infinity"
    ],
    random: `timestamp '4000-01-01 BC' + r * interval '290000 years'`
  },
  {
    type: "timestamp with time zone",
    values: [
      "1970-01-01 00:00:00+00",
      "2024-10-27 01:30:00.000001+02",
      "0044-03-15 12:00:00 BC",
      "infinity",
      "-infinity",
      "294246-12-31 23:59:59.999999+00"
    ],
    random: `timestamptz '4000-01-01 BC' + r * interval '290000 years'`
  },
  {
    type: "uuid",
    values: [
      "00000000-0000-0000-0000-000000000000",
      "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
      "7fffffff-0000-4000-8000-000000000001"
    ],
    random: `gen_random_uuid()`
  },
  { type: "bytea", values: ["\\x", "\\x00", "\\x00ff5c27", "\\xdeadbeef"], random: `sha256(r::text::bytea)` },
  { type: "json", values: ['{"b": 1, "a":1.10, "a": 2}', "null", "[]", '"\\u00e9"'], random: `to_json(r)` },
  { type: "jsonb", values: ['{"b": 1, "a": 1.10}', "12345678901234567890.10", "null"], random: `to_jsonb(r)` },
  { type: "integer[]", values: ["{}", "{1,NULL,3}", "{{1},{2}}"], random: `ARRAY[(r * 9)::int]` },
  { type: "interval", values: ["1 mon -1 days +00:00:00.000001", "0"], random: `r * interval '900 days'` },
  { type: "inet", values: ["10.0.0.1", "10.0.0.0/8", "::1"], random: `inet '10.0.0.0' + (r * 1000)::int` },
  { type: "numeric", values: ["0", "1.10", "NaN", "Infinity", "1e-50", "1e50"], random: `r::numeric` }
]

describe("canonical texts", () => {
  it.live(
    "V1 lossless: PostgreSQL and DuckDB give the same canonical text and digest of every value",
    () =>
      Effect.gen(function* () {
        const server = yield* Postgres.start()
        const connection = yield* Connection.open({ url: server.url })
        const warehouse = yield* openDuckDb
        yield* connection.query("SELECT setseed(0.42)")
        for (const { random, type, values } of cases) {
          const source = yield* connection.query(sourceSql(type, values, random))
          const curated = yield* warehouse(
            curatedSql(
              columnType(type),
              source.map((row) => row[0] ?? null)
            )
          )
          expect([type, source.length]).toEqual([type, values.length + 301])
          expect({ type, rows: curated }).toEqual({ type, rows: source.map((row) => row.slice(1)) })
          const nulls = curated.flatMap((row, n) => (row[0] === null ? [n] : []))
          expect([type, nulls]).toEqual([type, [curated.length - 1]])
        }
      }),
    60_000
  )

  it.live("types that are said to be ordered alike are: both engines sort the same values the same way", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.start()
      const connection = yield* Connection.open({ url: server.url })
      const warehouse = yield* openDuckDb
      const alike = cases.filter(({ type }) => isOrderedAlike(type, true))
      expect(alike.length).toBeGreaterThan(15)
      for (const { random, type, values } of alike) {
        const source = yield* connection.query(
          `SELECT x::text FROM (${valuesSql(type, values, random)}) t WHERE x IS NOT NULL ORDER BY t.x`
        )
        const texts = source.map((row) => quote(row[0] ?? null))
        const parsed = duckdb.parse("v", columnType(type))
        const curated = yield* warehouse(
          `SELECT v FROM (VALUES ${texts.map((text, n) => `(${n}, ${text})`).join(", ")}) t(n, v) ORDER BY ${parsed}, n`
        )
        expect({ type, rows: curated }).toEqual({ type, rows: source })
      }
    })
  )

  it.live("rows that differ in NULL, empty texts or where a value stands have different texts", () =>
    Effect.gen(function* () {
      const warehouse = yield* openDuckDb
      const rows = [
        ["a", null],
        ["a", ""],
        [null, "a"],
        ["", "a"],
        [null, null],
        ["", ""],
        ["~", null],
        ["a", "~"],
        ["=", ""]
      ]
      const texts = rows.map((row) => rowText(row.map((value) => (value === null ? "NULL" : literal(value)))))
      const [digests] = yield* warehouse(`SELECT ${texts.map(digestDuckDb).join(", ")}`)
      expect(new Set(digests).size).toBe(rows.length)
      const server = yield* Postgres.start()
      const connection = yield* Connection.open({ url: server.url })
      expect(yield* connection.query(`SELECT ${texts.map(digestPostgres).join(", ")}`)).toEqual([digests])
    })
  )
})

/** Column `x`: the values, random ones and NULL, in the order of `part` and `n`. */
const valuesSql = (type: string, values: ReadonlyArray<string>, random: string): string => `
  SELECT 0 AS part, n, v::${type} AS x FROM unnest(ARRAY[${values.map(literal).join(", ")}]::text[]) WITH ORDINALITY t(v, n)
  UNION ALL SELECT 1, n, (${random})::${type} FROM (SELECT n, random() AS r FROM generate_series(1, 300) n) t
  UNION ALL SELECT 2, 0, NULL`

/** Per value: its text as replication sends it, its canonical text, its digest. The last one is NULL. */
const sourceSql = (type: string, values: ReadonlyArray<string>, random: string): string => {
  const canonical = canonicalPostgres("x", columnType(type))
  return `SELECT CASE WHEN x IS NOT NULL THEN concat(x) END, ${canonical}, (${digestPostgres(canonical)})::text
    FROM (${valuesSql(type, values, random)}) t ORDER BY part, n`
}

const curatedSql = (type: ColumnType, texts: ReadonlyArray<string | null>): string => {
  const canonical = canonicalDuckDb("x", type)
  const rows = texts.map((text, n) => `(${n}, ${quote(text)})`)
  return `SELECT ${canonical}, (${digestDuckDb(canonical)})::VARCHAR
    FROM (SELECT n, ${duckdb.parse("v", type)} AS x FROM (VALUES ${rows.join(", ")}) t(n, v)) ORDER BY n`
}

/** DuckDB knows no backslash escapes. */
const quote = (text: string | null): string => (text === null ? "NULL" : `'${text.replaceAll("'", "''")}'`)

const openDuckDb = Effect.gen(function* () {
  const connection = yield* Effect.acquireRelease(
    Effect.promise(async () => (await DuckDBInstance.create(":memory:")).connect()),
    (connection) => Effect.sync(() => connection.closeSync())
  )
  yield* Effect.promise(() => connection.run("SET TimeZone = 'UTC'"))
  return (sql: string) =>
    Effect.promise(async () =>
      (await connection.runAndReadAll(sql))
        .getRows()
        .map((row) => row.map((value) => (value === null ? null : String(value))))
    )
})
