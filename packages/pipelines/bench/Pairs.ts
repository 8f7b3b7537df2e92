import { Effect } from "effect"
import * as Backlog from "./Backlog.ts"
import * as Check from "./Check.ts"
import type { Cost } from "./Measure.ts"
import { say } from "./Report.ts"
import * as Runner from "./Runner.ts"

/** The costs of one turn. */
export interface Pair {
  readonly drain: Cost
  readonly capture: Cost
  readonly ingest: Cost
}

/** Drain, capture and ingest of one backlog in turn, several times; every result is held against the source. */
export const run = Effect.fnUntraced(function* (
  runner: Runner.Runner,
  settings: { readonly changes: number; readonly pairs: number; readonly curated: number }
) {
  yield* say(`committing a backlog of ${settings.changes} changes`)
  const changes = yield* Backlog.fill(runner.url, settings.changes)
  const sums = yield* Effect.scoped(Backlog.sums(runner.url))
  const pairs: Array<Pair> = []
  for (let turn = 1; turn <= settings.pairs; turn++) {
    const drain = yield* measured(runner, "drain", changes, () => Effect.void)
    const capture = yield* measured(runner, "capture", changes, (folder) => Check.landed(folder, sums))
    const ingest = yield* measured(runner, "ingest", changes, (folder) => Check.curated(folder, sums, settings.curated))
    pairs.push({ drain, capture, ingest })
    yield* say(`turn ${turn}: ${[drain, capture, ingest].map(({ seconds }) => `${seconds.toFixed(1)} s`).join(", ")}`)
  }
  return pairs
})

/** One reader of the backlog in a process of its own, from the slot's beginning, its result checked. */
export const measured = <E>(
  runner: Runner.Runner,
  what: "drain" | "capture" | "ingest",
  changes: number,
  check: (folder: string) => Effect.Effect<void, E>
) =>
  Effect.andThen(
    Backlog.rewind(runner.url),
    Runner.onCopy(runner, (folder) =>
      Effect.gen(function* () {
        const cost = (yield* Runner.run(runner, what, { folder, changes })) as Cost
        yield* Check.same(`${what}: changes`, cost.changes, changes)
        yield* check(folder)
        return cost
      })
    )
  )
