import { Arbitrary, Cause, Config, Effect, Equal, Formatter, Option, Schema, type Scope } from "effect"

/** A law does not hold; `detail` says where, with the shrunk input and a replay token when the input was random. */
export class LawBroken extends Schema.TaggedError<LawBroken>()("LawBroken", {
  law: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `${this.law}\n${this.detail}`
  }
}

/**
 * One law of docs/LAWS.md, bound to a subject, for a test runner to register:
 * `for (const law of laws) it.effect(law.name, () => law.check)`.
 */
export interface Law<out R = never> {
  /** Starts with the law's id. */
  readonly name: string
  readonly check: Effect.Effect<void, LawBroken, R>
}

/** A law about fixed inputs. */
export const example = <E, R>(name: string, holds: Effect.Effect<void, E, R>): Law<Exclude<R, Scope.Scope>> => ({
  name,
  check: Effect.scoped(holds).pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterrupts(cause) ? Effect.interrupt : Effect.fail(broken(name, Cause.pretty(cause)))
    )
  )
})

/**
 * A law about random inputs: `holds` is run in a scope of its own for each. `NORTHSTAR_RUNS` raises the number of runs;
 * `NORTHSTAR_REPLAY` takes the token of a reported failure and repeats only that (name the one test to run).
 */
export const property = <A, E, R>(
  name: string,
  options: { readonly input: Arbitrary.Arbitrary<A>; readonly runs: number; readonly size?: number },
  holds: (input: A) => Effect.Effect<void, E, R>
): Law<Exclude<R, Scope.Scope>> => ({
  name,
  check: Effect.gen(function* () {
    const runs = Math.max(options.runs, yield* runsMin)
    const result = yield* Arbitrary.checkEffect(
      options.input,
      (input) =>
        Effect.suspend(() => holds(input)).pipe(
          Effect.scoped,
          Effect.as(true),
          // Only typed failures are shrunk; an interruption is the test runner's and passes through.
          Effect.catchCause((cause) => (Cause.hasInterrupts(cause) ? Effect.interrupt : Effect.fail(cause)))
        ),
      { runs, size: options.size ?? 10, replay: yield* replay }
    )
    const failure = Arbitrary.formatCheckFailure(result)
    if (failure !== undefined) return yield* broken(name, failure)
  })
})

/** Fails unless two values are structurally equal. */
export const same = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, LawBroken> =>
  Equal.equals(actual, expected)
    ? Effect.void
    : Effect.fail(broken(what, `is       ${Formatter.format(actual)}\nshould be ${Formatter.format(expected)}`))

/** Fails unless `condition`. */
export const ensure = (what: string, condition: boolean): Effect.Effect<void, LawBroken> =>
  condition ? Effect.void : Effect.fail(broken(what, "does not hold"))

const broken = (law: string, detail: string) => new LawBroken({ law, detail })

const runsMin = Effect.orDie(Config.Int("NORTHSTAR_RUNS").pipe(Config.withDefault(1)))

const replay = Config.String("NORTHSTAR_REPLAY").pipe(Config.option, Effect.map(Option.getOrUndefined), Effect.orDie)
