import { Schedule } from "effect"
import type { RunError } from "@northstar/core/Pipeline"

/** Tries for something that another task holds: about 12 s, time enough for a dead task's connection to be noticed. */
const busyTries = 6

/** Attempts of a few statements on the warehouse, about half a minute: the process that owns its file may die meanwhile. */
export const statementTries = 8

/**
 * Retries what may pass: an outside system that does not answer, or asks for fewer requests, a holder that may leave,
 * and a watermark that another task moved. From 200 ms, doubling to 30 s, with jitter; `tries` bounds it.
 */
export const schedule = (tries: number): Schedule.Schedule<unknown, RunError> =>
  Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("30 seconds")]).pipe(
    Schedule.jittered,
    Schedule.upTo({ times: tries }),
    Schedule.setInputType<RunError>(),
    Schedule.while(({ input, attempt }) => isPassing(input) && (attempt <= busyTries || !isBusy(input)))
  )

const isPassing = (error: RunError): boolean =>
  error._tag === "WatermarkConflict" || (error._tag === "ConnectorError" && error.isRetryable)

const isBusy = (error: RunError): boolean => error._tag === "ConnectorError" && error.reason._tag === "Busy"
