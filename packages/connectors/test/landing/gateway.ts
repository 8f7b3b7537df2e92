import { Console, Effect } from "effect"
import * as CephRgw from "../../src/local/CephRgw.ts"

/** Starts a gateway, prints its endpoint and stays. */
const stay = Effect.gen(function* () {
  const { endpoint } = yield* CephRgw.start
  yield* Console.log(endpoint)
  yield* Effect.sleep("60 seconds")
})

await Effect.runPromise(Effect.scoped(stay))
