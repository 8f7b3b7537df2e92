import { Cause, Duration, Effect, Schedule } from "effect"
import type { RunError } from "@northstar/core/Pipeline"

/** Tries in a row for something that another task holds: about 12 s, or as long as a dead holder may stay. */
const busyTries = 6

/** Longest rest between two of them. */
const busyRest = Duration.seconds(5)

/** Attempts of a few statements on the warehouse, about half a minute: the process that owns its file may die meanwhile. */
export const statementTries = 8

/** Failures that may follow each other however long they take: an outside system may need minutes to fail. */
const failuresMin = 3

/**
 * Retries what may pass: an outside system that does not answer, or asks for fewer requests, a holder that may leave,
 * and a watermark that another task moved. From 200 ms, doubling to 30 s, with jitter; `tries` bounds it, and so does the
 * time `within` which failures may go on, from the first of them. What somebody holds has a patience of its own.
 */
export const schedule = (
  tries: number,
  within: Duration.Input = Duration.infinity
): Schedule.Schedule<unknown, RunError> =>
  patient(
    Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("30 seconds")]).pipe(
      Schedule.jittered,
      Schedule.upTo({ times: tries }),
      Schedule.setInputType<RunError>(),
      Schedule.while(({ input }) => isPassing(input)),
      Schedule.while(
        ({ attempt, elapsed, input }) =>
          busyOf(input) !== undefined || attempt < failuresMin || elapsed < Duration.toMillis(within)
      )
    )
  )

/** Ends a schedule when something has been held, without a break, for longer than a dead holder would hold it. */
const patient = (retry: Schedule.Schedule<unknown, RunError>): Schedule.Schedule<unknown, RunError> =>
  Schedule.fromStep(
    Effect.gen(function* () {
      const step = yield* Schedule.toStep(retry)
      let held = { tries: 0, sinceMs: 0 }
      return Effect.fnUntraced(function* (nowMs: number, error: RunError) {
        const busy = busyOf(error)
        if (busy === undefined) {
          held = { tries: 0, sinceMs: 0 }
          return yield* step(nowMs, error)
        }
        held = held.tries === 0 ? { tries: 1, sinceMs: nowMs } : { ...held, tries: held.tries + 1 }
        const patienceMs = Duration.toMillis(busy.leavesWithin ?? Duration.zero)
        if (held.tries > busyTries && nowMs - held.sinceMs > patienceMs) return yield* Cause.done(undefined)
        const [output, rest] = yield* step(nowMs, error)
        const next: [unknown, Duration.Duration] = [output, Duration.min(rest, busyRest)]
        return next
      })
    })
  )

const isPassing = (error: RunError): boolean =>
  error._tag === "WatermarkConflict" || (error._tag === "ConnectorError" && error.isRetryable)

const busyOf = (error: RunError) =>
  error._tag === "ConnectorError" && error.reason._tag === "Busy" ? error.reason : undefined
