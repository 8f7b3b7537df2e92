import { assert, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Schedule } from "effect"
import { Busy, ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import type { RunError } from "@northstar/core/Pipeline"
import { schedule } from "../../src/project/Retry.ts"

const failure = (reason: ConnectorError["reason"]): ConnectorError =>
  new ConnectorError({ connector: "test", operation: "test", detail: "it failed", action: "Wait", reason })

const away = failure(new Unavailable({ cause: "cut" }))
const held = failure(new Busy({ holder: "PID 1" }))
const dead = failure(new Busy({ holder: "PID 1", leavesWithin: Duration.seconds(77) }))

/** Milliseconds that a schedule goes on for when everything fails: `first` for so many times, then `then`; at most 100 tries. */
const lasts = (first: RunError, times: number, then: RunError) =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(schedule(100))
    let firstMs = 0
    let nowMs = 0
    for (let attempt = 0; attempt < 100; attempt++) {
      if (attempt === times) firstMs = nowMs
      const exit = yield* Effect.exit(step(nowMs, attempt < times ? first : then))
      if (Exit.isFailure(exit)) return Option.some(nowMs - firstMs)
      nowMs += Duration.toMillis(exit.value[1])
    }
    return Option.none()
  })

it.effect("what another task holds is given up after some seconds, however long an outage came before", () =>
  Effect.gen(function* () {
    for (const outage of [0, 3, 40]) {
      const lasted = Option.getOrThrow(yield* lasts(away, outage, held))
      assert.isAtLeast(lasted, 6000)
      assert.isAtMost(lasted, 40_000)
    }
  })
)

it.effect("a holder that may be dead is waited for until it must be gone, and not much longer", () =>
  Effect.gen(function* () {
    for (const outage of [0, 40]) {
      const lasted = Option.getOrThrow(yield* lasts(away, outage, dead))
      assert.isAtLeast(lasted, 77_000)
      assert.isAtMost(lasted, 83_000)
    }
  })
)

it.effect("an outside system that does not answer is tried again for an hour", () =>
  Effect.gen(function* () {
    assert.isTrue(Option.isNone(yield* lasts(away, 0, away)))
  })
)
