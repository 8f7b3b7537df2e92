import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, it } from "@effect/vitest"
import * as LandingLog from "@northstar/connectors/landing/LandingLog"
import * as Project from "@northstar/connectors/project/Project"
import * as Services from "@northstar/connectors/project/Services"
import { load, loadKey } from "@northstar/connectors/project/Streams"
import * as Batch from "@northstar/core/Batch"
import * as Column from "@northstar/core/Column"
import * as Pipeline from "@northstar/core/Pipeline"
import { sequence } from "@northstar/core/Position"
import * as Table from "@northstar/core/Table"
import { Effect, Option } from "effect"
import { TestClock } from "effect/testing"
import { clean, plan } from "../retention/src/Cleaning.ts"

const folder = mkdtempSync(join(tmpdir(), "northstar-retention-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const project = Project.define({
  name: "shop",
  source: Project.postgres({ url: undefined }),
  landing: Project.folder(join(folder, "landing")),
  warehouse: Project.duckdb(join(folder, "warehouse.duckdb")),
  tables: [Table.make("orders", { columns: { id: Column.int64 }, key: ["id"] })]
})

/** Data of a sequence whose record does not name it. */
const lost = "shop/data/00000000000000000005/attempt"

/** Lands a record without rows every 30 days. */
const land = Effect.gen(function* () {
  const position = sequence("test/sequence")
  const writer = yield* LandingLog.sink({ stream: project.name, revision: 1 }).open(
    { pipeline: project.name, stream: "capture" },
    position
  )
  for (let at = 1n; at <= 5n; at++) {
    yield* writer.commit(Batch.make({ after: at === 1n ? Option.none() : Option.some(at - 1n), through: at }, []))
    yield* TestClock.adjust("30 days")
  }
}).pipe(Effect.scoped, Effect.provide(Services.landing(project.landing)))

it.effect("nothing goes that the warehouse has not read; then all that is older than 90 days, and orphans", () =>
  Effect.gen(function* () {
    yield* land
    mkdirSync(join(folder, "landing", lost), { recursive: true })
    writeFileSync(join(folder, "landing", lost, "0-orders.parquet"), "of an attempt that lost")
    const before = yield* plan(project)
    assert.strictEqual(before.due.records, 0)
    assert.deepStrictEqual(
      before.due.holds.map(({ oldest, state }) => [oldest, state]),
      [[1n, "overdue"]]
    )
    yield* Pipeline.run(load(project, loadKey(project)), { program: "ingest", untilCaughtUp: true }).pipe(
      Effect.provide(Services.layer(project))
    )
    const removed = yield* clean(project)
    // Records were written 150, 120, 90, 60 and 30 days ago; "older than 90 days" leaves the third.
    assert.strictEqual(removed.due.records, 2)
    assert.deepStrictEqual(removed.orphans.keys, [`${lost}/0-orders.parquet`])
    assert.strictEqual((yield* clean(project)).due.records, 0)
  })
)
