import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as LocalSnowflake from "../../src/local/snowflake/LocalSnowflake.ts"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import * as Backfill from "../../src/project/Backfill.ts"
import * as Costs from "../../src/project/Costs.ts"
import * as Ingest from "../../src/project/Ingest.ts"
import * as Project from "../../src/project/Project.ts"
import * as Quarantine from "../../src/project/Quarantine.ts"
import * as Query from "../../src/project/Query.ts"
import * as Reconcile from "../../src/project/Reconcile.ts"
import * as Rollback from "../../src/project/Rollback.ts"
import * as Runs from "../../src/project/Runs.ts"
import * as Status from "../../src/project/Status.ts"
import * as WarehouseSetup from "../../src/project/WarehouseSetup.ts"
import { isMistake } from "../../src/warehouse/Warehouse.ts"

const folder = mkdtempSync(join(tmpdir(), "northstar-snowflake-project-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const items = Table.make("items", {
  key: ["id"],
  columns: { id: Column.int64, price: Column.decimal(12, 2), name: Column.nullable(Column.text) }
})

const schema = `
  create table public.items (id bigint primary key, price numeric(12,2) not null, name text);
  insert into public.items select n, n / 7.0, 'item ' || n from generate_series(1, 200) n;
  create publication northstar for table public.items`

/** A shop, an account, and a project that joins the two; the account is still empty. */
const start = Effect.fnUntraced(function* (name: string, cadenceSeconds = 1) {
  const server = yield* Postgres.start()
  const sql = yield* Connection.open({ url: server.url })
  yield* sql.query(schema)
  yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
  const local = yield* LocalSnowflake.start()
  const source = Project.postgres({ url: server.url, heartbeatSeconds: 1, tables: [items] })
  const project = Project.define({
    name: "shop",
    sources: [source],
    landing: Project.folder(join(folder, name)),
    warehouse: Project.snowflake({
      account: local.account,
      accessUrl: local.accessUrl,
      user: local.admin.user,
      role: "ACCOUNTADMIN",
      privateKey: local.admin.privateKey,
      cadenceSeconds
    }),
    marts: [{ name: "totals", query: "SELECT count(*) AS n, sum(price) AS total FROM curated.items" }]
  })
  const administrator: WarehouseSetup.Administrator = {
    user: local.admin.user,
    role: "ACCOUNTADMIN",
    privateKey: Redacted.make(local.admin.privateKey)
  }
  return { administrator, feed: Project.feed(project, source), local, project, sql }
})

/** How often the warehouses of loads and of backfills were started. */
const resumes = (local: LocalSnowflake.LocalSnowflake) => ({
  load: local.warehouses().get("NORTHSTAR_LOAD")?.resumes ?? 0,
  backfill: local.warehouses().get("NORTHSTAR_BACKFILL")?.resumes ?? 0
})

