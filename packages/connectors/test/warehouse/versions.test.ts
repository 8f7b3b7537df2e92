import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Effect } from "effect"
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

for (const [engine, warehouse] of Object.entries({
  DuckDB: fresh([boxes], root),
  Snowflake: shared().fresh([boxes], root)
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
  })
}
