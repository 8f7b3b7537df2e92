import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { boxes, fenceCases, trips } from "./FenceCases.ts"
import { shared } from "./SnowflakeSubject.ts"
import { contents, fresh, scene } from "./Subject.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-fence-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const tables = [boxes, trips]
const engines = { DuckDB: fresh(tables, root), Snowflake: shared().fresh(tables, root) }

for (const [engine, warehouse] of Object.entries(engines))
  layer(warehouse, { timeout: 60_000 })(`the fence in ${engine}`, (it) => {
    for (const { name, table = boxes, batches, rows, quarantined = [] } of fenceCases) {
      it.effect(
        name,
        Effect.fnUntraced(function* () {
          const { publish, run, query } = yield* scene([table])
          for (const batch of batches) yield* publish(batch)
          const found = (yield* run(contents([table]))).get(table.name) ?? new Map()
          const seen = [...found].map(([key, row]) => [key, row === "held" ? row : [row["note"], row["memo"]]])
          assert.deepStrictEqual(Object.fromEntries(seen), rows)
          const { dialect } = yield* Warehouse
          const aside = yield* query(
            `SELECT ${dialect.jsonAt("row_key", 0)} AS k, reason FROM northstar.quarantine ORDER BY 1, 2`
          )
          assert.deepStrictEqual(
            aside.map(({ k, reason }) => `${String(k)} ${String(reason)}`),
            [...quarantined]
          )
          const unbalanced = yield* query(
            "SELECT * FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held OR superseded < 0"
          )
          assert.deepStrictEqual(unbalanced, [])
        })
      )
    }
  })
