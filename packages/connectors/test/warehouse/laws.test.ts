import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, it } from "@effect/vitest"
import { Arbitrary } from "effect"
import { ChangeLaws, Histories, SinkLaws } from "@northstar/core/testing"
import { Effect } from "effect"
import { changeStore, position } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-laws-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const subject = {
  name: "duckdb warehouse",
  position,
  at: (n: number) => BigInt(n),
  make: changeStore(root)
}

describe("warehouse laws", () => {
  for (const law of ChangeLaws.laws({ ...subject, runs: 8 })) it.live(law.name, () => law.check, 120_000)
})
