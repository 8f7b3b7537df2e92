import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Pipeline from "@northstar/core/Pipeline"
import { RunLedger } from "@northstar/core/RunLedger"
import { ExpectationLaws, FaultInjector, SourceLaws, StageLaws } from "@northstar/core/testing"
import * as Stage from "@northstar/core/Stage"
import { Arbitrary, Effect, Layer, Schema } from "effect"
import * as Kiosk from "../loyalty/src/Kiosk.ts"
import { award, believable, pipeline } from "../loyalty/src/Loyalty.ts"
import { PointsLedger } from "../loyalty/src/PointsLedger.ts"

const folder = mkdtempSync(join(tmpdir(), "northstar-loyalty-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lineOf = (member: string, spentMinor: number) => `${JSON.stringify({ member, spentMinor })}\n`

let journals = 0
const journalOf = (...lines: ReadonlyArray<string>): string => {
  const file = join(folder, `scans-${++journals}.jsonl`)
  writeFileSync(file, lines.join(""))
  return file
}

const points = Effect.map(PointsLedger, ({ database }) =>
  Object.fromEntries(
    database
      .prepare("SELECT member, points FROM points")
      .all()
      .map((row) => [row["member"], row["points"]])
  )
)

const catchUp = (journal: string) => Pipeline.run(pipeline(journal), { program: "loyalty", untilCaughtUp: true })
const services = Layer.suspend(() => Layer.merge(PointsLedger.layer(":memory:"), RunLedger.layerMemory))

describe("laws of the team's own parts", () => {
  const many = Array.from({ length: 1200 }, (_, at) => lineOf(`m${at % 7}`, at * 10))
  const make = Effect.sync(() => Kiosk.source(journalOf(...many)))
  for (const law of SourceLaws.laws({ name: "kiosk", make, live: false })) it.effect(law.name, () => law.check)

  const scans = Arbitrary.map(Arbitrary.schema(Schema.Int), (spentMinor) => ({ line: 1n, member: "ann", spentMinor }))
  for (const law of [
    ...StageLaws.laws({ name: "award", stage: Stage.map(award), rows: scans }),
    ...ExpectationLaws.laws({ expectation: believable, rows: scans })
  ]) {
    it.effect(law.name, () => law.check)
  }
})

describe("the loyalty pipeline", () => {
  it.effect("adds a point for every full pound, and goes on where it stopped", () =>
    Effect.gen(function* () {
      const journal = journalOf(lineOf("ann", 1250), lineOf("bob", 99))
      assert.strictEqual((yield* catchUp(journal)).rows, 2)
      appendFileSync(journal, `${lineOf("ann", 800)}{"member":"bob","spentMi`)
      assert.strictEqual((yield* catchUp(journal)).rows, 1)
      assert.deepStrictEqual(yield* points, { ann: 20, bob: 0 })
      assert.strictEqual((yield* catchUp(journal)).rows, 0)
    }).pipe(Effect.provide(services))
  )

  for (const step of ["points.written", "points.moved", "points.committed"]) {
    it.live(`a run that dies at ${step} gives nobody a point twice`, () =>
      Effect.gen(function* () {
        const journal = journalOf(lineOf("ann", 1000), lineOf("bob", 500))
        const injector = yield* FaultInjector.make
        yield* injector.arm({ step, nth: 1, kind: "die" })
        yield* Effect.exit(injector.provide(catchUp(journal)))
        assert.isTrue(yield* injector.hasStruck)
        yield* catchUp(journal)
        assert.deepStrictEqual(yield* points, { ann: 10, bob: 5 })
      }).pipe(Effect.provide(services))
    )
  }

  it.effect("a broken till stops before the ledger, with the line and not the amount", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(catchUp(journalOf(lineOf("ann", 100), lineOf("ann", -4711))))
      assert.strictEqual(error._tag, "ExpectationFailed")
      assert.include(error.message, "scans 1/2/0")
      assert.notInclude(error.message, "4711")
      assert.deepStrictEqual(yield* points, {})
    }).pipe(Effect.provide(services))
  )

  it.effect("a line that is no scan is named by its number", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(catchUp(journalOf(lineOf("ann", 100), "what?\n")))
      assert.include(error.message, "line 2 is not a scan")
    }).pipe(Effect.provide(services))
  )
})
