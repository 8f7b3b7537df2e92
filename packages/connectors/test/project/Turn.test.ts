import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Ref } from "effect"
import { TestClock } from "effect/testing"
import * as Turn from "../../src/project/Turn.ts"

it.effect("a backfill rests as long as its publish took while ingest is at work, and not when it is not", () =>
  Effect.gen(function* () {
    const areAtWork = yield* Ref.make(true)
    const rest = yield* Turn.make(Ref.get(areAtWork))
    /** Milliseconds that it rests after work of so many, when it may rest so long. */
    const restsAfter = Effect.fnUntraced(function* (workMs: number) {
      yield* TestClock.adjust(workMs)
      const sinceMs = yield* Clock.currentTimeMillis
      const resting = yield* Effect.forkChild(Effect.andThen(rest, Clock.currentTimeMillis))
      yield* TestClock.adjust(workMs)
      return (yield* Fiber.join(resting)) - sinceMs
    })
    assert.strictEqual(yield* restsAfter(700), 700)
    // Its own rest does not count as work.
    assert.strictEqual(yield* restsAfter(300), 300)
    yield* Ref.set(areAtWork, false)
    assert.strictEqual(yield* restsAfter(900), 0)
  })
)
