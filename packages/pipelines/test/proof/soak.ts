import { parseArgs } from "node:util"
import { Clock, Console, Effect } from "effect"
import * as Round from "./Round.ts"

/** `npm run soak -- --minutes 60`: random histories with new seeds, one line each, until the time is over or one fails. */
const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } })

const soak = Effect.gen(function* () {
  const startMs = yield* Clock.currentTimeMillis
  const endMs = startMs + 60_000 * Number(values.minutes)
  for (let round = 1; (yield* Clock.currentTimeMillis) < endMs; round++) {
    const outcome = yield* Round.run({ seed: `${startMs}-${round}`, changes: 40_000, kills: 12, crashes: 1 })
    yield* Console.log(Round.render(outcome))
    if (outcome.problems.length > 0) return yield* Effect.die(new Error("source and warehouse differ"))
  }
})

void Effect.runPromise(soak)
