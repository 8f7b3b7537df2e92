import { assert, it } from "@effect/vitest"
import type { Change, Version } from "@northstar/core/Change"
import * as Fold from "@northstar/core/Fold"
import { Histories, Law } from "@northstar/core/testing"
import { Effect } from "effect"

const shape = { partial: true, truncates: true, losses: false }

for (const law of [
  Law.property(
    "K5 newest wins: the fold of a source's changes in any order is the source's tables",
    { input: Histories.deliveries(shape), runs: 300, size: 60 },
    Effect.fnUntraced(function* ({ history, batches }) {
      const folded = Fold.foldTables(batches.flat())
      for (const [table, rows] of history.tables) {
        const live = [...(folded.get(table) ?? [])].map(
          ([key, row]) => [key, row._tag === "Live" ? row.row : row] as const
        )
        yield* Law.same(table, new Map(live), rows)
      }
      yield* Law.same("conflicts", Fold.conflicts(batches.flat()), [])
    })
  )
]) {
  it.effect(law.name, () => law.check)
}

const v = (ordinal: number, position = 1n): Version => ({ epoch: 1, position, ordinal, revision: 1 })
const place = { table: "parcels", key: "1" }
const full = (version: Version, note: string): Change<Histories.Row> => ({
  ...place,
  op: "upsert",
  version,
  row: { id: "1", note },
  unchanged: []
})
const partial = (version: Version): Change<Histories.Row> => ({
  ...place,
  op: "upsert",
  version,
  row: { id: "1", note: null },
  unchanged: ["note"]
})

it("K6 partial rows: a row whose first change is missing is held, with what is missing named, whatever stands in its place", () => {
  assert.deepStrictEqual(Fold.fold([partial(v(2))]).get("1"), { _tag: "Held", version: v(2), missing: ["note"] })
})

it("K6 partial rows: a delete resets what a later partial change could inherit", () => {
  const deleted: Change<Histories.Row> = { ...place, op: "delete", version: v(1) }
  assert.strictEqual(Fold.fold([full(v(0), "old"), deleted, partial(v(2))]).get("1")?._tag, "Held")
})

it("K6 partial rows: a moved row takes over what the old key held before the delete, even when that came back since", () => {
  const moved: Change<Histories.Row> = {
    op: "upsert",
    table: "parcels",
    key: "2",
    movedFrom: "1",
    version: v(3),
    row: { id: "2" },
    unchanged: ["note"]
  }
  const deleted: Change<Histories.Row> = { ...place, op: "delete", version: v(2) }
  const rows = Fold.fold([full(v(5), "came back"), moved, deleted, full(v(0), "before")])
  assert.deepStrictEqual(rows.get("2"), { _tag: "Live", version: v(3), row: { id: "2", note: "before" } })
  assert.deepStrictEqual(rows.get("1"), { _tag: "Live", version: v(5), row: { id: "1", note: "came back" } })
})

it("K7 floor: a change at the version of a truncate is superseded by it", () => {
  const truncate: Change<Histories.Row> = { op: "truncate", table: "parcels", version: v(3) }
  assert.strictEqual(Fold.fold([full(v(3), "at"), truncate]).size, 0)
  assert.strictEqual(Fold.fold([full(v(4), "above"), truncate]).size, 1)
})

it("a larger revision of the same change wins", () => {
  const reprocessed = { ...full(v(0), "corrected"), version: { ...v(0), revision: 2 } }
  const current = Fold.fold([reprocessed, full(v(0), "original")]).get("1")
  assert.strictEqual(current?._tag === "Live" ? current.row["note"] : undefined, "corrected")
})

it("equal versions with different content are a conflict, repeats are not", () => {
  assert.deepStrictEqual(Fold.conflicts([full(v(0), "a"), full(v(0), "a")]), [])
  assert.deepStrictEqual(Fold.conflicts([full(v(0), "a"), full(v(0), "b")]), [{ table: "parcels", version: v(0) }])
})
