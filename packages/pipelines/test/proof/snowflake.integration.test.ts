import { expect, layer } from "@effect/vitest"
import * as Postgres from "@northstar/connectors/local/Postgres"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { Console, Context, Effect, Layer, Random } from "effect"
import * as Scenario from "./Scenario.ts"
import * as Settings from "./Settings.ts"
import * as SnowflakePlace from "./SnowflakePlace.ts"

/** The failpoints of a warehouse; those of capture and the landing log do not depend on which one it is. */
const ofWarehouse = /^(load|publish|rollback|snowflake)\./

/** What a sample kills: a first and a later publish, and the client around COMMIT. */
const sampled: ReadonlyArray<readonly [scenario: string, steps: ReadonlyArray<string>]> = [
  ["first ingest", ["snowflake.attached", "load.staged", "publish.history", "load.moved"]],
  ["ongoing ingest", ["publish.current", "snowflake.commit.ready", "snowflake.commit.done", "load.committed"]]
]

class Scenarios extends Context.Service<Scenarios, ReadonlyArray<Scenario.Scenario>>()("test/Scenarios") {
  static readonly layer: Layer.Layer<Scenarios, ConnectorError> = Layer.effect(
    Scenarios,
    Effect.gen(function* () {
      const server = yield* Postgres.start({ settings: { max_replication_slots: "40", max_wal_senders: "40" } })
      const place = yield* SnowflakePlace.make
      return Settings.isMatrixFull ? yield* Scenario.all(server, place) : Scenario.ingests(server, place)
    })
  )
}

/** Every warehouse's failpoint that a scenario passes, at its first passing and at a later one. */
const every = Effect.fnUntraced(function* (scenario: Scenario.Scenario) {
  const passed = (yield* Scenario.passed(scenario)).filter((name) => ofWarehouse.test(name))
  const cases = yield* Effect.forEach([...Map.groupBy(passed, (name) => name)], ([step, { length }]) =>
    Effect.gen(function* () {
      const later = length > 1 ? [2 + Math.floor((yield* Random.next) * (length - 1))] : []
      return [1, ...later].map((nth): Scenario.Case => ({ scenario, fault: { step, nth } }))
    })
  )
  return cases.flat()
})

/** One kill of each scenario of the sample, at its first passing. */
const some = (scenarios: ReadonlyArray<Scenario.Scenario>) =>
  Effect.forEach(sampled, ([name, steps]) =>
    Effect.gen(function* () {
      const scenario = scenarios.find((candidate) => candidate.name === name)!
      const [step] = yield* Random.shuffle(steps)
      return { scenario, fault: { step: step ?? "none", nth: 1 } }
    })
  )

layer(Scenarios.layer, { excludeTestServices: true, timeout: "5 minutes" })("crash matrix on Snowflake", (it) => {
  it.effect(
    "P1 crash: a load, rollback or backfill killed at any step and run again leaves the tables of one that was not killed",
    () =>
      Effect.gen(function* () {
        const scenarios = yield* Scenarios
        const chosen = Settings.isMatrixFull
          ? (yield* Effect.forEach(scenarios, every, { concurrency: 2 })).flat()
          : yield* some(scenarios)
        yield* Console.log(
          `crash matrix on Snowflake: ${Settings.isMatrixFull ? "full" : "sample"}, NORTHSTAR_SEED=${Settings.seed}`
        )
        const struck = new Set(chosen.map(({ fault }) => fault.step))
        const missed = Failpoint.declared().filter((name) => ofWarehouse.test(name) && !struck.has(name))
        if (Settings.isMatrixFull) expect(missed).toEqual([])
        const problems = yield* Effect.forEach(chosen, Scenario.run, { concurrency: 2 })
        yield* Console.log(`crash matrix on Snowflake: ${problems.length} kills`)
        expect(problems.flat()).toEqual([])
      }).pipe(Random.withSeed(Settings.seed)),
    Settings.isMatrixFull ? 3_600_000 : 300_000
  )
})
