import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { ChangeLaws, Histories, SinkLaws } from "@northstar/core/testing"
import { changeStore, position, sinkStore } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-laws-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const subject = { name: "the DuckDB warehouse", position, at: (n: number) => BigInt(n) }

const batches = Histories.deliveries({ partial: true, truncates: true, losses: true }).pipe(
  Arbitrary.map((delivery) => delivery.batches.slice(0, 4))
)

describe("warehouse laws", () => {
  for (const law of ChangeLaws.laws({ ...subject, make: changeStore(root), runs: 8 })) {
    it.live(law.name, () => law.check, 120_000)
  }
  for (const law of SinkLaws.laws({ ...subject, make: sinkStore(root), batches, runs: 2 })) {
    it.live(law.name, () => law.check, 120_000)
  }
})
