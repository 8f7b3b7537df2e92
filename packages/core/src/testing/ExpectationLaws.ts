import { Arbitrary, Effect } from "effect"
import type { Expectation } from "../Expectation.ts"
import { type Law, property, same } from "./Law.ts"

/** E1 for an expectation; `rows` generates what it observes. */
export const laws = <A>(subject: {
  readonly expectation: Expectation<A>
  readonly rows: Arbitrary.Arbitrary<A>
}): ReadonlyArray<Law> => {
  const { expectation } = subject
  const some = Arbitrary.array(subject.rows, { maxLength: 30 })
  return [
    property(
      `E1 batching: the verdict of ${expectation.name} does not depend on how rows are batched`,
      { input: Arbitrary.all({ a: some, b: some }), runs: 100, size: 30 },
      Effect.fnUntraced(function* ({ a, b }) {
        const before = expectation.verdict
        const whole = expectation.observe([...a, ...b])
        const parts = expectation.observe(a).observe([]).observe(b)
        yield* same("the verdict of the parts", parts.verdict, whole.verdict)
        yield* same("the expectation that was asked", expectation.verdict, before)
      })
    )
  ]
}
