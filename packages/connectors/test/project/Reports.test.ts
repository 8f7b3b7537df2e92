import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Column from "@northstar/core/Column"
import { RunId, RunLedger } from "@northstar/core/RunLedger"
import * as Table from "@northstar/core/Table"
import * as Project from "@northstar/connectors/project/Project"
import * as Quarantine from "@northstar/connectors/project/Quarantine"
import * as Query from "@northstar/connectors/project/Query"
import * as Runs from "@northstar/connectors/project/Runs"
import * as Services from "@northstar/connectors/project/Services"
import * as Status from "@northstar/connectors/project/Status"
import { versionNumber } from "@northstar/connectors/warehouse/Model"
import { isMistake, Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import { folder } from "./Configuration.ts"

const orders = Table.make("orders", {
  columns: { id: Column.int64, email: Column.pii(Column.text), card: Column.pci(Column.text) },
  key: ["id"]
})

const project = Effect.map(folder, (path) =>
  Project.define({
    name: "shop",
    sources: [Project.postgres({ url: undefined, tables: [orders] })],
    landing: Project.folder(join(path, "landing")),
    warehouse: Project.duckdb(join(path, "warehouse.duckdb"))
  })
)

const execute = (sql: string) =>
  Effect.scoped(Effect.flatMap(Warehouse, ({ session }) => Effect.flatMap(session, ({ execute }) => execute(sql))))

/** Brings the warehouse to the project first, as an ingest does. */
const run = (project: Project.Project, sql: string) => Effect.provide(execute(sql), Services.layer(project))

/** Leaves it as it is. */
const edit = (project: Project.Project, sql: string) =>
  Effect.provide(execute(sql), Services.warehouse(project.warehouse))

const fileOf = ({ warehouse }: Project.Project) => (warehouse.kind === "duckdb" ? warehouse.file : "")

/** The project as an ingest leaves it: with tables. */
const prepared = Effect.tap(project, (shop) => run(shop, "SELECT 1"))

const wrong = [
  ["select * from curated.nowhere", "nowhere does not exist"],
  ["select nothing from curated.orders", "column"],
  ["select 1 +", "syntax error"],
  ["select cast(email as int) from (values ('ann@example.com')) t(email)", "Conversion Error"]
] as const

it.live("a wrong query is told with the engine's message, without values, and is not damaged data", () =>
  Effect.gen(function* () {
    const shop = yield* prepared
    for (const [sql, said] of wrong) {
      const error = yield* Effect.flip(Query.query(shop, sql, { rowsMax: 1 }))
      expect([sql, isMistake(error)]).toEqual([sql, true])
      expect(error.message).toContain(said)
      expect(error.message).not.toContain("ann@")
      expect(error.action).not.toBe("")
    }
  })
)

const looking = {
  status: (shop: Project.Project) => Effect.asVoid(Status.status(shop)),
  query: (shop: Project.Project) => Effect.asVoid(Query.query(shop, "select 1 as one", { rowsMax: 1 })),
  "runs list": (shop: Project.Project) => Effect.asVoid(Runs.list(shop, { last: 1 })),
  "quarantine list": (shop: Project.Project) =>
    Effect.asVoid(Quarantine.list(shop, { all: true, last: 1, unmask: false }))
}

/** Any of the commands. */
type Look = (shop: Project.Project) => Effect.Effect<void, ConnectorError>

for (const [name, look] of Object.entries<Look>(looking)) {
  it.live(`${name} creates no warehouse, and says that there is none`, () =>
    Effect.gen(function* () {
      const shop = yield* project
      const before = yield* Effect.flip(look(shop))
      expect([before.message, before.action]).toEqual([
        expect.stringContaining("holds no tables yet"),
        expect.stringContaining("northstar ingest")
      ])
      expect(existsSync(fileOf(shop))).toBe(false)
      yield* edit(shop, "SELECT 1")
      expect((yield* Effect.flip(look(shop))).message).toContain("holds no tables yet")
    })
  )

  it.live(`${name} leaves tables and marts as they are`, () =>
    Effect.gen(function* () {
      const shop = yield* prepared
      yield* edit(shop, "DROP TABLE curated.orders")
      yield* edit(shop, "CREATE VIEW marts.totals AS SELECT 1 AS by_hand")
      yield* look({ ...shop, marts: [{ name: "totals", query: "SELECT 2 AS described" }] })
      const query =
        "SELECT (SELECT count(*) FROM duckdb_tables() WHERE table_name = 'orders') AS tables, by_hand FROM marts.totals"
      expect((yield* Query.query(shop, query, { rowsMax: 1 })).rows).toEqual([{ tables: "0", by_hand: 1 }])
    })
  )
}

it.live("a query returns its first rows and says whether there are more", () =>
  Effect.gen(function* () {
    const shop = yield* prepared
    const some = yield* Query.query(shop, "select i, i::bigint as big from range(5) r(i) order by i desc; ", {
      rowsMax: 3
    })
    expect(some).toEqual({
      columns: ["i", "big"],
      rows: ["4", "3", "2"].map((i) => ({ i, big: i })),
      truncated: true
    })
    const all = yield* Query.query(shop, "from range(3)", { rowsMax: 3 })
    expect(all.truncated).toBe(false)
  })
)

const writing = [
  "delete from northstar.runs",
  "create table t (a int)",
  "with x as (delete from northstar.runs returning *) select * from x",
  "select 1; select 2",
  "select 1) t; drop schema curated; select * from (select 1",
  "copy (select 1) to '/dev/null'",
  "pragma database_list",
  "set threads = 1",
  "",
  "selec 1"
]

for (const sql of writing) {
  it.live(`${JSON.stringify(sql)} is refused before it runs`, () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Query.query(yield* prepared, sql, { rowsMax: 1 }))
      expect(isMistake(error)).toBe(true)
    })
  )
}

