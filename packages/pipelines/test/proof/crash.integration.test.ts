import { globSync } from "node:fs"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import * as Postgres from "@northstar/connectors/local/Postgres"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { Console, Context, Effect, Layer, Random } from "effect"
import * as Scenario from "./Scenario.ts"
import * as Settings from "./Settings.ts"

/** Failpoints that no task on this project can pass, and where they are struck instead. */
const elsewhere: ReadonlyArray<string> = [
  // The memory connectors: the law suites of the core.
  "memory.",
  // Another object store in the place of the folder: the law suites of the landing log on S3.
  "s3.",
  // Other sources: the proof of all sources.
  "stripe.",
  "files.",
  "discovery.",
  // Another warehouse: the same matrix on Snowflake.
  "snowflake."
]

interface Trial {
  readonly scenario: Scenario.Scenario
  readonly passed: ReadonlyArray<string>
}

class Matrix extends Context.Service<Matrix, ReadonlyArray<Trial>>()("test/Matrix") {
  static readonly layer: Layer.Layer<Matrix, ConnectorError> = Layer.effect(
    Matrix,
    Effect.gen(function* () {
      const server = yield* Postgres.start({ settings: { max_replication_slots: "40", max_wal_senders: "40" } })
      const scenarios = yield* Scenario.all(server)
      return yield* Effect.forEach(
        scenarios,
        (scenario) => Effect.map(Scenario.passed(scenario), (passed) => ({ scenario, passed })),
        { concurrency: 2 }
      )
    })
  )
}

/** The first passing of every failpoint, and a later one. */
const cases = ({ scenario, passed }: Trial) =>
  Effect.forEach([...Map.groupBy(passed, (name) => name)], ([step, { length }]) =>
    Effect.gen(function* () {
      const later = length > 1 ? [2 + Math.floor((yield* Random.next) * (length - 1))] : []
      return [1, ...later].map((nth): Scenario.Case => ({ scenario, fault: { step, nth } }))
    })
  ).pipe(Effect.map((all) => all.flat()))

/** Cases of a sample, for each scenario. */
const sample = 2

layer(Matrix.layer, { excludeTestServices: true, timeout: "5 minutes" })("crash matrix", (it) => {
  it.effect("P1 crash: some scenario passes every failpoint that is declared anywhere", () =>
    Effect.gen(function* () {
      const trials = yield* Matrix
      yield* Effect.promise(() => Promise.all(sources().map((file) => import(/* @vite-ignore */ file))))
      const passed = new Set(trials.flatMap((trial) => trial.passed))
      const missed = Failpoint.declared().filter(
        (name) => !passed.has(name) && !elsewhere.some((prefix) => name.startsWith(prefix))
      )
      expect(missed).toEqual([])
      expect([...passed].filter((name) => !Failpoint.declared().includes(name))).toEqual([])
    })
  )

  it.effect("P0 durable order: nothing is released to the source before its record is durable", () =>
    Effect.gen(function* () {
      for (const { scenario, passed } of yield* Matrix) {
        const broken = passed.flatMap((name, index) => (isInOrder(name, passed.slice(0, index)) ? [] : [name]))
        expect({ scenario: scenario.name, broken }).toEqual({ scenario: scenario.name, broken: [] })
      }
      const all = (yield* Matrix).flatMap(({ passed }) => passed)
      expect(all).toContain("postgres.source.released")
    })
  )

  it.effect(
    "P1 crash: a task killed at any of its failpoints and run again leaves the tables of one that was not killed",
    () =>
      Effect.gen(function* () {
        const trials = yield* Matrix
        yield* Console.log(
          `crash matrix: ${Settings.isMatrixFull ? "full" : "sample"}, NORTHSTAR_SEED=${Settings.seed}`
        )
        const chosen = yield* Effect.forEach(trials, (trial) =>
          Effect.flatMap(cases(trial), (all) =>
            Settings.isMatrixFull
              ? Effect.succeed(all)
              : Effect.map(Random.shuffle(all), (some) => some.slice(0, sample))
          )
        ).pipe(Random.withSeed(Settings.seed))
        const problems = yield* Effect.forEach(chosen.flat(), Scenario.run, { concurrency: 2 })
        yield* Console.log(`crash matrix: ${problems.length} kills`)
        expect(problems.flat()).toEqual([])
      }),
    Settings.isMatrixFull ? 1_800_000 : 300_000
  )
})

/** Whether what must be durable is, when a step is passed. */
const isInOrder = (name: string, before: ReadonlyArray<string>): boolean => {
  const count = (step: string) => before.filter((passed) => passed === step).length
  switch (name) {
    case "landing.record.ready":
      return count("landing.segment.encoded") === count("landing.segment.stored")
    case "landing.segment.stored":
      return count("folder.object.synced") > count("landing.segment.stored") + count("landing.record.created")
    case "landing.record.created":
      return before.slice(before.lastIndexOf("landing.record.ready")).includes("folder.object.synced")
    case "postgres.source.released":
      return count("postgres.source.released") < count("landing.record.created")
    default:
      return true
  }
}

/** Every module of the packages below this one. */
const sources = (): ReadonlyArray<string> => {
  const packages = join(import.meta.dirname, "..", "..", "..")
  return globSync(["core/src/**/*.ts", "connectors/src/**/*.ts"], { cwd: packages }).map((file) => join(packages, file))
}
