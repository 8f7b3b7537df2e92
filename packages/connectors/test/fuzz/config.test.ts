import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert } from "@effect/vitest"
import { type Dice, fuzz } from "./Dice.ts"

const project = {
  name: "shop",
  sources: [
    {
      kind: "postgres",
      name: "shop",
      epoch: 1,
      slot: "northstar",
      publication: "northstar",
      snapshot: { chunkRows: 10_000, rowsPerSecondMax: 100_000 },
      heartbeatSeconds: 10,
      guard: { warnBytes: 1, stopBytes: 2, policy: "warn" },
      tables: [
        {
          name: "orders",
          source: "public.orders",
          key: ["id"],
          columns: { id: { type: { kind: "int64" }, nullable: false, aliases: [] } },
          checks: []
        }
      ]
    }
  ],
  landing: { kind: "folder", folder: "landing" },
  warehouse: { kind: "duckdb", file: "warehouse.duckdb" },
  cardNumbers: "tokenise",
  marts: [{ name: "daily", query: "SELECT 1" }],
  retentionExceptions: []
}

const oddities: ReadonlyArray<unknown> = [
  null,
  true,
  0,
  -1,
  1e308,
  0.5,
  "",
  "../x",
  "é😀\n",
  [],
  {},
  [null],
  { kind: "s3" }
]

/** The same value with something in it replaced, left out or in another place. */
const alter = (dice: Dice, value: unknown): unknown => {
  if (typeof value !== "object" || value === null || dice.below(6) === 0) return dice.pick(oddities)
  if (Array.isArray(value)) return dice.below(4) === 0 ? [...value, ...value] : value.map((item) => alter(dice, item))
  const entries = Object.entries(value)
  const at = dice.below(Math.max(1, entries.length))
  if (dice.below(5) === 0) return Object.fromEntries(entries.toSpliced(at, 1))
  return Object.fromEntries(entries.map(([name, inner], index) => [name, index === at ? alter(dice, inner) : inner]))
}

/** Configurations of one case: one process loads them all. */
const textsPerCase = 60

fuzz(
  "configuration: one with wrong values or damaged text is loaded or misconfigured, and nothing else",
  { runs: 1 },
  (dice) => {
    const texts = Array.from({ length: textsPerCase }, () => {
      const text = `export default ${JSON.stringify(dice.below(3) === 0 ? project : alter(dice, project), null, 2)}\n`
      return dice.below(2) === 0 ? text : dice.damage(Buffer.from(text)).toString("utf8")
    })
    const run = spawnSync(
      process.execPath,
      ["--conditions=northstar-source", join(import.meta.dirname, "ConfigProgram.ts")],
      {
        input: JSON.stringify(texts),
        encoding: "utf8",
        timeout: 30_000
      }
    )
    assert.strictEqual(run.status, 0, run.stderr)
    const outcomes = JSON.parse(run.stdout) as ReadonlyArray<string>
    for (const [index, outcome] of outcomes.entries()) {
      assert.include(["loaded", "Misconfigured"], outcome, texts[index])
    }
  }
)
