import { readFileSync } from "node:fs"
import * as Ingest from "@northstar/connectors/project/Ingest"
import * as FaultInjector from "@northstar/core/testing/FaultInjector"
import { Cause, Clock, Config, Console, Effect, Exit, Schema } from "effect"
import * as CardsStand from "./CardsStand.ts"
import * as SourcesStand from "./SourcesStand.ts"

/**
 * The process that the proof of all sources kills: ingests the project of the stand in `NORTHSTAR_PROOF`, by the stand's clock,
 * with the fault that `NORTHSTAR_FAILPOINT` names. Says at its end which failpoints it passed, and how its memory grew.
 */
const main = Effect.gen(function* () {
  const { stand, run } = yield* Config.schema(Schema.fromJsonString(SourcesStand.SourcesTask), "NORTHSTAR_PROOF")
  const injector = yield* FaultInjector.make
  const startKb = Math.round(process.memoryUsage.rss() / 1024)
  const project = stand.cards === undefined ? SourcesStand.project(stand) : CardsStand.project(stand)
  const work = Ingest.ingest(project, {
    ...run,
    onProgress: ({ stage, batches }) =>
      batches === 1 ? Console.log(`batch ${stage}, by then ${process.resourceUsage().maxRSS} kB`) : Effect.void
  }).pipe(Effect.provideService(Clock.Clock, clockOf(yield* Clock.Clock, SourcesStand.clockFile(stand))))
  if (process.env["NORTHSTAR_FAILPOINT"] !== undefined) return yield* Effect.provide(work, FaultInjector.layerFromEnv)
  yield* injector.provide(work)
  yield* Console.log(`passed ${JSON.stringify([...new Set(yield* injector.trace)])}`)
  yield* Console.log(`memory ${JSON.stringify({ startKb, maxKb: process.resourceUsage().maxRSS })}`)
})

/** How long a reading of the clock's file holds, milliseconds. */
const clockHeldMs = 20

/** The machine's clock, moved as the file says. */
const clockOf = (clock: Clock.Clock, file: string): Clock.Clock => {
  let readAtMs = 0
  let aheadMs = 0
  const currentTimeMillisUnsafe = () => {
    const nowMs = clock.currentTimeMillisUnsafe()
    if (nowMs - readAtMs >= clockHeldMs) {
      aheadMs = Number(readFileSync(file, "utf8"))
      readAtMs = nowMs
    }
    return nowMs + aheadMs
  }
  // Sound: in everything else it is the clock that it inherits from.
  return Object.assign(Object.create(clock), {
    currentTimeMillisUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe)
  }) as Clock.Clock
}

// A pending effect alone does not keep Node alive.
const alive = setInterval(() => undefined, 1000)
const exit = await Effect.runPromiseExit(main)
clearInterval(alive)
if (Exit.isFailure(exit)) {
  process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  process.exitCode = 1
}
