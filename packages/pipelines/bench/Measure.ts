import { Clock, Effect } from "effect"

/** What one run of something took. */
export interface Cost {
  readonly changes: number
  readonly seconds: number
  /** User and system time of the client process, microseconds a change. */
  readonly cpuMicros: number
  /** Largest resident memory of the client process since it started, MB. */
  readonly rssMb: number
}

/** Runs a program that answers how many changes it handled. */
export const cost = <E, R>(program: Effect.Effect<number, E, R>): Effect.Effect<Cost, E, R> =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    const startMs = yield* Clock.currentTimeMillis
    const changes = yield* program
    const seconds = ((yield* Clock.currentTimeMillis) - startMs) / 1000
    const { user, system } = process.cpuUsage(before)
    return {
      changes,
      seconds,
      cpuMicros: (user + system) / Math.max(1, changes),
      rssMb: process.resourceUsage().maxRSS / 1024
    }
  })

/** The middle value; of an even number the mean of the two middle ones. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
  return (lower + upper) / 2
}

/** The value that `share` of the weight lies at or below. */
export const quantile = (
  values: ReadonlyArray<{ readonly value: number; readonly weight: number }>,
  share: number
): number => {
  const sorted = values.toSorted((a, b) => a.value - b.value)
  let rest = sorted.reduce((sum, { weight }) => sum + weight, 0) * share
  for (const { value, weight } of sorted) {
    rest -= weight
    if (rest <= 0) return value
  }
  return sorted.at(-1)?.value ?? Number.NaN
}

/** Medians of some runs of one thing, for people. */
export const inWords = (costs: ReadonlyArray<Cost>): string => {
  const of = (figure: (cost: Cost) => number) => median(costs.map(figure))
  return (
    `${of(({ changes, seconds }) => changes / seconds / 1000).toFixed(0)} k rows/s (${of(({ seconds }) => seconds).toFixed(1)} s), ` +
    `${of(({ cpuMicros }) => cpuMicros).toFixed(1)} µs of CPU a row, ${of(({ rssMb }) => rssMb).toFixed(0)} MB`
  )
}
