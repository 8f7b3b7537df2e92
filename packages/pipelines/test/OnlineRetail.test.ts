import { readFileSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as OnlineRetail from "../src/shop/OnlineRetail.ts"

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
const csv = (...rows: ReadonlyArray<string>): string => [header, ...rows, ""].join("\n")

it.effect("each of the 14,553 rows becomes exactly one line, in the order of the file", () =>
  Effect.gen(function* () {
    const orders = yield* OnlineRetail.load
    const lines = orders.flatMap(({ number, lines }) =>
      lines.map((line) => `${number} ${line.productCode} ${line.quantity}`)
    )
    expect(lines).toHaveLength(14_553)
    // An independent reading: the first two fields are never quoted, the quantity is the fifth from the end.
    const rows = readFileSync(OnlineRetail.file, "utf8").trimEnd().split("\n").slice(1)
    const expected = rows.map((row) => {
      const [number, code] = row.split(",")
      return `${number} ${code} ${row.split(",").at(-5)}`
    })
    expect(lines.toSorted()).toEqual(expected.toSorted())
  })
)

it.effect("the lines add up to £251,785.05", () =>
  Effect.gen(function* () {
    const lines = (yield* OnlineRetail.load).flatMap(({ lines }) => lines)
    expect(lines.reduce((sum, line) => sum + line.unitPriceMinor * BigInt(line.quantity), 0n)).toBe(25_178_505n)
  })
)

it.effect("negative quantities belong to credits and adjustments, prices of adjustments are zero", () =>
  Effect.gen(function* () {
    const orders = yield* OnlineRetail.load
    const kinds = Map.groupBy(orders, ({ kind }) => kind)
    expect([...kinds].map(([kind, { length }]) => [kind, length])).toEqual([
      ["sale", 562],
      ["credit", 70],
      ["adjustment", 66]
    ])
    const lines = (kind: "sale" | "credit" | "adjustment") => kinds.get(kind)?.flatMap(({ lines }) => lines) ?? []
    expect(lines("sale").filter(({ quantity }) => quantity < 0)).toHaveLength(0)
    expect(lines("credit").filter(({ quantity }) => quantity >= 0)).toHaveLength(0)
    expect(lines("adjustment").filter(({ unitPriceMinor }) => unitPriceMinor !== 0n)).toHaveLength(0)
  })
)

it.effect("a local time of summer is an hour before the same time of UTC", () =>
  Effect.gen(function* () {
    const orders = yield* OnlineRetail.parse(
      csv("1,A,X,1,7/1/11 9:05,1,,United Kingdom", "2,A,X,1,12/1/10 9:05,1,,United Kingdom")
    )
    expect(orders.map(({ placedAtMs }) => new Date(placedAtMs).toISOString())).toEqual([
      "2010-12-01T09:05:00.000Z",
      "2011-07-01T08:05:00.000Z"
    ])
  })
)

it.effect("quotes and commas in a description are text, prices are exact", () =>
  Effect.gen(function* () {
    const [order] = yield* OnlineRetail.parse(csv(`1,A,"AIRLINE LOUNGE,METAL ""SIGN""",3,12/1/10 9:05,0.1,17,EIRE`))
    expect(order?.lines).toEqual([
      {
        productCode: "A",
        productName: `AIRLINE LOUNGE,METAL "SIGN"`,
        quantity: 3,
        unitPriceMinor: 10n,
        placedAtMs: Date.UTC(2010, 11, 1, 9, 5)
      }
    ])
  })
)

it.effect.each([
  ["a fraction of a penny", "1,A,X,1,12/1/10 9:05,1.005,,EIRE"],
  ["a thirteenth month", "1,A,X,1,13/1/10 9:05,1,,EIRE"],
  ["a missing field", "1,A,X,1,12/1/10 9:05,1,"],
  ["an open quote", `1,A,"X,1,12/1/10 9:05,1,,EIRE`]
] as const)("%s fails as invalid data", ([, row]) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(OnlineRetail.parse(csv(row)))
    expect(error.reason._tag).toBe("InvalidData")
    expect(error.message).not.toContain("EIRE")
  })
)
