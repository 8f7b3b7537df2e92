import { Clock, Effect } from "effect"

/**
 * Turns of one who shares with others that come first: an effect to run after each piece of work. While `areAtWork` it
 * rests as long as the piece took, its own waiting included; else it goes on at once. The first piece begins now.
 */
export const make = Effect.fnUntraced(function* (areAtWork: Effect.Effect<boolean>) {
  let beganMs = yield* Clock.currentTimeMillis
  return Effect.gen(function* () {
    const tookMs = (yield* Clock.currentTimeMillis) - beganMs
    if (yield* areAtWork) yield* Effect.sleep(tookMs)
    beganMs = yield* Clock.currentTimeMillis
  })
})
