import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Assumptions, design } from "../src/cost/Assumptions.ts"
import { report } from "../src/cost/Cost.ts"
import * as CostLedger from "../src/cost/CostLedger.ts"
import type { CycleCost } from "../src/cost/Cycle.ts"
import { credit, prices } from "../src/cost/Prices.ts"
import { Warehouse } from "../src/warehouse/Warehouse.ts"
import { fresh, key } from "./warehouse/Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-cost-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const projected = (assumptions: Partial<Assumptions> = {}) => report({ assumptions })

const line = (of: ReturnType<typeof report>, id: string) => of.lines.find((each) => each.id === id)!

/** Cycles of which each takes `fixed` seconds and one for every `perSecond` changes. */
const cycles = (count: number, fixed: number, perSecond: number): ReadonlyArray<CycleCost> =>
  Array.from({ length: count }, (_, index) => {
    const changes = 100_000 * (1 + (index % 7))
    return {
      batch: `b${index}`,
      warehouse: "NORTHSTAR_LOAD",
      size: "SMALL",
      statements: 100,
      warehouseSeconds: fixed + changes / perSecond,
      bytesScanned: 1_000,
      changes,
      recordedAtMs: index
    }
  })

describe("cost", () => {
  it("the design volume is within the budget, and the total is the sum of its lines", () => {
    const of = report()
    assert.isTrue(of.withinBudget)
    assert.isBelow(of.projectedMonthlyUsd, 18_000)
    const sum = of.lines.reduce((total, { monthlyUsd }) => total + monthlyUsd, 0)
    assert.closeTo(sum, of.projectedMonthlyUsd, 0.01)
    assert.closeTo(of.snowflakeMonthlyUsd + of.awsMonthlyUsd, of.projectedMonthlyUsd, 0.01)
    for (const each of of.lines) assert.closeTo(each.quantity * each.unitPriceUsd, each.monthlyUsd, 0.006)
  })

  it("every line has an id of its own, an assumption and a price that is in the price table", () => {
    const { lines } = report()
    assert.strictEqual(new Set(lines.map(({ id }) => id)).size, lines.length)
    const known = new Set([...Object.values(credit), ...Object.values(prices)].map(({ usd }) => usd[design.region]))
    for (const { assumption, unitPriceUsd } of lines) {
      assert.isAbove(assumption.length, 0)
      assert.isTrue(known.has(unitPriceUsd))
    }
  })

  it("freshness of 15 minutes holds at 5 minutes and not at 15, and 1 minute never lets the warehouse suspend", () => {
    assert.isBelow(projected().load.freshnessSeconds, 15 * 60)
    assert.isAbove(projected({ cadenceSeconds: 900 }).load.freshnessSeconds, 15 * 60)
    const always = projected({ cadenceSeconds: 60 })
    assert.strictEqual(always.load.billedSeconds, 60)
    assert.isAbove(line(always, "load").monthlyUsd, 2 * line(projected(), "load").monthlyUsd)
  })

  it("a warehouse too small for the volume is said not to keep up", () => {
    assert.isTrue(projected().load.keepsUp)
    assert.isFalse(projected({ loadSize: "XSMALL" }).load.keepsUp)
    assert.isFalse(projected({ publishedPerSecond: 500 }).load.keepsUp)
  })

  it("measured cycles replace the assumed time of a cycle once there are enough of them", () => {
    const few = report({ measured: cycles(5, 10, 50_000) })
    assert.strictEqual(few.load.busySeconds, report().load.busySeconds)
    const many = report({ measured: cycles(50, 10, 50_000) })
    const changes = ((45e6 * 3 + 11.25e6 * 5) * 300) / 86_400
    assert.closeTo(many.load.busySeconds, 10 + changes / 50_000, 0.01)
    assert.include(line(many, "load").assumption, "measured over 50 cycles")
    assert.strictEqual(many.measured.cycles, 50)
  })

  it.live("what is recorded of a cycle is read back, oldest first", () =>
    Effect.gen(function* () {
      const { dialect, session: open } = yield* Warehouse
      const session = yield* open
      const recorded = cycles(3, 1.5, 1_000_000)
      for (const cost of recorded) yield* CostLedger.record(session, dialect, key, cost)
      assert.deepStrictEqual(
        yield* CostLedger.read(session, dialect, key.pipeline, 1),
        recorded
          .slice(1)
          .map((cost) => ({ ...cost, warehouseSeconds: Math.round(cost.warehouseSeconds * 1000) / 1000 }))
      )
    }).pipe(Effect.scoped, Effect.provide(fresh([], root)))
  )

  it("a budget below the projection is not met", () => {
    assert.isFalse(report({ budgetUsd: 1_000 }).withinBudget)
  })

  it("the decision record's tables are what the projection gives", () => {
    const record = readFileSync(new URL("../../../docs/adr/0015-snowflake-cost.md", import.meta.url), "utf8")
    const usd = (amount: number) => Math.round(amount).toLocaleString("en-US")
    for (const cadenceSeconds of [60, 300, 900]) {
      for (const loadSize of ["XSMALL", "SMALL", "MEDIUM", "LARGE"] as const) {
        const of = projected({ cadenceSeconds, loadSize })
        const { busySeconds, freshnessSeconds, changesPerSecondMax } = of.load
        const cells = [
          `${cadenceSeconds / 60} min`,
          loadSize,
          `${Math.round(busySeconds)} s`,
          `${(freshnessSeconds / 60).toFixed(1)} min`,
          changesPerSecondMax.toLocaleString("en-US"),
          usd(line(of, "load").monthlyUsd),
          usd(line(of, "storage-replaced").monthlyUsd),
          usd(of.projectedMonthlyUsd)
        ]
        assert.include(record, `| ${cells.join(" | ")} |`)
      }
    }
    for (const ingestion of ["copy", "snowpipe"] as const) {
      for (const publication of ["merge", "dynamicTable"] as const) {
        const of = report({ method: { ingestion, publication } })
        const pipe = of.lines.find(({ id }) => id === "snowpipe")?.monthlyUsd ?? 0
        const cells = [ingestion, publication, usd(line(of, "load").monthlyUsd), usd(pipe), usd(of.projectedMonthlyUsd)]
        assert.include(record, `| ${cells.join(" | ")} |`)
      }
    }
    for (const { id, monthlyUsd } of report().lines) assert.include(record, `| ${id} | ${usd(monthlyUsd)} |`)
  })
})
