import { assert, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import { opUpsert } from "../../src/landing/Block.ts"
import { BlockBuilder, relation } from "../../src/landing/BlockBuilder.ts"
import { rowsOf } from "./Fixture.ts"

const shape = relation(
  "public.t",
  ["a", 'b"', "c"].map((name) => ({ name, type: "text", key: name === "a" }))
)

it("a block holds exactly the texts, absences and unchanged columns that were put in", () => {
  const cell = FastCheck.oneof(
    FastCheck.string({ unit: "grapheme", maxLength: 120 }),
    FastCheck.constant(null),
    FastCheck.constant(undefined)
  )
  FastCheck.assert(
    FastCheck.property(FastCheck.array(FastCheck.tuple(cell, cell, cell), { maxLength: 300 }), (rows) => {
      const builder = new BlockBuilder(shape)
      for (const [index, row] of rows.entries()) {
        builder.begin(opUpsert, BigInt(index), 0, 0n)
        for (const [column, text] of row.entries()) {
          const bytes = Buffer.from(`<${text ?? ""}>`)
          if (typeof text === "string") builder.value(column, bytes, 1, bytes.length - 1)
          if (text === undefined) builder.unchanged(column)
        }
      }
      const names = shape.columns.map((column) => column.name)
      assert.deepStrictEqual(
        rowsOf([builder.finish()]).map((row) => [Object.values(row.values), row.unchanged]),
        rows.map((row) => {
          const unchanged = names.filter((_, column) => row[column] === undefined)
          return [row.map((text) => text ?? null), unchanged.length > 0 ? JSON.stringify(unchanged) : null]
        })
      )
    }),
    { numRuns: 100 }
  )
})
