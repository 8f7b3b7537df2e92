import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Watermarks from "../../src/warehouse/Watermarks.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { changesOf } from "./Changes.ts"
import { contents, fresh, heldOpen, key, type Scene, scene, type Shape } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-parking-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const columns = { id: Column.int64, amount: Column.int32, memo: Column.nullable(Column.text) }
const bills = Table.make("bills", { columns, key: ["id"] })
const notes = Table.make("notes", { columns, key: ["id"] })
const tables = [bills, notes]
const floats = Table.make("floats", { columns: { id: Column.int64, amount: Column.float64 }, key: ["id"] })
const bill = changesOf("bills")
const note = changesOf("notes")
const row = (id: string) => ({ id, amount: "5", memo: "m" })

const types = { id: "bigint", amount: "integer", memo: "text" }
const whole: Shape = { columns: ["id", "amount", "memo"], types }

/** What the source may do to a table, and the contract that a person then accepts. */
interface Drift {
  readonly name: string
  readonly shape: Shape
  readonly put: Record<string, string>
  readonly reason: string
  readonly accepted: Table.Table
  readonly memo: string | null
}

const dropped: Drift = {
  name: "dropped",
  shape: { ...whole, columns: ["id", "amount"] },
  put: {},
  reason: "column memo is gone from public.bills",
  accepted: Table.make("bills", { columns: { ...columns, memo: Column.optional(Column.text) }, key: ["id"] }),
  memo: null
}
const renamed: Drift = {
  name: "renamed",
  shape: { ...whole, columns: ["id", "amount", "remark"] },
  put: { remark: "r" },
  reason: "column memo is gone from public.bills",
  accepted: Table.make("bills", {
    columns: { ...columns, memo: Column.renamedFrom(columns.memo, "remark") },
    key: ["id"]
  }),
  memo: "r"
}
const retyped: Drift = {
  name: "retyped",
  shape: { ...whole, types: { ...types, amount: "numeric(10,2)" } },
  put: { memo: "m" },
  reason: "column amount of public.bills changed its type from integer to numeric(10,2)",
  // Any edit of the contract accepts the new shape.
  accepted: Table.make("bills", { columns: { ...columns, memo: Column.pii(columns.memo) }, key: ["id"] }),
  memo: "m"
}

const standing = ({ query }: Scene) =>
  query(
    "SELECT table_name AS t, CAST(CAST(through AS INTEGER) AS VARCHAR) AS at, parked_reason AS parked FROM northstar.watermarks ORDER BY 1"
  )

const rejoin = Effect.scoped(
  Effect.gen(function* () {
    const { session } = yield* Warehouse
    return yield* Watermarks.rejoin(yield* session, key, "bills", ["bills", "notes"])
  })
)

