import * as LocalStripe from "@northstar/connectors/local/stripe/LocalStripe"
import * as StripeTraffic from "@northstar/connectors/local/stripe/Traffic"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Duration, Effect, type Scope } from "effect"
import * as Traffic from "../../src/shop/Traffic.ts"
import { Dice } from "./SourcesDice.ts"
import { Drop } from "./SourcesDrop.ts"
import * as SourcesStand from "./SourcesStand.ts"

/** A world of three sources in which something happens, by a clock of its own that starts weeks ago. */
export interface Life {
  readonly stand: SourcesStand.SourcesStand
  readonly local: LocalStripe.LocalStripe
  readonly drop: Drop
  readonly dice: Dice
  /** Unix milliseconds of the world. */
  readonly nowMs: () => number
}

/** Where the world's clock starts, before the machine's: within the window that a sweep lists again. */
const pastMs = Duration.toMillis("27 days")

/** An empty world on a database server. */
export const make = (
  serverUrl: string,
  database: string,
  seed: string
): Effect.Effect<Life, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    // Sound: in everything else it is the clock that it inherits from.
    const past = Object.assign(Object.create(clock), {
      currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() - pastMs,
      currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() - pastMs)
    }) as Clock.Clock
    const local = yield* LocalStripe.start({ seed }).pipe(Effect.provideService(Clock.Clock, past))
    const { apiKey, host, port } = local
    const stand = yield* SourcesStand.make(serverUrl, database, { apiKey, endpoint: `http://${host}:${port}` })
    const life = { stand, local, drop: new Drop(stand.drop), dice: new Dice(seed), nowMs: () => local.world.nowMs }
    tell(life, clock.currentTimeMillisUnsafe())
    return life
  })

/** Tells the processes of the stand what time it is. */
const tell = ({ local, stand }: Life, machineMs: number): void =>
  SourcesStand.setClock(stand, local.world.nowMs - machineMs)

/** Lets time pass. */
const advance = (life: Life, span: Duration.Input): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (machineMs) => {
    life.local.world.advance(Duration.toMillis(Duration.fromInputUnsafe(span)))
    tell(life, machineMs)
  })

/**
 * Lets pass what would happen by itself between a look at the account and its judgement: payments are booked 30 s late, and
 * files have to lie still before they are taken.
 */
export const settle = (life: Life): Effect.Effect<void> => advance(life, "1 minute")

/** So many acts of shoppers and banks, as long as the world's clock has not caught up with the machine's. */
export const pay = (life: Life, acts: number): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (machineMs) => {
    for (let act = 0; act < acts && life.local.world.nowMs < machineMs - 2 * 86_400_000; act++) {
      StripeTraffic.step(life.local.world)
    }
    tell(life, machineMs)
  })

/** Something happens at each source. */
export const happen = (life: Life): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* pay(life, 1 + life.dice.below(4))
    for (let files = life.dice.below(3); files > 0; files--) yield* life.drop.act(life.dice, life.nowMs)
  })

/** A little traffic in the shop. */
export const trade = ({ dice, stand }: Life, run: number): Effect.Effect<unknown, ConnectorError> =>
  Traffic.run(stand.url, { seed: `shop ${dice.next()}`, connections: 1, ordersMax: 10, changes: 60, run })

/** Everything that can go wrong with Stripe goes wrong now and then; the world changes between two pages. */
export const trouble = ({ dice, local: { faults, world } }: Life): void => {
  faults.listLagMs = [0, 300_000]
  faults.eventLagMs = [0, 300_000]
  faults.eventDelayMs = [0, 120_000]
  faults.eventsMissing = 0.15
  faults.eventsDuplicated = 0.2
  faults.refusedAtRandom = [
    ["rateLimited", 0.02],
    ["locked", 0.01],
    ["broken", 0.01],
    ["unavailable", 0.01],
    ["cutBefore", 0.01],
    ["cutAfter", 0.01]
  ]
  let isWithin = false
  faults.afterPage = () => {
    if (isWithin || !dice.chance(0.1)) return
    isWithin = true
    // Time stands still meanwhile: the processes would not know.
    const charge = dice.pick([...world.objects("charge"), undefined])
    if (charge !== undefined) world.refund({ charge: charge.id, amountMinor: 10 })
    else world.pay({ orderId: "between", amountMinor: 1000, currency: "eur" })
    isWithin = false
  }
}

/** Nothing goes wrong any more, and a day passes in which everything that was on its way arrives. */
export const calm = (life: Life): Effect.Effect<void> => {
  const { faults } = life.local
  faults.listLagMs = faults.eventLagMs = faults.eventDelayMs = [0, 0]
  faults.eventsMissing = faults.eventsDuplicated = 0
  faults.refusedAtRandom = []
  faults.afterPage = undefined
  return advance(life, "25 hours")
}