const insert = (id: string) => {
  const version = versionNumber({ epoch: 1, position: 42n, ordinal: 3, revision: 0 })
  const values = JSON.stringify({ id, email: "ann@example.com", card: "tok_1", extra: "new" }).replaceAll("'", "''")
  return `INSERT INTO northstar.quarantine (table_name, row_key, version, op, reason, batch, segment, recorded_at, unchanged, source_values)
    VALUES ('orders', '["${id}"]', ${version}, 1, 'unparseable:id', 'b1', 's', now(), NULL, '${values}')`
}

it.live("quarantined values are masked; unmasked, card data and unknown columns still are", () =>
  Effect.gen(function* () {
    const shop = yield* project
    yield* run(shop, insert("seven"))
    const [line] = yield* Quarantine.list(shop, { all: false, last: 10, unmask: false })
    expect(line).toMatchObject({ table: "orders", op: "upsert", reason: "unparseable:id", version: "1/42/3/0" })
    expect(line?.key).toEqual([{ name: "id", length: 5, text: undefined }])
    const masked = yield* Quarantine.show(shop, line?.id ?? "", { unmask: false })
    expect(JSON.stringify(masked)).not.toMatch(/ann@|tok_1|seven|new"/)
    const shown = yield* Quarantine.show(shop, line?.id ?? "", { unmask: true })
    expect(shown.values.map(({ name, text }) => [name, text])).toEqual([
      ["id", "seven"],
      ["email", "ann@example.com"],
      ["card", undefined],
      ["extra", undefined]
    ])
  })
)

it.live("resolved changes are listed only on request, and an unknown id names the list", () =>
  Effect.gen(function* () {
    const shop = yield* project
    yield* run(shop, insert("seven"))
    yield* run(shop, "UPDATE northstar.quarantine SET resolved_at = now(), resolution = 'published'")
    expect(yield* Quarantine.list(shop, { all: false, last: 10, unmask: false })).toEqual([])
    expect(yield* Quarantine.list(shop, { all: true, table: "orders", last: 10, unmask: false })).toHaveLength(1)
    const error = yield* Effect.flip(Quarantine.show(shop, "nope", { unmask: false }))
    expect(error.action).toContain("quarantine list")
  })
)

it.live("a run is the fold of its facts: replayed commits count as none, and without an end it is open", () =>
  Effect.gen(function* () {
    const shop = yield* project
    yield* Effect.gen(function* () {
      const { append } = yield* RunLedger
      const key = { pipeline: "shop", stream: "main" }
      const record = (run: string, atMs: number, fact: Parameters<typeof append>[0]["fact"]) =>
        append({ run: RunId.make(run), key, atMs, fact })
      yield* record("ingest-1", 1000, { _tag: "Started", program: "ingest" })
      yield* record("ingest-1", 2000, { _tag: "Committed", through: "1", rows: 7, replayed: false })
      yield* record("ingest-1", 3000, { _tag: "Committed", through: "1", rows: 0, replayed: true })
      yield* record("ingest-1", 4000, { _tag: "Ended", outcome: "failed", detail: "no answer" })
      yield* record("ingest-2", 5000, { _tag: "Started", program: "ingest" })
    }).pipe(Effect.provide(Services.layer(shop)))
    const [second, first] = yield* Runs.list(shop, { last: 10 })
    expect(second).toMatchObject({ run: "ingest-2", outcome: "open", batches: 0, rows: 0 })
    expect(first).toMatchObject({
      outcome: "failed",
      detail: "no answer",
      batches: 1,
      rows: 7,
      startedAtMs: 1000,
      seenAtMs: 4000
    })
    expect(yield* Runs.list(shop, { last: 1 })).toEqual([second])
    expect((yield* Runs.show(shop, "ingest-1")).facts.map(({ fact }) => fact._tag)).toEqual([
      "Started",
      "Committed",
      "Committed",
      "Ended"
    ])
    expect((yield* Effect.flip(Runs.show(shop, "it's"))).action).toContain("runs list")
  })
)
