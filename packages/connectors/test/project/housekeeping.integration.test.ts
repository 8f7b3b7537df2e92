import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import * as Backfill from "../../src/project/Backfill.ts"
import * as Housekeeping from "../../src/project/Housekeeping.ts"
import * as Ingest from "../../src/project/Ingest.ts"
import * as Project from "../../src/project/Project.ts"
import * as Services from "../../src/project/Services.ts"

const folder = mkdtempSync(join(tmpdir(), "northstar-housekeeping-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const items = Table.make("items", { key: ["id"], columns: { id: Column.int64 } })

it.effect(
  "an ingest keeps raw data for 90 days, and a finished backfill holds nothing back",
  () =>
    Effect.gen(function* () {
      const feed = yield* Effect.scoped(captured).pipe(TestClock.withLive)
      const records = () => readdirSync(join(folder, "landing", feed.log, "log")).length
      const written = records()
      assert.isAbove(written, 1)
      const tidied = Effect.fnUntraced(function* (days: number) {
        yield* TestClock.setTime(Date.now() + Duration.toMillis(Duration.days(days)))
        const tidying = yield* Effect.forkChild(
          Housekeeping.run(feed).pipe(Effect.provide(Services.layer(feed.project)))
        )
        yield* TestClock.withLive(Effect.sleep("2 seconds"))
        yield* Fiber.interrupt(tidying)
        return records()
      })
      assert.strictEqual(yield* tidied(80), written)
      // The newest record stays: the next commit compares with it.
      assert.strictEqual(yield* tidied(91), 1)
    }).pipe(Effect.scoped),
  60_000
)

/** A project whose log has some records, all of them loaded and read again by a backfill. */
const captured = Effect.gen(function* () {
  const server = yield* Postgres.start()
  const sql = yield* Connection.open({ url: server.url })
  yield* sql.query("create table public.items (id bigint primary key)")
  yield* sql.query("create publication northstar for table public.items")
  yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
  const source = Project.postgres({ url: server.url, tables: [items] })
  const project = Project.define({
    name: "shop",
    sources: [source],
    landing: Project.folder(join(folder, "landing")),
    warehouse: Project.duckdb(join(folder, "warehouse.duckdb"))
  })
  const feed = Project.feed(project, source)
  for (const id of [1, 2, 3]) {
    yield* sql.query(`insert into public.items values (${id})`)
    yield* Ingest.ingest(project, { untilCaughtUp: true })
  }
  yield* Backfill.fromLog(feed, { through: "1" })
  return feed
})
