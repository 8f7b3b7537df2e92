import { Arbitrary, Effect, Exit, Option, Ref, Stream } from "effect"
import * as Batch from "../Batch.ts"
import type { Stage } from "../Stage.ts"
import { type Law, property, same } from "./Law.ts"

/** T1 for a stage; `rows` generates what it is given. */
export const laws = <A, B, E, R>(subject: {
  readonly name: string
  readonly stage: Stage<A, B, E, R>
  readonly rows: Arbitrary.Arbitrary<A>
}): ReadonlyArray<Law<R>> => {
  const input = Arbitrary.array(Arbitrary.array(subject.rows, { maxLength: 10 }), { maxLength: 10 })
  return [
    property(`T1 keeps arrows: ${subject.name}`, { input, runs: 50 }, (batches) => keepsArrows(subject.stage, batches))
  ]
}

/** Positions are objects here, so that a stage which copies or renumbers them is seen. */
const keepsArrows = Effect.fnUntraced(function* <A, B, E, R>(
  stage: Stage<A, B, E, R>,
  batches: ReadonlyArray<ReadonlyArray<A>>
) {
  const positions = batches.map((_, index) => ({ index }))
  const given = batches.map((rows, index) =>
    Batch.make({ after: Option.fromUndefinedOr(positions[index - 1]), through: positions[index] }, rows)
  )
  const left = yield* Ref.make<ReadonlyArray<Batch.Batch<B, (typeof positions)[number] | undefined>>>([])
  const passed = yield* stage(Stream.fromIterable(given)).pipe(
    // A stage may refuse a batch's rows; its arrow must be right all the same.
    Stream.runForEach((batch) =>
      Effect.andThen(
        Ref.update(left, (all) => [...all, batch]),
        Effect.ignore(Stream.runDrain(batch.chunks))
      )
    ),
    Effect.exit
  )
  const arrows = (yield* Ref.get(left)).map(({ after, through }) => [
    Option.getOrUndefined(after)?.index,
    through?.index
  ])
  const expected = given.map((_, index) => [index === 0 ? undefined : index - 1, index])
  // A stage that judges at the end fails after the last arrow.
  yield* same(
    "the arrows that left the stage",
    arrows,
    Exit.isSuccess(passed) ? expected : expected.slice(0, arrows.length)
  )
})
