import * as Retention from "@northstar/connectors/landing/Retention"
import * as Backfill from "@northstar/connectors/project/Backfill"
import * as Ingest from "@northstar/connectors/project/Ingest"
import type { PostgresFeed } from "@northstar/connectors/project/Project"
import * as Rollback from "@northstar/connectors/project/Rollback"
import * as Services from "@northstar/connectors/project/Services"
import * as SourceSetup from "@northstar/connectors/project/SourceSetup"
import * as FaultInjector from "@northstar/core/testing/FaultInjector"
import { Cause, Clock, Config, Console, Duration, Effect, Exit, Redacted, Schema } from "effect"
import * as Stand from "./Stand.ts"
import * as World from "./World.ts"
import { Task } from "./Task.ts"

/**
 * The process that proofs kill: runs the task in `NORTHSTAR_PROOF` on the shop's project, with the fault that
 * `NORTHSTAR_FAILPOINT` names. Without one it says at its end which failpoints it passed.
 */
const main = Effect.gen(function* () {
  const { stand, run, world } = yield* Config.schema(Schema.fromJsonString(Task), "NORTHSTAR_PROOF")
  const injector = yield* FaultInjector.make
  const work = start(Stand.shop(stand), stand, run)
  if (world !== undefined) return yield* World.provide(work, world)
  if (process.env["NORTHSTAR_FAILPOINT"] !== undefined) return yield* Effect.provide(work, FaultInjector.layerFromEnv)
  yield* injector.provide(work)
  yield* Console.log(`passed ${JSON.stringify(yield* injector.trace)}`)
})

const start = (feed: PostgresFeed, stand: Stand.Stand, run: Task["run"]) => {
  switch (run.program) {
    case "ingest":
      return Effect.asVoid(
        Ingest.ingest(feed.project, {
          untilCaughtUp: run.untilCaughtUp,
          onProgress: ({ stage, batches }) => (batches === 1 ? Console.log(`batch ${stage}`) : Effect.void)
        })
      )
    case "backfill":
      return Effect.asVoid(Backfill.fromLog(feed, run))
    case "rollback":
      return Effect.asVoid(Rollback.apply(feed.project, run.batch))
    case "setup":
      return Effect.asVoid(SourceSetup.apply(feed, Redacted.make(stand.url), { destructive: false }))
    case "retain":
      return retain(feed)
  }
}

/** Removes what no record names and all that may go when everything is 91 days old. */
const retain = (feed: PostgresFeed) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const currentTimeMillis = Effect.succeed(clock.currentTimeMillisUnsafe() + Duration.toMillis("91 days"))
    // Sound: in everything else it is the clock that it inherits from.
    const later = Object.assign(Object.create(clock), { currentTimeMillis }) as Clock.Clock
    yield* Effect.flatMap(Retention.sweep({ stream: feed.log }), Retention.apply)
    yield* Retention.plan({ stream: feed.log, consumers: [] }).pipe(
      Effect.provideService(Clock.Clock, later),
      Effect.flatMap(Retention.apply)
    )
  }).pipe(Effect.provide(Services.landing(feed.project.landing)))

// A pending effect alone does not keep Node alive.
const alive = setInterval(() => undefined, 1000)
const exit = await Effect.runPromiseExit(main)
clearInterval(alive)
if (Exit.isFailure(exit)) {
  process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = 1
}
