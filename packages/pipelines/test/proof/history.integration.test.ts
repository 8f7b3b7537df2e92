import { expect, it } from "@effect/vitest"
import { Console, Effect } from "effect"
import * as Round from "./Round.ts"
import * as Settings from "./Settings.ts"

const options = Settings.isOracleFull
  ? { changes: 200_000, kills: 50, crashes: 4, losesSlot: true }
  : { changes: 20_000, kills: 6, crashes: 1, losesSlot: true }

it.live(
  "P1 crash, X1 consistent cut: random histories with ingests killed, cut off, on full disks and with jumping clocks end in the source's tables",
  () =>
    Effect.gen(function* () {
      yield* Console.log(`random history: NORTHSTAR_SEED=${Settings.seed}`)
      const outcome = yield* Round.run({ seed: Settings.seed, ...options })
      yield* Console.log(Round.render(outcome))
      expect(outcome.problems).toEqual([])
      expect(outcome.changes).toBeGreaterThanOrEqual(options.changes)
      expect(outcome.kills).toBeGreaterThanOrEqual(options.kills)
      expect(outcome.faults.get("slot lost")).toBe(1)
      expect(outcome.cuts).toBeGreaterThan(0)
    }),
  Settings.isOracleFull ? 1_200_000 : 300_000
)
