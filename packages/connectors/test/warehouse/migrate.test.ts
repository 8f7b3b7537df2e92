import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Migrate from "../../src/warehouse/Migrate.ts"
import { make as makeModel } from "../../src/warehouse/Model.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { shared } from "./SnowflakeSubject.ts"
import { fresh } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-migrate-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const snowflake = shared()

const columns = { id: Column.int64, amount: Column.int32 }
const first = Table.make("bills", { columns, key: ["id"] })
const wider = Table.make("bills", { columns: { ...columns, memo: Column.nullable(Column.text) }, key: ["id"] })
const retyped = Table.make("bills", { columns: { id: Column.int64, amount: Column.text }, key: ["id"] })

/** What applying a contract does and leaves. */
const apply = (table: Table.Table, destructive = false) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { dialect, session } = yield* Warehouse
      const { applied, left } = yield* Migrate.apply(yield* session, dialect, [makeModel(dialect, table)], {
        destructive
      })
      return {
        applied: applied.map(({ description }) => description),
        left: left.map(({ description }) => description)
      }
    })
  )

describe("migrate", () => {
  it.live(
    "creates what is missing, adds columns, leaves what rewrites data unless told, and then has nothing to do",
    Effect.fnUntraced(function* () {
      const nothing = { applied: [], left: [] }
      const changes = [
        "change column amount of bills from INTEGER to VARCHAR",
        "change column amount of bills__history from INTEGER to VARCHAR"
      ]
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* apply(first), { applied: ["create bills", "create bills__history"], left: [] })
        assert.deepStrictEqual(yield* apply(first), nothing)
        const added = { applied: ["add column memo to bills", "add column memo to bills__history"], left: [] }
        assert.deepStrictEqual(yield* apply(wider), added)
        assert.deepStrictEqual(yield* apply(wider), nothing)
        assert.deepStrictEqual(yield* apply(first), nothing)
        assert.deepStrictEqual(yield* apply(retyped), { applied: [], left: changes })
        assert.deepStrictEqual(yield* apply(retyped, true), { applied: changes, left: [] })
        assert.deepStrictEqual(yield* apply(retyped), nothing)
      }).pipe(Effect.provide(fresh([], root)))
    })
  )

  it.live(
    "tasks that migrate at once do not fail for what another has done first, and register each table once",
    Effect.fnUntraced(function* () {
      const tables = Array.from({ length: 8 }, (_, n) => Table.make(`bills_${n}`, { columns, key: ["id"] }))
      const once = Effect.gen(function* () {
        const { dialect, session } = yield* Warehouse
        const models = tables.map((table) => makeModel(dialect, table))
        const task = Effect.flatMap(session, (own) => Migrate.apply(own, dialect, models))
        yield* Effect.all([task, task, task], { concurrency: "unbounded" })
        const [row] = yield* (yield* session).query(
          "SELECT CAST(count(*) AS INTEGER) AS n, CAST(count(DISTINCT table_name) AS INTEGER) AS names FROM northstar.tables"
        )
        assert.deepStrictEqual(row, { n: 8, names: 8 })
        assert.deepStrictEqual((yield* task).applied, [])
      })
      // Without the last look about one in four is registered twice.
      for (let turn = 0; turn < 4; turn++) yield* once.pipe(Effect.scoped, Effect.provide(fresh([], root)))
    })
  )

  it.live.each([
    ["DuckDB", fresh([], root)],
    ["Snowflake", snowflake.fresh([], root)]
  ] as const)("a renamed column keeps its values in %s", ([, warehouse]) =>
    Effect.gen(function* () {
      const renamed = Table.make("bills", {
        columns: { id: Column.int64, total: Column.renamedFrom(Column.int32, "amount") },
        key: ["id"]
      })
      yield* Effect.gen(function* () {
        yield* apply(first)
        const { session: open } = yield* Warehouse
        yield* Effect.scoped(
          Effect.flatMap(open, (session) => session.execute("INSERT INTO curated.bills (id, amount) VALUES (1, 5)"))
        )
        assert.deepStrictEqual(yield* apply(renamed), {
          applied: ["rename column amount of bills to total", "rename column amount of bills__history to total"],
          left: []
        })
        const rows = yield* Effect.scoped(
          Effect.flatMap(open, (session) => session.query("SELECT total FROM curated.bills"))
        )
        assert.deepStrictEqual(
          rows.map(({ total }) => Number(total)),
          [5]
        )
      }).pipe(Effect.provide(warehouse))
    })
  )
})
