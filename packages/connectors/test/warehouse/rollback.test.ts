import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as Fold from "@northstar/core/Fold"
import { Histories, Law } from "@northstar/core/testing"
import * as Rollback from "../../src/warehouse/Rollback.ts"
import { contents, fresh, scene, segmentsOf } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-rollback-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const { tables } = Histories
const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 30 }))
const input = Arbitrary.all({
  history: Histories.histories({ partial: true, truncates: true, losses: false }),
  sizes: Arbitrary.array(Arbitrary.schema(Small), { minLength: 1, maxLength: 6 }),
  pick: Arbitrary.schema(Small)
})

const rowsOf = (changes: Histories.History["changes"]) =>
  new Map(
    [...Fold.foldTables(changes)].map(([table, rows]) => [
      table,
      new Map([...rows].map(([key, current]) => [key, current._tag === "Live" ? current.row : "held"]))
    ])
  )

layer(fresh(tables, root))("rollback", (it) => {
  const law = Law.property(
    "P3 rollback: without a batch the tables are as if it had never come, and its replay brings it back",
    { input, runs: 15, size: 40 },
    Effect.fnUntraced(function* ({ history, sizes, pick }) {
      const { load, run, query } = yield* scene(tables)
      const batches = split(history.changes, sizes)
      const segments = yield* Effect.forEach(batches, (changes) => run(segmentsOf(tables, changes)))
      for (const own of segments) yield* load(own)
      const nth = pick % Math.max(1, batches.length)
      const [victim, landed] = [batches[nth], segments[nth]]
      if (victim === undefined || landed === undefined) return
      const before = yield* run(contents(tables))
      yield* Law.same("the tables", before, rowsOf(history.changes))
      const planned = yield* run(Rollback.apply(tables, `laws/main/${String(nth + 1).padStart(20, "0")}`))
      const others = batches.flatMap((changes, index) => (index === nth ? [] : changes))
      yield* Law.same("the tables without the batch", yield* run(contents(tables)), rowsOf(others))
      const changes = planned.lines.reduce((sum, line) => sum + line.changes, 0)
      const rows = victim.filter(({ op }) => op !== "truncate").length
      yield* Law.same("the changes taken back", changes, rows)
      yield* load(landed, { tables, stream: "backfill/1" })
      yield* Law.same("the tables with the batch again", yield* run(contents(tables)), before)
      const lines = yield* query(
        "SELECT * FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held OR superseded < 0 OR held < 0"
      )
      yield* Law.same("batches that do not add up", lines, [])
    })
  )
  it.effect(law.name, () => law.check, 120_000)
})

const split = <A>(rows: ReadonlyArray<A>, sizes: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<A>> => {
  const batches: Array<ReadonlyArray<A>> = []
  for (let start = 0, n = 0; start < rows.length; n++) {
    const size = 1 + (sizes[n % sizes.length] ?? 0)
    batches.push(rows.slice(start, start + size))
    start += size
  }
  return batches
}
