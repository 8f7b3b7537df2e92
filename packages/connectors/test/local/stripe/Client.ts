import { Effect } from "effect"
import { Stripe } from "stripe"
import * as LocalStripe from "../../../src/local/stripe/LocalStripe.ts"
import { startMs } from "./Histories.ts"

/** A fresh server, and the unmodified package talking to it. */
export const server = (apiKey?: string) =>
  Effect.gen(function* () {
    const local = yield* LocalStripe.start({ startMs })
    const { host, port } = local
    const options = { host, port, protocol: "http", telemetry: false, maxNetworkRetries: 2 } as const
    return { local, world: local.world, faults: local.faults, stripe: new Stripe(apiKey ?? local.apiKey, options) }
  })

/** The package's answer. */
export const answered = <A>(call: () => Promise<A>): Effect.Effect<A> => Effect.promise(call)

/** The package's error; an answer is a defect. */
export const refused = (call: () => Promise<unknown>): Effect.Effect<Stripe.errors.StripeError> =>
  Effect.tryPromise({ try: call, catch: (cause) => cause as Stripe.errors.StripeError }).pipe(Effect.flip, Effect.orDie)
