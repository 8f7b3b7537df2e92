import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { boxes, fenceCases } from "./FenceCases.ts"
import { contents, scene } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-fence-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

describe("the fence", () => {
  for (const { name, batches, rows, quarantined = [] } of fenceCases) {
    it.live(
      name,
      Effect.fnUntraced(function* () {
        const { publish, run, query } = yield* scene(root, [boxes])
        for (const batch of batches) yield* publish(batch)
        const found = (yield* run(contents([boxes]))).get("boxes") ?? new Map()
        const seen = [...found].map(([key, row]) => [key, row === "held" ? row : [row["note"], row["memo"]]])
        assert.deepStrictEqual(Object.fromEntries(seen), rows)
        const aside = yield* query("SELECT row_key, reason FROM northstar.quarantine ORDER BY ALL")
        const reasons = aside.map((row) => `${(JSON.parse(String(row["row_key"])) as [string])[0]} ${String(row["reason"])}`)
        assert.deepStrictEqual(reasons, [...quarantined])
        const unbalanced = yield* query(
          "SELECT * FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held OR superseded < 0"
        )
        assert.deepStrictEqual(unbalanced, [])
      })
    )
  }
})
