import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import { compare } from "../../src/project/Comparison.ts"
import * as Ingest from "../../src/project/Ingest.ts"
import * as Project from "../../src/project/Project.ts"
import * as Reconcile from "../../src/project/Reconcile.ts"
import * as Resnapshot from "../../src/project/Resnapshot.ts"
import * as Services from "../../src/project/Services.ts"
import { make as makeModel } from "../../src/warehouse/Model.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"

const folder = mkdtempSync(join(tmpdir(), "northstar-reconcile-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const items = Table.make("items", {
  key: ["id"],
  columns: { id: Column.int64, price: Column.decimal(12, 2), name: Column.nullable(Column.text) }
})
/** Texts sort by the database's collation here and by bytes there: keys are compared one by one. */
const tags = Table.make("tags", { key: ["tag"], columns: { tag: Column.text, uses: Column.int32 } })

const schema = `
  create table public.items (id bigint primary key, price numeric(12,2) not null, name text);
  create table public.tags (tag text primary key, uses int not null);
  insert into public.items select n, n / 7.0, case when n % 5 > 0 then 'item ' || n end from generate_series(1, 30000) n;
  insert into public.tags select 'tag-' || n || case when n % 2 = 0 then 'Ä' else 'a' end, n from generate_series(1, 3000) n;
  create publication northstar for table public.items, public.tags`

const start = Effect.fnUntraced(function* (name: string) {
  const server = yield* Postgres.start()
  const sql = yield* Connection.open({ url: server.url })
  yield* sql.query(schema)
  yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
  const source = Project.postgres({ url: server.url, heartbeatSeconds: 1, tables: [items, tags] })
  const project = Project.define({
    name,
    sources: [source],
    landing: Project.folder(join(folder, name, "landing")),
    warehouse: Project.duckdb(join(folder, name, "warehouse.duckdb"))
  })
  return { sql, project, feed: Project.feed(project, source) }
})

const tamper = (project: Project.Project, statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const session = yield* Effect.flatMap(Warehouse, ({ session }) => session)
    for (const statement of statements) yield* session.execute(statement)
  }).pipe(Effect.scoped, Effect.provide(Services.warehouse(project.warehouse)))

const found = (report: Reconcile.ReconcileReport, table: string) =>
  report.tables
    .find((candidate) => candidate.table === table)
    ?.differences.map(({ key, kind }) => `${key.join("/")} ${kind}`)
    .toSorted()

describe("reconcile", () => {
  it.live(
    "finds exactly the keys that differ, in ranges and key by key, and a requested snapshot mends them",
    () =>
      Effect.gen(function* () {
        const { feed, project, sql } = yield* start("tampered")
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        const clean = yield* Reconcile.reconcile(feed, { full: true })
        assert.isTrue(clean.agree)
        assert.deepStrictEqual(
          clean.tables.map(({ sourceRows, curatedRows }) => [sourceRows, curatedRows]),
          [
            [30_000, 30_000],
            [3_000, 3_000]
          ]
        )
        yield* tamper(project, [
          "DELETE FROM curated.items WHERE id = 777",
          "UPDATE curated.items SET price = price + 0.01 WHERE id IN (1, 25000)",
          "UPDATE curated.items SET name = '' WHERE id = 5",
          "INSERT INTO curated.items SELECT * REPLACE (99999 AS id) FROM curated.items WHERE id = 2",
          "DELETE FROM curated.tags WHERE tag = 'tag-10Ä'"
        ])
        const differing = yield* Reconcile.reconcile(feed, { full: true })
        assert.isFalse(differing.agree)
        assert.deepStrictEqual(found(differing, "items"), [
          "1 different",
          "25000 different",
          "5 different",
          "777 missing",
          "99999 extra"
        ])
        assert.deepStrictEqual(found(differing, "tags"), ["tag-10Ä missing"])
        const ingesting = yield* Effect.forkChild(Ingest.ingest(project, { untilCaughtUp: false }))
        yield* sql.query("update public.items set name = 'now' where id = 3")
        const mended = yield* Resnapshot.resnapshot(feed, { tables: ["items", "tags"] })
        assert.isTrue(mended.done)
        const after = yield* Reconcile.reconcile(feed, { full: true })
        yield* Fiber.interrupt(ingesting)
        assert.deepStrictEqual(
          after.tables.flatMap(({ differences }) => differences),
          []
        )
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "a key that differs costs the source one more read, of its part of a range alone",
    () =>
      Effect.gen(function* () {
        const { feed, project, sql } = yield* start("parts")
        yield* Ingest.ingest(project, { untilCaughtUp: true })
        yield* tamper(project, ["UPDATE curated.items SET name = '' WHERE id = 20000"])
        const rowsRead: Array<number> = []
        const query: Connection.Connection["query"] = (text, values) =>
          Effect.tap(sql.query(text, values), (rows) => Effect.sync(() => rowsRead.push(rows.length)))
        const { suspects, tally } = yield* Effect.gen(function* () {
          const { dialect, session } = yield* Warehouse
          return yield* compare({
            feed,
            connection: { ...sql, query },
            session: yield* session,
            dialect,
            model: makeModel(dialect, items),
            orderedAlike: true,
            recent: undefined,
            rowsPerSecondMax: 1e9,
            onRows: () => Effect.void
          })
        }).pipe(Effect.scoped, Effect.provide(Services.warehouse(project.warehouse)))
        assert.deepStrictEqual(
          suspects.map(({ key }) => key),
          [["20000"]]
        )
        assert.deepStrictEqual(tally, { sourceRows: 30_000, curatedRows: 30_000, ranges: 10 })
        // Cuts, digests of the parts, and the keys of one part between two positions of the log.
        assert.deepStrictEqual(rowsRead, [9, 10, 1, 3125, 1])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "agrees with a source that never stands still, each range at its own moment",
    () =>
      Effect.gen(function* () {
        const { feed, project, sql } = yield* start("moving")
        const ingesting = yield* Effect.forkChild(Ingest.ingest(project, { untilCaughtUp: false }))
        const writing = yield* Effect.forkChild(
          Effect.forever(
            Effect.andThen(
              sql.query(
                "update public.items set price = price + 1 where id in (select (random() * 30000)::bigint from generate_series(1, 20))"
              ),
              Effect.sleep("20 millis")
            )
          )
        )
        yield* Effect.sleep("3 seconds")
        const report = yield* Reconcile.reconcile(feed, { full: true })
        yield* Fiber.interrupt(writing)
        yield* Fiber.interrupt(ingesting)
        assert.deepStrictEqual(
          report.tables.flatMap(({ differences }) => differences),
          []
        )
      }).pipe(Effect.scoped),
    120_000
  )
})
