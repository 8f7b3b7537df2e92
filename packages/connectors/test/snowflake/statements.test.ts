import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it, layer } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Column from "@northstar/core/Column"
import { RunId, RunLedger } from "@northstar/core/RunLedger"
import * as Table from "@northstar/core/Table"
import * as Digests from "../../src/warehouse/Digests.ts"
import * as Migrate from "../../src/warehouse/Migrate.ts"
import { make } from "../../src/warehouse/Model.ts"
import * as Rollback from "../../src/warehouse/Rollback.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import * as WarehouseLedger from "../../src/warehouse/WarehouseLedger.ts"
import { render } from "../local/snowflake/Duck.ts"
import { changesOf } from "../warehouse/Changes.ts"
import { shared } from "../warehouse/SnowflakeSubject.ts"
import { fresh, scene } from "../warehouse/Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-snowflake-statements-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Names that only quotes keep, and a value of each type. */
const things = Table.make("things", {
  columns: {
    id: Column.int64,
    line: Column.text,
    amount: Column.nullable(Column.decimal(12, 2)),
    single: Column.nullable(Column.float32),
    ratio: Column.nullable(Column.float64),
    order: Column.nullable(Column.uuid),
    'Mixed "Case" \\': Column.nullable(Column.bytes),
    isOpen: Column.nullable(Column.boolean),
    due: Column.nullable(Column.date),
    clock: Column.nullable(Column.time),
    wall: Column.nullable(Column.timestamp),
    seen_at: Column.nullable(Column.timestamptz),
    note: Column.nullable(Column.json)
  },
  key: ["id", "line"],
  event: { column: "seen_at", zone: "Pacific/Auckland" }
})

const row = (id: string, line: string) => ({
  id,
  line,
  amount: "-0.05",
  single: "0.1",
  ratio: "5e-324",
  order: "FFFFFFFF-0000-4000-8000-000000000001",
  'Mixed "Case" \\': "\\x00ff",
  isOpen: "t",
  due: "2024-02-29",
  clock: "23:59:59.999999",
  wall: "1969-12-31 23:59:59.999999",
  seen_at: "2024-07-01 12:00:00.5+05:30",
  note: '{"a": "\\u00e9"}'
})

const { put } = changesOf("things")

/** What the warehouse answers, its digests above all, after the same changes. */
const answers = Effect.gen(function* () {
  const { publish, run } = yield* scene([things])
  yield* publish([put(1, row("1", "a")), put(2, row("2", 'it\'s \\ "b"')), put(3, { ...row("x", "c") })])
  yield* publish([put(4, { ...row("1", "a"), amount: "7" }), put(5, row("1", "a"))])
  const { dialect, session: open } = yield* Warehouse
  const model = make(dialect, things)
  return yield* run(
    Effect.scoped(
      Effect.gen(function* () {
        const session = yield* open
        const slice: Digests.Slice = {
          after: ["0", ""],
          through: ["2", "z"],
          recent: { column: "seen_at", bound: "2024-01-01 00:00:00+00" }
        }
        const keys = yield* Digests.keys(session, dialect, model, slice, 10)
        const sought = [
          ["1", "a"],
          ["2", 'it\'s \\ "b"'],
          ["9", "none"]
        ]
        const known = yield* Digests.lookUp(
          session,
          dialect,
          model,
          0,
          sought.map((key) => ({ key, from: 3n, through: 9n }))
        )
        const [last] = yield* session.query("SELECT max(batch) AS batch FROM northstar.batches")
        return {
          digests: yield* Digests.digests(session, dialect, model, [
            { ...slice, through: ["1", "a"] },
            { ...slice, after: ["1", "a"] }
          ]),
          keys: [...keys].toSorted(),
          known: known.map(({ now, states }) => [now, [...states].map(String).toSorted()]),
          quarantined: yield* Digests.isQuarantined(session, model, ["x", "c"]),
          migrations: yield* Migrate.plan(session, dialect, [model]),
          plan: yield* Rollback.plan([things], String(last?.["batch"])),
          taken: yield* Rollback.apply([things], String(last?.["batch"])),
          after: yield* Digests.digests(session, dialect, model, [{ after: null, through: null }])
        }
      })
    )
  )
})

const snowflake = shared()

layer(snowflake.fresh([things], root), { timeout: 60_000 })("statements", (it) => {
  it.effect(
    "D1 dialects: digests, look-ups and rollbacks answer as on DuckDB",
    Effect.fnUntraced(function* () {
      const onDuckDb = yield* Effect.scoped(Effect.provide(answers, fresh([things], root)))
      const onSnowflake = yield* answers
      assert.deepStrictEqual(
        onDuckDb.digests.map(({ rows }) => rows),
        [1, 1]
      )
      assert.isTrue(onDuckDb.quarantined)
      assert.deepStrictEqual(onSnowflake, onDuckDb)
      assert.deepStrictEqual(onSnowflake.migrations, [])
    })
  )

  it.effect(
    "facts of runs are written and read",
    Effect.fnUntraced(function* () {
      const key = { pipeline: "p", stream: "s" }
      const entry = {
        run: RunId.make("r"),
        key,
        atMs: 1_700_000_000_123,
        fact: { _tag: "Ended", outcome: "failed", detail: "a \\ 'b' \\n" } as const
      }
      const program = Effect.gen(function* () {
        const ledger = yield* RunLedger
        yield* ledger.append(entry)
        yield* ledger.append(entry)
        return yield* Stream.runCollect(ledger.entries(key))
      })
      assert.deepStrictEqual([...(yield* Effect.provide(program, WarehouseLedger.layer))], [entry])
    })
  )
})

describe("marts", () => {
  const folder = new URL("../../../pipelines/marts/", import.meta.url)
  for (const file of readdirSync(folder)) {
    it(`${file} is read`, () => {
      assert.include(
        render(`CREATE OR REPLACE VIEW marts.m AS ${readFileSync(new URL(file, folder), "utf8")}`),
        "CREATE OR REPLACE VIEW"
      )
    })
  }
})
