import { assert, it } from "@effect/vitest"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as FileContract from "../../src/files/FileContract.ts"
import { contract, shipments } from "./Drops.ts"

it("a contract that cannot work says what is wrong with it", () => {
  const table = Table.make("t", { key: ["id"], columns: { id: Column.text, day: Column.date, n: Column.int32 } })
  const wrong = (options: Partial<FileContract.Options<(typeof table)["columns"]>>) =>
    FileContract.problems(FileContract.make({ table, prefix: "", ...options })).length
  assert.strictEqual(wrong({}), 0)
  assert.strictEqual(wrong({ delimiter: "ä" }), 1)
  assert.strictEqual(wrong({ quote: "," }), 1)
  assert.strictEqual(wrong({ quote: "none" }), 0)
  assert.strictEqual(wrong({ zone: "Europe/Atlantis" }), 1)
  assert.strictEqual(wrong({ formats: { n: "dd.MM.yyyy" } }), 1)
  assert.strictEqual(wrong({ formats: { day: "dd.MM.yyyy" } }), 0)
  assert.strictEqual(wrong({ formats: { day: "dd.MM.yyyy HH:mm" } }), 1)
  assert.strictEqual(wrong({ order: { by: "column", column: "day" } }), 1)
  assert.strictEqual(wrong({ fill: { id: "line" } }), 1)
  assert.strictEqual(wrong({ control: { kind: "sidecar", suffix: ".ctl", pattern: /x/, sumOf: "sum" } }), 1)
})

it("instants are read as ISO unless a format says otherwise, never as they come", () => {
  assert.deepStrictEqual(FileContract.make({ table: shipments, prefix: "" }).formats, {
    updated_at: { kind: "time", pattern: "iso" }
  })
})

it("files belong to a contract by prefix and glob, and totals beside them do not", () => {
  const own = contract({
    prefix: "dhl/",
    glob: "ship_*.cs?",
    control: { kind: "sidecar", suffix: ".csx", pattern: /x/ }
  })
  const is = (key: string) => FileContract.matches(own, key)
  assert.deepStrictEqual(
    [
      "dhl/ship_1.csv",
      "dhl/ship_.csv",
      "dhl/a/ship_1.csv",
      "dhl/ship_1.csv.gz",
      "ups/ship_1.csv",
      "dhl/ship_1.csx"
    ].map(is),
    [true, true, false, false, false, false]
  )
})