layer(fresh([...tables, floats], root))("parking", (it) => {
  for (const { name, shape, put, reason, accepted, memo } of [dropped, renamed, retyped]) {
    it.effect(
      `a ${name} column parks its table alone, which loses nothing and rejoins under an accepted contract`,
      Effect.fnUntraced(function* () {
        const it = yield* scene(tables)
        const bill1 = yield* it.segment(bills, [bill.put(1, row("1"))], whole)
        const bill2 = yield* it.segment(bills, [bill.put(2, { id: "2", amount: "5", ...put })], shape)
        const bill3 = yield* it.segment(bills, [bill.put(3, { id: "3", amount: "5", ...put })], shape)
        for (const [at, own] of [bill1, bill2, bill3].entries()) {
          yield* it.load([own, yield* it.segment(notes, [note.put(at + 1, row(`${at + 1}`))], whole)])
        }
        assert.deepStrictEqual(yield* standing(it), [
          { t: "bills", at: "1", parked: reason },
          { t: "notes", at: "3", parked: null }
        ])
        assert.deepStrictEqual((yield* it.run(contents([notes]))).get("notes")?.size, 3)
        assert.deepStrictEqual((yield* it.run(contents([bills]))).get("bills")?.size, 1)
        const edited = [accepted, notes]
        const catchUp = { tables: edited, catchUp: "bills" }
        yield* it.load([bill2], catchUp)
        assert.isFalse(yield* it.run(rejoin), "it is still behind")
        yield* it.load([bill3], catchUp)
        assert.isTrue(yield* it.run(rejoin))
        yield* it.load([yield* it.segment(bills, [bill.put(4, { id: "4", amount: "5", ...put })], shape)], {
          tables: edited
        })
        assert.deepStrictEqual(yield* standing(it), [
          { t: "bills", at: "4", parked: null },
          { t: "notes", at: "4", parked: null }
        ])
        const rows = (yield* it.run(contents([bills]))).get("bills")
        const shown = [...(rows ?? [])].map(([id, found]) => [id, found === "held" ? found : found["memo"]])
        assert.deepStrictEqual(shown.toSorted(), [
          ["1", "m"],
          ["2", memo],
          ["3", memo],
          ["4", memo]
        ])
        // An older record, replayed under the new contract, parks nothing.
        yield* it.load([bill1], { tables: edited, stream: "backfill/1" })
        yield* it.load([yield* it.segment(bills, [bill.put(5, { id: "5", amount: "5", ...put })], shape)], {
          tables: edited
        })
        assert.deepStrictEqual(
          (yield* standing(it)).map(({ parked }) => parked),
          [null, null, null, null]
        )
      })
    )
  }

  for (const [name, shape, findings] of [
    [
      "an added column is reported once and",
      { ...whole, columns: ["id", "amount", "memo", "extra"] },
      ["new_column:extra"]
    ],
    ["a widened type", { ...whole, types: { ...types, amount: "bigint" } }, []]
  ] as const) {
    it.effect(
      `${name} does not park`,
      Effect.fnUntraced(function* () {
        const it = yield* scene(tables)
        yield* it.load([yield* it.segment(bills, [bill.put(1, row("1"))], whole)])
        yield* it.load([yield* it.segment(bills, [bill.put(2, row("2"))], shape)])
        yield* it.load([yield* it.segment(bills, [bill.put(3, row("1"))], shape)])
        const found = yield* it.query("SELECT name FROM northstar.findings")
        assert.deepStrictEqual(
          found.map((row) => row["name"]),
          [...findings]
        )
        assert.deepStrictEqual(
          (yield* standing(it)).map(({ parked }) => parked),
          [null, null]
        )
        assert.deepStrictEqual((yield* it.run(contents([bills]))).get("bills")?.size, 2)
      })
    )
  }

  it.effect(
    "a column whose type would round the source's is parked from the start",
    Effect.fnUntraced(function* () {
      const it = yield* scene([floats])
      const exact = { columns: ["id", "amount"], types: { id: "bigint", amount: "numeric(30,15)" } }
      yield* it.load([yield* it.segment(floats, [changesOf("floats").put(1, { id: "1", amount: "0.1" })], exact)], {
        tables: [floats]
      })
      const reason = "column amount of public.floats is numeric(30,15), which its float64 would round"
      assert.deepStrictEqual(yield* standing(it), [{ t: "floats", at: null, parked: reason }])
    })
  )

  it.effect(
    "a renamed column that a change leaves out keeps its value",
    Effect.fnUntraced(function* () {
      const it = yield* scene(tables)
      const partial = bill.put(2, { id: "1", amount: "7" }, { leavesOut: ["remark"] })
      yield* it.load(
        [yield* it.segment(bills, [bill.put(1, { id: "1", amount: "5", remark: "r" }), partial], renamed.shape)],
        {
          tables: [renamed.accepted]
        }
      )
      assert.deepStrictEqual((yield* it.run(contents([bills]))).get("bills")?.get("1"), {
        id: "1",
        amount: "7",
        memo: "r"
      })
    })
  )

  it.effect(
    "a task with the old contract does not leave a table behind that another task let rejoin",
    Effect.fnUntraced(function* () {
      const it = yield* scene(tables)
      const { shape, put, accepted } = dropped
      const first = [yield* it.segment(bills, [bill.put(1, { id: "1", amount: "5", ...put })], shape)]
      yield* it.load([yield* it.segment(notes, [note.put(1, row("1"))], whole)])
      yield* it.load(first)
      const old = yield* heldOpen([bills, notes])
      yield* it.load(first, { tables: [accepted], catchUp: "bills" })
      assert.isTrue(yield* it.run(rejoin))
      const refused = yield* Effect.flip(old.commit([yield* it.segment(notes, [note.put(2, row("2"))], whole)]))
      assert.strictEqual(refused._tag, "WatermarkConflict")
      assert.deepStrictEqual(
        (yield* standing(it)).map(({ at }) => at),
        ["2", "2"]
      )
    })
  )
})
