import { Config, Effect, Layer, Option, Ref, Schema } from "effect"
import { ConnectorError, Unavailable } from "../ConnectorError.ts"
import { Failpoint } from "../Failpoint.ts"

/** Where a fault strikes, once, and how. */
export interface Fault {
  /** A declared failpoint such as `"landing.record.linked"`, or `"*"` for any. */
  readonly step: string
  /** It strikes at the n-th passing of `step`, from 1. */
  readonly nth: number
  /** `fail` with a retryable `ConnectorError`, `die` with a defect, `interrupt` the fiber, or `kill` the process by SIGKILL. */
  readonly kind: "fail" | "die" | "interrupt" | "kill"
}

/** A `Failpoint` under a test's control. */
export interface FaultInjector {
  /** Starts a new trace; `fault`, if any, strikes in it. */
  readonly arm: (fault?: Fault) => Effect.Effect<void>
  /** Names of the steps passed since `arm`, in order; the last is the one struck, if `hasStruck`. */
  readonly trace: Effect.Effect<ReadonlyArray<string>>
  readonly hasStruck: Effect.Effect<boolean>
  /** Runs an effect under this injector. */
  readonly provide: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

interface State {
  readonly fault: Fault | undefined
  readonly trace: ReadonlyArray<string>
  readonly hasStruck: boolean
}

/** An injector without a fault. */
export const make: Effect.Effect<FaultInjector> = Effect.gen(function* () {
  const state = yield* Ref.make<State>({ fault: undefined, trace: [], hasStruck: false })
  const hit = (name: string) =>
    Effect.flatMap(
      Ref.modify(state, (before) => {
        const trace = [...before.trace, name]
        const fault = before.hasStruck ? undefined : before.fault
        const strikes = fault !== undefined && strikesNow(fault, trace)
        return [
          strikes ? strike(fault, name) : Effect.void,
          { ...before, trace, hasStruck: before.hasStruck || strikes }
        ]
      }),
      (outcome) => outcome
    )
  return {
    arm: (fault) => Ref.set(state, { fault, trace: [], hasStruck: false }),
    trace: Effect.map(Ref.get(state), ({ trace }) => trace),
    hasStruck: Effect.map(Ref.get(state), ({ hasStruck }) => hasStruck),
    provide: (effect) => Effect.provideService(effect, Failpoint, hit)
  }
})

/** Kills this process by SIGKILL at the n-th passing of a step: for the child processes of crash matrices. */
export const killAt = (step: string, nth: number): Layer.Layer<never> =>
  Layer.unwrap(
    Effect.map(make, (injector) =>
      Layer.effect(Failpoint, Effect.andThen(injector.arm({ step, nth, kind: "kill" }), injector.provide(Failpoint)))
    )
  )

const Setting = Schema.String.check(Schema.isPattern(/^.+:[1-9]\d*$/))

/**
 * `killAt` as the environment variable `NORTHSTAR_FAILPOINT=name:n` says (`*:n` for the n-th step of any name); no
 * faults without it.
 */
export const layerFromEnv: Layer.Layer<never, Config.ConfigError> = Layer.unwrap(
  Effect.map(Config.option(Config.schema(Setting, "NORTHSTAR_FAILPOINT")), (setting) => {
    if (Option.isNone(setting)) return Layer.empty
    const colon = setting.value.lastIndexOf(":")
    return killAt(setting.value.slice(0, colon), Number(setting.value.slice(colon + 1)))
  })
)

const strikesNow = (fault: Fault, trace: ReadonlyArray<string>): boolean => {
  const isHit = (name: string) => fault.step === "*" || fault.step === name
  return isHit(trace.at(-1) ?? "") && trace.filter(isHit).length === fault.nth
}

const strike = (fault: Fault, name: string): Effect.Effect<void, ConnectorError> => {
  switch (fault.kind) {
    case "fail":
      return Effect.fail(
        new ConnectorError({
          connector: "testing",
          operation: name,
          detail: "a fault was injected",
          action: "Run again",
          reason: new Unavailable({ cause: "injected" })
        })
      )
    case "die":
      return Effect.die(`a fault was injected at ${name}`)
    case "interrupt":
      return Effect.interrupt
    case "kill":
      return Effect.andThen(
        Effect.sync(() => process.kill(process.pid, "SIGKILL")),
        Effect.never
      )
  }
}
