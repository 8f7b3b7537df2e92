import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { changesOf } from "./Changes.ts"
import { shared } from "./SnowflakeSubject.ts"
import { scene } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-pruning-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const columns = { placed: Column.nullable(Column.date), note: Column.nullable(Column.text) }
const event = { column: "placed" } as const
const orders = Table.make("orders", { columns: { id: Column.int64, ...columns }, key: ["id"], event })
const codes = Table.make("codes", { columns: { id: Column.text, ...columns }, key: ["id"], event })
const tables = [orders, codes]
const snowflake = shared()

/** What a MERGE looks for target rows by, beside the key; of rows that are only inserted "new". */
const pruningOf = (text: string) => {
  if (text.startsWith("INSERT")) return "new"
  const on = /\bON (.*?)\s+WHEN MATCHED/s.exec(text)?.[1] ?? ""
  return on.replace("t.id = s.id AND ", "")
}

layer(snowflake.fresh(tables, root), { timeout: 60_000 })("the MERGE of a publish", (it) => {
  const merges = Effect.fnUntraced(function* (publish: Effect.Effect<void, unknown>) {
    const { history } = yield* snowflake.server
    const before = history().length
    yield* publish
    return history()
      .slice(before)
      .filter(
        ({ text, type }) => type === "MERGE" || /^INSERT INTO curated\.\w+ \(.* AS s WHERE s\._op = 1$/s.test(text)
      )
      .map(({ text }) => pruningOf(text))
  })

  it.effect(
    "names the touched days and the bounds of the keys as literals, in a lane each for recent, late and dayless changes",
    Effect.fnUntraced(function* () {
      const { publish } = yield* scene(tables)
      const { put, remove } = changesOf("orders")
      const on = (at: number, id: string, placed: string | null) => put(at, { id, placed, note: `${at}` })
      const first = yield* merges(
        publish(["11", "12", "13", "14", "15"].map((id, at) => on(at + 1, id, `2024-06-0${at + 1}`)))
      )
      assert.deepStrictEqual(first, ["new", "new"], "two lanes of keys that the table does not have")
      const recent = yield* merges(publish([on(11, "14", "2024-06-04"), on(12, "15", "2024-06-05")]))
      assert.deepStrictEqual(recent, [
        "t.id >= 14 AND t.id <= 15 AND (t._business_date IN (CAST('2024-06-04' AS DATE), CAST('2024-06-05' AS DATE)))"
      ])
      const mixed = yield* merges(
        publish([
          on(21, "15", "2024-06-06"),
          on(22, "16", "2024-06-07"),
          on(23, "11", "2020-05-05"),
          remove(24, "13"),
          on(25, "12", null)
        ])
      )
      assert.deepStrictEqual(mixed, [
        "t.id >= 15 AND t.id <= 16 AND (t._business_date IN (CAST('2024-06-05' AS DATE)))",
        "t.id >= 11 AND t.id <= 11 AND (t._business_date IN (CAST('2024-06-01' AS DATE)))",
        "t.id >= 12 AND t.id <= 13 AND (t._business_date IN (CAST('2024-06-02' AS DATE), CAST('2024-06-03' AS DATE)))"
      ])
      const dayless = yield* merges(publish([on(31, "12", "2024-06-08")]))
      assert.deepStrictEqual(dayless, ["t.id >= 12 AND t.id <= 12 AND (t._business_date IS NULL)"])
      const added = yield* merges(publish([on(41, "17", "2024-06-08"), on(42, "18", "2024-06-09")]))
      assert.deepStrictEqual(added, ["new"])
    })
  )

  it.effect(
    "bounds a key of type text by quoted texts",
    Effect.fnUntraced(function* () {
      const { publish } = yield* scene(tables)
      const { put } = changesOf("codes")
      const batch = (at: number) =>
        publish(["a'b", "c\\d"].map((id, ordinal) => put(at, { id, placed: "2024-06-01", note: `${at}` }, { ordinal })))
      yield* batch(1)
      const [found] = yield* merges(batch(2))
      const bounds = "t.id >= CAST('a''b' AS VARCHAR) AND t.id <= CAST(replace('c¦d', '¦', chr(92)) AS VARCHAR)"
      assert.strictEqual(found, `${bounds} AND (t._business_date IN (CAST('2024-06-01' AS DATE)))`)
    })
  )
})
