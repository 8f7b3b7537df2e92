import { it } from "@effect/vitest"
import { atLeast, enforce, everyRow } from "@northstar/core/Expectation"
import { Run, RunId } from "@northstar/core/RunLedger"
import * as Stage from "@northstar/core/Stage"
import { StageLaws } from "@northstar/core/testing"
import { Arbitrary, Effect, Schema } from "effect"

const rows = Arbitrary.schema(Schema.Int)
const double = Stage.map((row: number) => row * 2)
const positive = Stage.filter((row: number) => row > 0)
const version = { epoch: 1, position: 1n, ordinal: 0, revision: 1 }
const noneNegative = everyRow<number>({
  name: "none_negative",
  holds: (row) => row >= 0,
  locate: () => ({ table: "numbers", version })
})

for (const law of [
  ...StageLaws.laws({ name: "identity", stage: Stage.identity<number>(), rows }),
  ...StageLaws.laws({ name: "map", stage: double, rows }),
  ...StageLaws.laws({ name: "a filter that leaves batches empty", stage: positive, rows }),
  ...StageLaws.laws({ name: "compose", stage: Stage.compose(double, positive), rows }),
  ...StageLaws.laws({ name: "tapChunks", stage: Stage.tapChunks<number>(() => Effect.void), rows }),
  ...StageLaws.laws({ name: "enforce", stage: enforce(noneNegative), rows }),
  ...StageLaws.laws({ name: "enforce, undecided", stage: enforce(atLeast({ name: "many", rowsMin: 1000 })), rows })
]) {
  const run = { id: RunId.make("test"), record: () => Effect.void }
  it.effect(law.name, () => Effect.provideService(law.check, Run, run))
}
