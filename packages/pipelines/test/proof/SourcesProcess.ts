import { Effect, type Scope } from "effect"
import * as Process from "./Process.ts"
import type { SourcesStand, SourcesTask } from "./SourcesStand.ts"

/** Starts an ingest of a stand, with at most one fault; it is killed with the scope. */
export const start = (
  stand: SourcesStand,
  run: SourcesTask["run"],
  fault?: Process.Fault
): Effect.Effect<Process.Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => Process.launch({ stand, run } satisfies SourcesTask, fault, "SourcesProgram.ts")),
    ({ kill }) => kill
  )

/** Ingests everything that is there, to the end or to the fault. */
export const run = (stand: SourcesStand, fault?: Process.Fault): Effect.Effect<Process.Ended> =>
  Effect.scoped(Effect.flatMap(start(stand, { untilCaughtUp: true }, fault), ({ ended }) => ended))

/** Ingests everything that is there; it must succeed. */
export const catchUp = (stand: SourcesStand): Effect.Effect<Process.Ended> =>
  Effect.flatMap(run(stand), (ended) =>
    ended.code === 0 ? Effect.succeed(ended) : Effect.die(new Error(`the ingest failed: ${ended.said}`))
  )
