import { parseArgs } from "node:util"
import { Clock, Console, Effect } from "effect"
import * as Round from "./Round.ts"

/**
 * `npm run soak -- --minutes 60`: random histories with new seeds, one line each and at the end the sum of all, until the
 * time is over or one fails. `--seed` repeats one.
 */
const { values } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, seed: { type: "string" } }
})

const soak = Effect.gen(function* () {
  const startMs = yield* Clock.currentTimeMillis
  const endMs = startMs + 60_000 * Number(values.minutes)
  const outcomes: Array<Round.Outcome> = []
  do {
    const round = outcomes.length + 1
    const seed = values.seed ?? `${startMs}-${round}`
    const outcome = yield* Round.run({ seed, changes: 40_000, kills: 12, crashes: 1, losesSlot: round % 2 === 0 })
    outcomes.push(outcome)
    yield* Console.log(Round.render(outcome))
  } while (
    values.seed === undefined &&
    outcomes.every(({ problems }) => problems.length === 0) &&
    (yield* Clock.currentTimeMillis) < endMs
  )
  yield* Console.log(Round.renderAll(outcomes))
  if (outcomes.some(({ problems }) => problems.length > 0)) {
    return yield* Effect.die(new Error("source and warehouse differ"))
  }
})

void Effect.runPromise(soak)
