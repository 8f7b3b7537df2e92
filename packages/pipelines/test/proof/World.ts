import { ConnectorError, StorageFull } from "@northstar/core/ConnectorError"
import { Failpoint } from "@northstar/core/Failpoint"
import { Clock, Effect, Random } from "effect"
import type { Task } from "./Task.ts"

/** Runs a task on a machine that is out of joint. */
export const provide = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  world: NonNullable<Task["world"]>
): Effect.Effect<A, E, R> =>
  world.kind === "disk full"
    ? Effect.provideService(work, Failpoint, fullDisk(world.nth))
    : Effect.flatMap(jumping(world.maxMs), (clock) => Effect.provideService(work, Clock.Clock, clock))

/** What a full disk says, in every message about it. */
export const fullText = "No space left on this disk"

/** Each object of the folder, records included, passes this step before it has its name: from the n-th on none does. */
const fullDisk = (nth: number) => {
  let writes = 0
  return (name: string): Effect.Effect<void, ConnectorError> => {
    if (name === "folder.temporary.synced") writes += 1
    return writes < nth
      ? Effect.void
      : Effect.fail(
          new ConnectorError({
            connector: "folder",
            operation: "write",
            detail: fullText,
            action: "Free space",
            reason: new StorageFull({ cause: new Error("ENOSPC") })
          })
        )
  }
}

/** How long a time stays as it was set, milliseconds. */
const jumpEveryMs = 400

/** A clock whose time is set anew all the time, up to `maxMs` ahead or back; what it measures by stays as it is. */
const jumping = (maxMs: number): Effect.Effect<Clock.Clock> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const random = yield* Random.Random
    let jumpedAt = 0
    let offsetMs = 0
    const now = () => {
      const trueMs = clock.currentTimeMillisUnsafe()
      if (trueMs - jumpedAt > jumpEveryMs) {
        jumpedAt = trueMs
        offsetMs = Math.round((2 * random.nextDoubleUnsafe() - 1) * maxMs)
      }
      return trueMs + offsetMs
    }
    // Sound: in everything else it is the clock that it inherits from.
    return Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: now,
      currentTimeMillis: Effect.sync(now),
      currentTimeNanosUnsafe: () => BigInt(now()) * 1_000_000n,
      currentTimeNanos: Effect.sync(() => BigInt(now()) * 1_000_000n)
    }) as Clock.Clock
  })
