import { Clock, Duration, Effect } from "effect"

/** Requests per second that an account is given. */
export interface Rates {
  readonly perSecond: number
  /** Of one endpoint, such as `GET /v1/charges`. */
  readonly perEndpoint: number
  /** What histories, backfills and sweeps may take of it, together. */
  readonly longPerSecond: number
}

/** Stripe's limits for reading in live mode, https://support.stripe.com "Rate limits", less a share for histories. */
export const liveRates: Rates = { perSecond: 100, perEndpoint: 25, longPerSecond: 40 }
/** Stripe's limits in test mode. */
export const testRates: Rates = { perSecond: 25, perEndpoint: 25, longPerSecond: 10 }

/** Whether a request keeps up with the present, or belongs to a history, backfill or sweep with their smaller budget. */
export type Lane = "live" | "long"

/** Spaces the requests of one account evenly: none of its seconds holds more than it is given. */
export interface RateLimiter {
  /** Waits until a request to the endpoint may go. */
  readonly take: (endpoint: string, lane: Lane) => Effect.Effect<void>
  /** Holds all requests back: the other side asked for fewer. */
  readonly pause: (span: Duration.Duration) => Effect.Effect<void>
}

/** When the next request of a budget may go, Unix milliseconds. */
interface Budget {
  readonly intervalMs: number
  nextMs: number
}

const limiters = new Map<string, RateLimiter>()

/** The limiter of an account: one for all its readers in this process. `account` names it, such as by a digest of its key. */
export const shared = (account: string, rates: Rates): RateLimiter => {
  const name = JSON.stringify([account, rates.perSecond, rates.perEndpoint, rates.longPerSecond])
  const limiter = limiters.get(name) ?? make(rates)
  limiters.set(name, limiter)
  return limiter
}

/** A limiter of its own. */
export const make = (rates: Rates): RateLimiter => {
  const budget = (perSecond: number): Budget => ({ intervalMs: 1000 / perSecond, nextMs: 0 })
  const all = budget(rates.perSecond)
  const long = budget(rates.longPerSecond)
  const endpoints = new Map<string, Budget>()
  const budgetsOf = (endpoint: string, lane: Lane): ReadonlyArray<Budget> => {
    const own = endpoints.get(endpoint) ?? budget(rates.perEndpoint)
    endpoints.set(endpoint, own)
    return lane === "long" ? [all, own, long] : [all, own]
  }
  return {
    take: Effect.fnUntraced(function* (endpoint, lane) {
      const budgets = budgetsOf(endpoint, lane)
      while (true) {
        const nowMs = yield* Clock.currentTimeMillis
        const waitMs = Math.max(...budgets.map(({ nextMs }) => nextMs - nowMs))
        if (waitMs <= 0) {
          for (const each of budgets) each.nextMs = Math.max(each.nextMs, nowMs) + each.intervalMs
          return
        }
        // Nothing is reserved while waiting, so that a busy endpoint does not hold back the others.
        yield* Effect.sleep(Duration.millis(Math.ceil(waitMs)))
      }
    }),
    pause: (span) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) => {
        all.nextMs = Math.max(all.nextMs, nowMs + Duration.toMillis(span))
      })
  }
}