describe("a project on the local Snowflake", () => {
  it.live(
    "is set up, ingested, looked at, rolled back, read again on a warehouse of its own, and agrees with its source",
    () =>
      Effect.gen(function* () {
        const { administrator, feed, local, project, sql } = yield* start("whole")
        const missing = yield* Effect.flip(Status.status(project))
        assert.include(missing.message, "northstar warehouse apply")
        const planned = yield* WarehouseSetup.plan(project, administrator)
        const done = yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        assert.deepStrictEqual(done, { ...done, applied: planned.steps, left: [] })
        assert.deepStrictEqual((yield* WarehouseSetup.plan(project, administrator)).steps, [])

        yield* Ingest.ingest(project, { untilCaughtUp: true })
        yield* sql.query("update public.items set price = price + 1 where id <= 20")
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        const status = yield* Status.status(project)
        assert.deepStrictEqual([status.tables[0]?.rows, status.sources[0]?.log?.behind], [200, 0])
        assert.deepStrictEqual(
          (yield* Query.query(project, "select n from marts.totals;", { rowsMax: 10 })).rows.map(({ n }) => String(n)),
          ["200"]
        )
        assert.isAbove((yield* Runs.list(project, { last: 10 })).length, 0)
        assert.deepStrictEqual(yield* Quarantine.list(project, { last: 10, all: true, unmask: false }), [])

        const batch = status.batches.find(({ published }) => published === 20)?.batch ?? ""
        const back = yield* Rollback.apply(project, batch)
        assert.isFalse((yield* Reconcile.reconcile(feed, { full: true })).agree)
        // Long enough for both warehouses to suspend.
        local.advance(Duration.minutes(5))
        const before = resumes(local)
        yield* Backfill.fromLog(feed, { after: back.after ?? "0", through: back.through })
        assert.deepStrictEqual(resumes(local), { ...before, backfill: before.backfill + 1 })
        assert.isTrue((yield* Reconcile.reconcile(feed, { full: true })).agree)

        const costs = yield* Costs.report(project, { budgetUsd: 18_000 })
        const [load, backfill] = costs.warehouses
        assert.deepStrictEqual([load?.warehouse, load?.size], ["NORTHSTAR_LOAD", "SMALL"])
        assert.isAtLeast(load?.changes ?? 0, 220)
        assert.deepStrictEqual(
          [backfill?.warehouse, backfill?.size, backfill?.changes],
          ["NORTHSTAR_BACKFILL", "LARGE", 20]
        )
        for (const { bytesScanned, statements } of costs.warehouses) assert.isTrue(bytesScanned > 0 && statements > 0)
        assert.strictEqual(costs.measured.cycles, 0)
      }).pipe(Effect.scoped),
    180_000
  )

  it.live(
    "runs queries only: nothing that writes, and one statement at a time",
    () =>
      Effect.gen(function* () {
        const { administrator, project } = yield* start("queries")
        yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        const statements = [
          "delete from northstar.runs",
          "select 1; drop table northstar.runs",
          "select 1) ; drop table northstar.runs; select * from (select 1",
          "drop table northstar.runs",
          "with a as (select 1) delete from northstar.runs",
          "select * from curated.nowhere"
        ]
        for (const sql of statements) {
          const refused = yield* Effect.exit(Query.query(project, sql, { rowsMax: 10 }))
          assert.strictEqual(refused._tag, "Failure", sql)
        }
        const nowhere = yield* Effect.flip(Query.query(project, statements.at(-1) ?? "", { rowsMax: 10 }))
        assert.isTrue(isMistake(nowhere))
        assert.include(nowhere.action, "northstar warehouse plan")
        assert.deepStrictEqual((yield* WarehouseSetup.plan(project, administrator)).steps, [])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "a cost that cannot be recorded fails no load, and a table dropped by hand comes back with the next apply",
    () =>
      Effect.gen(function* () {
        const { administrator, local, project } = yield* start("unmeasured")
        yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        yield* local.execute("DROP TABLE NORTHSTAR.NORTHSTAR.COSTS")
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        assert.strictEqual((yield* Status.status(project)).tables[0]?.rows, 200)
        const { basis, lines } = yield* Costs.report(project, { budgetUsd: 18_000 })
        assert.match(basis, /^Nothing was measured: .*COSTS/)
        assert.isAbove(lines.length, 0)
        const { applied } = yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        assert.strictEqual(applied[0]?.description, "create control table costs")
        assert.deepStrictEqual((yield* WarehouseSetup.plan(project, administrator)).steps, [])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "reconcile knows at once what differs although a load leaves records without rows where they are",
    () =>
      Effect.gen(function* () {
        const { administrator, feed, project } = yield* start("quiet")
        yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        const ingesting = yield* Effect.forkChild(Ingest.ingest(project, { untilCaughtUp: false }))
        // Heartbeats land records without rows, which are not loaded for an hour.
        yield* Effect.sleep("3 seconds")
        yield* Rollback.apply(project, (yield* Status.status(project)).batches[0]?.batch ?? "")
        const [took, report] = yield* Effect.timed(Reconcile.reconcile(feed, { full: true }))
        const [table] = report.tables
        assert.deepStrictEqual([table?.differences.length, table?.unresolved], [200, 0])
        assert.isBelow(Duration.toSeconds(took), 10)
        yield* Fiber.interrupt(ingesting)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "reconcile waits for a load that comes with its cadence, and calls nothing different that it brings",
    () =>
      Effect.gen(function* () {
        const { administrator, feed, project, sql } = yield* start("hot", 20)
        yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        const ingesting = yield* Effect.forkChild(Ingest.ingest(project, { untilCaughtUp: false }))
        const priceOf = Query.query(project, "select max(price) as p from curated.items", { rowsMax: 1 })
        yield* sql.query("update public.items set price = 100 where id = 1")
        yield* Effect.repeat(priceOf, { until: ({ rows }) => Number(rows[0]?.["p"]) === 100, times: 200 })
        yield* sql.query("update public.items set price = 200 where id = 2")
        const report = yield* Reconcile.reconcile(feed, { full: true })
        assert.deepStrictEqual(report.tables[0]?.differences, [])
        yield* Fiber.interrupt(ingesting)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "an ingest that finds nothing to load starts no warehouse",
    () =>
      Effect.gen(function* () {
        const { administrator, local, project } = yield* start("idle")
        yield* WarehouseSetup.apply(project, administrator, { destructive: false })
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        const ingesting = yield* Effect.forkChild(Ingest.ingest(project, { untilCaughtUp: false }))
        // It asks where it stands once, then several cadences and heartbeats pass.
        yield* Effect.sleep("3 seconds")
        local.advance(Duration.minutes(5))
        const before = resumes(local)
        yield* Effect.sleep("4 seconds")
        assert.deepStrictEqual(resumes(local), before)
        yield* Fiber.interrupt(ingesting)
      }).pipe(Effect.scoped),
    120_000
  )
})
