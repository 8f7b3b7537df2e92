import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { DuckDBInstance } from "@duckdb/node-api"
import { Effect, Schema } from "effect"
import * as Parquet from "../../src/landing/Parquet.ts"
import { block, relation, type TestRow } from "./Blocks.ts"

/** The file's rows as an independent reader sees them. */
const readBack = (file: Uint8Array) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-parquet-"))),
    (folder) =>
      Effect.promise(async () => {
        const path = join(folder, "segment.parquet")
        writeFileSync(path, file)
        const connection = await (await DuckDBInstance.create(":memory:")).connect()
        try {
          await connection.run("SET TimeZone = 'UTC'")
          const rows = await connection.runAndReadAll(`SELECT * FROM read_parquet('${path}')`)
          const types = await connection.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${path}')`)
          return { rows: rows.getRows(), types: types.getRows().map((row) => [row[0], row[1]]) }
        } finally {
          connection.closeSync()
        }
      }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

const expected = (rows: ReadonlyArray<TestRow>) =>
  rows.map((row) => [
    row.op ?? 1,
    row.position ?? 1n,
    row.ordinal ?? 0,
    row.committedAtUs ?? 0n,
    row.unchanged ?? null,
    row.movedFrom ?? null,
    row.flagged ?? null,
    ...row.values
  ])

const orders = relation("public.orders", ["id", "note"])

it.effect("a segment has the system columns and then the relation's as text", () =>
  Effect.gen(function* () {
    const { types } = yield* readBack(yield* Parquet.encode([block(orders, [{ values: ["1", null] }])]))
    assert.deepStrictEqual(types, [
      ["_op", "INTEGER"],
      ["_position", "BIGINT"],
      ["_ordinal", "INTEGER"],
      ["_committed_at", "BIGINT"],
      ["_unchanged", "VARCHAR"],
      ["_moved_from", "VARCHAR"],
      ["_flagged", "VARCHAR"],
      ["id", "VARCHAR"],
      ["note", "VARCHAR"]
    ])
  })
)

const Text = Schema.NullOr(
  Schema.Union([Schema.String, Schema.Literals(["", "0", "é", "🛒👩‍👩‍👧", "\u0001\n\t\"'", "x".repeat(5000)])])
)
const Row = Schema.Struct({
  op: Schema.Literals([1, 2, 3]),
  position: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n })),
  ordinal: Schema.Int.check(Schema.isBetween({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })),
  committedAtUs: Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: 0n, maximum: 4_102_444_800_000_000n })),
  values: Schema.Tuple([Text, Text, Text]),
  unchanged: Text,
  movedFrom: Text,
  flagged: Text
})

/** Lone surrogates have no UTF-8 form and cannot reach a block. */
const wellFormed = (row: typeof Row.Type): TestRow => {
  const text = (value: string | null) => (value === null ? null : value.toWellFormed())
  return {
    ...row,
    values: row.values.map(text),
    unchanged: text(row.unchanged),
    movedFrom: text(row.movedFrom),
    flagged: text(row.flagged)
  }
}

it.effect.prop(
  "V1 lossless: an independent reader finds every value of a random block",
  [Schema.NonEmptyArray(Row)],
  ([random]) =>
    Effect.gen(function* () {
      const rows = random.map(wellFormed)
      const read = yield* readBack(yield* Parquet.encode([block(relation("public.t", ["a", "b", "C d"]), rows)]))
      assert.deepStrictEqual(read.rows, expected(rows))
    }),
  { arbitrary: { runs: 40 } }
)

it.effect("V1 lossless: columns of several pages and row groups, with nulls and one long value, read back", () =>
  Effect.gen(function* () {
    const rows = Array.from({ length: 230_000 }, (_, index): TestRow => ({
      position: BigInt(index),
      ordinal: index % 7,
      values: [String(index), index % 3 === 0 ? null : `n${"ö".repeat(index % 40)}`]
    }))
    rows[1234] = { values: ["long", "é".repeat(3_000_000)] }
    const read = yield* readBack(yield* Parquet.encode([block(orders, rows)]))
    assert.strictEqual(read.rows.length, rows.length)
    assert.isTrue(JSON.stringify(read.rows, big) === JSON.stringify(expected(rows), big))
  })
)

const big = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value)

it.effect("blocks of one shape make the same file as their rows in one block", () =>
  Effect.gen(function* () {
    // Pages that end inside blocks, at their ends and behind several; blocks of one row and of several pages.
    const rows = Array.from({ length: 130_000 }, (_, index): TestRow => ({
      op: index % 5 === 0 ? 2 : 1,
      position: BigInt(index),
      ordinal: index % 7,
      committedAtUs: BigInt(index >> 4),
      values: [String(index), index % 3 === 0 ? null : "n".repeat(index % 90)],
      flagged: index % 1000 === 0 ? "malformed:fields" : null
    }))
    rows[65_000] = { values: ["long", "é".repeat(2_000_000)] }
    const joined = yield* Parquet.encode([block(orders, rows)])
    const starts = [0, 1, 2, 3_000, 9_000, 64_999, 65_001, 65_002, 100_000, 129_999]
    const blocks = starts.map((start, index) => block(orders, rows.slice(start, starts[index + 1])))
    assert.isTrue(Buffer.from(yield* Parquet.encode(blocks)).equals(joined))
    // Once more, in memory that other pages have used.
    assert.isTrue(Buffer.from(yield* Parquet.encode(blocks)).equals(joined))
  })
)

it.effect("a column named like one of the segment's own is refused with what to do", () =>
  Effect.gen(function* () {
    for (const names of [
      ["id", "_op"],
      ["id", "_Position"],
      ["id", "Note", "note"]
    ]) {
      const error = yield* Effect.flip(Parquet.encode([block(relation("public.t", names), [{ values: ["1"] }])]))
      assert.strictEqual(error.reason._tag, "Misconfigured")
      assert.include(error.message, "Rename the column")
    }
  })
)
