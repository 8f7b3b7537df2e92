import { Effect } from "effect"
import * as Acts from "./Acts.ts"
import * as Comparison from "./Comparison.ts"
import * as Late from "./Late.ts"
import * as Marts from "./Marts.ts"
import type * as Process from "./Process.ts"
import * as Report from "./Report.ts"
import { count } from "./Story.ts"

/** The comparison, and once more after a batch was taken back and read again. */
export const run = Effect.fn("Proof.run")(function* (
  play: Acts.Play,
  ingester: Process.Process,
  restartedAtMs: number
) {
  const { scene, story } = play
  return yield* Acts.besides(
    ingester,
    Effect.gen(function* () {
      yield* story.chapter("The proof")
      const first = yield* compared(play, "northstar reconcile")
      const others = yield* comparedOutside(play)
      const taken = yield* Acts.rollback(play, restartedAtMs)
      const broken = yield* Comparison.make(scene)
      const differing = Comparison.differing(broken)
      const gap = Comparison.gap(broken)
      const money = gap === undefined ? "" : `, and the books are ${Report.money(gap.minor, gap.currency)} apart`
      yield* story.step(
        differing > 0 ? "good" : "bad",
        `northstar reconcile finds it: ${count(differing)} rows differ${money}`,
        "A check that cannot fail proves nothing: this one names each of the rows."
      )
      const again = yield* Acts.reread(play, taken)
      yield* story.step(
        "plain",
        `northstar backfill reads batch ${BigInt(taken.through)} again: ${count(again.news)} changes come back`
      )
      const tables = yield* compared(play, "northstar reconcile once more")
      const marts = yield* Marts.read(scene.reader)
      const agreed = [first, others, tables].every(Comparison.agrees) && differing > 0 && Marts.isExplained(marts)
      return {
        tables: [...tables, ...others],
        agreed,
        rollback: { batch: taken.batch, changes: taken.changes, differing, broughtBack: again.news },
        marts
      }
    })
  )
})

/** Stripe's own objects and the files' own rows, value by value. */
const comparedOutside = Effect.fnUntraced(function* (play: Acts.Play) {
  const tables = yield* Late.settled(play)
  const agrees = Comparison.agrees(tables)
  const rows = tables.reduce((sum, { sourceRows }) => sum + sourceRows, 0)
  yield* play.story.step(
    agrees ? "good" : "bad",
    `${count(rows)} objects of Stripe's and rows of files against the warehouse, value by value: ${count(Comparison.differing(tables))} differ`,
    "By a reader of its own: Stripe's world as it is, and the files as a simple program understands them."
  )
  return tables
})

const compared = Effect.fnUntraced(function* ({ scene, story }: Acts.Play, name: string) {
  const tables = yield* Comparison.make(scene)
  const rows = tables.reduce((sum, { sourceRows }) => sum + sourceRows, 0)
  const agrees = Comparison.agrees(tables)
  yield* story.step(
    agrees ? "good" : "bad",
    agrees
      ? `${name}: all ${count(rows)} rows agree, to the penny`
      : `${name}: ${count(Comparison.differing(tables))} of ${count(rows)} rows differ`
  )
  return tables
})
