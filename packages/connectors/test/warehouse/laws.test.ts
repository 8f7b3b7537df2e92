import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { ChangeLaws, Histories, SinkLaws } from "@northstar/core/testing"
import type { Table } from "@northstar/core/Table"
import { patience } from "./RealAccount.ts"
import { shared } from "./SnowflakeSubject.ts"
import { changeStore, fresh, position, sinkStore } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-laws-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const snowflake = shared()

/** Warehouses by the name of their engine; each call is a fresh one, which is built again from the same place. */
const engines = {
  DuckDB: { make: (tables: ReadonlyArray<Table>) => fresh(tables, root), runs: { changes: 8, batches: 2 } },
  Snowflake: { make: (tables: ReadonlyArray<Table>) => snowflake.fresh(tables, root), runs: { changes: 2, batches: 1 } }
}

const batches = Histories.deliveries({ partial: true, truncates: true, losses: true }).pipe(
  Arbitrary.map((delivery) => delivery.batches.slice(0, 4))
)

for (const [engine, { make, runs }] of Object.entries(engines)) {
  const subject = { name: `the ${engine} warehouse`, position, at: (n: number) => BigInt(n) }
  describe(`laws of ${engine}`, () => {
    for (const law of ChangeLaws.laws({ ...subject, make: changeStore(make), runs: runs.changes })) {
      it.live(law.name, () => law.check, patience(120_000))
    }
    for (const law of SinkLaws.laws({ ...subject, make: sinkStore(make), batches, runs: runs.batches })) {
      it.live(law.name, () => law.check, patience(120_000))
    }
  })
}
