import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Migrate from "../../src/warehouse/Migrate.ts"
import * as Versions from "../../src/warehouse/Versions.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { changesOf } from "./Changes.ts"
import { boxes } from "./FenceCases.ts"
import { shared } from "./SnowflakeSubject.ts"
import { fresh, scene } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-versions-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const { put, remove } = changesOf("boxes")
const a = (note: string) => ({ id: "1", note, memo: "m" })

/** Names that one engine or both take for names only between quotes, or in their own case. */
const reserved = ["order", "limit", "row", "Mixed", 'a "b"'] as const
const odd = Table.make("2_odd", {
  columns: Object.fromEntries(["id", ...reserved].map((name) => [name, Column.text])),
  key: ["id", ...reserved]
})
const tables = [boxes, odd]

for (const [engine, warehouse] of Object.entries({
  DuckDB: fresh(tables, root),
  Snowflake: shared().fresh(tables, root)
})) {
  layer(warehouse, { timeout: 60_000, excludeTestServices: true })(`versions in ${engine}`, (it) => {
    it.effect("each version says from when to when readers saw it, and one that came late that nobody did", () =>
      Effect.gen(function* () {
        const { publish, query } = yield* scene([boxes])
        const { dialect, session } = yield* Warehouse
        yield* Effect.scoped(
          Effect.flatMap(session, (open) => Migrate.applyMarts(open, dialect, [Versions.view(boxes)]))
        )
        for (const batch of [[put(1, a("x"))], [put(3, a("z"))], [put(2, a("y"))], [remove(4, "1")]]) {
          yield* publish(batch)
          yield* Effect.sleep("5 millis")
        }
        const ms = (column: string) => `CAST(${dialect.epochMs(column)} AS VARCHAR)`
        const rows = yield* query(
          `SELECT note, ${ms("_recorded_at")} AS recorded, ${ms("_superseded_at")} AS superseded FROM marts.boxes__versions ORDER BY _version`
        )
        const [x, y, z, gone] = rows
        assert.deepStrictEqual(
          rows.map(({ note }) => note),
          ["x", "y", "z", null]
        )
        assert.strictEqual(x?.["superseded"], z?.["recorded"])
        assert.strictEqual(y?.["superseded"], y?.["recorded"])
        assert.strictEqual(z?.["superseded"], gone?.["recorded"])
        assert.strictEqual(gone?.["superseded"], null)
      })
    )

    it.effect("versions are those of a key, whatever its columns are called", () =>
      Effect.gen(function* () {
        const { publish, query } = yield* scene([odd])
        const { dialect, session } = yield* Warehouse
        const view = Versions.view(odd)
        yield* Effect.scoped(Effect.flatMap(session, (open) => Migrate.applyMarts(open, dialect, [view])))
        const row = (id: string, last: string) =>
          Object.fromEntries([["id", id], ...reserved.map((each) => [each, each === 'a "b"' ? last : "x"])])
        const { put: putOdd } = changesOf("2_odd")
        for (const [at, last] of ["1", "2", "3"].entries()) yield* publish([putOdd(at + 1, row("1", last))])
        yield* publish([putOdd(9, row("1", "3"))])
        const rows = yield* query(
          `SELECT ${dialect.id('a "b"')} AS last, CASE WHEN _superseded_at IS NULL THEN 1 ELSE 0 END AS stands FROM marts.${dialect.id(view.name)} ORDER BY _version`
        )
        assert.deepStrictEqual(
          rows.map(({ last, stands }) => [last, Number(stands)]),
          [
            ["1", 1],
            ["2", 1],
            ["3", 0],
            ["3", 1]
          ]
        )
      })
    )
  })
}
