import { cpSync } from "node:fs"
import type { Server } from "@northstar/connectors/local/Postgres"
import { Effect, type Scope } from "effect"
import * as Tables from "../../src/Tables.ts"
import * as Oracle from "./Oracle.ts"
import * as Process from "./Process.ts"
import * as SmallHistory from "./SmallHistory.ts"
import * as Stand from "./Stand.ts"
import type { Task } from "./Task.ts"

/** A task that is killed, with what comes before and after it. */
export interface Scenario {
  readonly name: string
  /** Everything up to the task, on a stand of its own. */
  readonly prepare: Effect.Effect<Stand.Stand, never, Scope.Scope>
  readonly task: (stand: Stand.Stand) => Task["run"]
  /** Runs the task again after the kill, and what it needs to be seen. */
  readonly finish: (stand: Stand.Stand) => Effect.Effect<unknown>
}

/** One kill of a scenario's task. */
export interface Case {
  readonly scenario: Scenario
  readonly fault: Process.Fault
}

/** What is wrong after a case; empty when its tables are what they would be without the kill. */
export const run = ({ scenario, fault }: Case): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const stand = yield* scenario.prepare
    const { code, said } = yield* Process.run(stand, scenario.task(stand), fault)
    const label = `${scenario.name}, killed at ${fault.step}:${fault.nth}`
    // How often a step is passed depends on timing, but never whether it is.
    if (code !== undefined && (code !== 0 || fault.nth === 1)) return [`${label}: it was not killed: ${said}`]
    yield* scenario.finish(stand)
    const { problems } = yield* Oracle.judge(stand, Tables.all)
    return problems.map((problem) => `${label}: ${problem}`)
  }).pipe(
    Effect.scoped,
    Effect.catchDefect((defect) =>
      Effect.succeed([`${scenario.name}, killed at ${fault.step}:${fault.nth}: ${String(defect)}`])
    )
  )

/** Names of the failpoints that the task passes when nothing happens, in order. */
export const passed = ({ prepare, task }: Scenario): Effect.Effect<ReadonlyArray<string>> =>
  Effect.scoped(
    Effect.flatMap(prepare, (stand) => Effect.map(Process.succeed(stand, task(stand)), ({ passed }) => passed))
  )

/** Which warehouse the scenarios run on. */
export interface Place {
  /** Gives a new stand its warehouse. */
  readonly equip: (stand: Stand.Stand) => Effect.Effect<Stand.Stand, never, Scope.Scope>
  /** A stand at the same source with a landing log and a warehouse like another's. */
  readonly copy: (from: Stand.Stand) => Effect.Effect<Stand.Stand, never, Scope.Scope>
}

/** The warehouse is a DuckDB file in the stand's folder. */
const duckdb: Place = {
  equip: Effect.succeed,
  copy: (from) =>
    Effect.map(Stand.folder, (folder) => {
      cpSync(from.folder, folder, { recursive: true })
      return { url: from.url, folder }
    })
}

/** Stands on one server: with the shop's tables alone, published and filled, and after a first ingest. */
const stands = (server: Server, { equip }: Place) => {
  let databases = 0
  const fresh = Effect.suspend(() => Effect.flatMap(Stand.make(server.url, `crash_${++databases}`), equip))
  const published = Effect.acquireRelease(
    fresh.pipe(
      Effect.tap(({ url }) => SmallHistory.before(url)),
      Effect.tap((stand) => Stand.publish(stand)),
      Effect.tap(({ url }) => SmallHistory.between(url))
    ),
    Stand.release
  )
  const ongoing = published.pipe(
    Effect.tap(Process.catchUp),
    Effect.tap(({ url }) => SmallHistory.later(url, 0))
  )
  return { fresh, published, ongoing }
}
type Stands = ReturnType<typeof stands>

/** The tasks that go forward, on one server. */
export const ingests = (server: Server, place: Place = duckdb): ReadonlyArray<Scenario> =>
  ingestsOn(stands(server, place))

const ingestsOn = ({ published, ongoing }: Stands): ReadonlyArray<Scenario> => [
  { name: "first ingest", prepare: published, task: () => ingest, finish: Process.catchUp },
  { name: "ongoing ingest", prepare: ongoing, task: () => ingest, finish: Process.catchUp }
]

/** Every task that changes something, on one server. */
export const all = (
  server: Server,
  place: Place = duckdb
): Effect.Effect<ReadonlyArray<Scenario>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const on = stands(server, place)
    const { fresh, ongoing } = on
    const { copy } = place
    // Taking back and bringing back leave the source alone: they work on copies of one project.
    const base = yield* ongoing.pipe(
      Effect.tap(Process.catchUp),
      Effect.tap(({ url }) => SmallHistory.later(url, 1)),
      Effect.tap(Process.catchUp)
    )
    const batch = yield* middleBatch(base)
    const takeBack = { program: "rollback", batch: batch.name } as const
    const bringBack = { program: "backfill", id: "again", after: batch.after, through: batch.through } as const
    const takenBack = yield* Effect.tap(copy(base), (stand) => Process.succeed(stand, takeBack))
    return [
      {
        name: "setup",
        prepare: Effect.tap(fresh, ({ url }) => SmallHistory.before(url)),
        task: () => setup,
        finish: finishSetup
      },
      ...ingestsOn(on),
      {
        name: "rollback",
        prepare: copy(base),
        task: () => takeBack,
        finish: (stand) =>
          Effect.gen(function* () {
            if (!(yield* isTakenBack(stand, batch.name))) yield* Process.succeed(stand, takeBack)
            yield* Process.succeed(stand, bringBack)
          })
      },
      {
        name: "backfill",
        prepare: copy(takenBack),
        task: () => bringBack,
        finish: (stand) => Process.succeed(stand, bringBack)
      },
      {
        name: "retention",
        prepare: Effect.tap(ongoing, Process.catchUp),
        task: () => ({ program: "retain" }),
        finish: (stand) =>
          Process.succeed(stand, { program: "retain" }).pipe(
            Effect.andThen(SmallHistory.later(stand.url, 1)),
            Effect.andThen(Process.catchUp(stand))
          )
      }
    ]
  })

const ingest = { program: "ingest", untilCaughtUp: true } as const
const setup = { program: "setup" } as const

const finishSetup = (stand: Stand.Stand): Effect.Effect<unknown> =>
  Process.succeed(stand, setup).pipe(
    Effect.andThen(SmallHistory.between(stand.url)),
    Effect.andThen(Process.catchUp(stand)),
    Effect.andThen(Stand.release(stand))
  )

/** A batch with earlier and later ones, and its range of the log. */
const middleBatch = (stand: Stand.Stand) =>
  Effect.gen(function* () {
    const rows = yield* Oracle.readWarehouse(
      stand,
      `SELECT DISTINCT batch, after_position, through_position FROM northstar.batches
        WHERE stream = 'shop' AND after_position IS NOT NULL ORDER BY through_position`
    )
    const [name, after, through] = rows[0] ?? []
    return { name: name ?? "", after: after ?? "", through: through ?? "" }
  })

const isTakenBack = (stand: Stand.Stand, batch: string): Effect.Effect<boolean> =>
  Effect.map(
    Oracle.readWarehouse(
      stand,
      `SELECT DISTINCT batch FROM northstar.batches WHERE batch = '${batch}' AND taken_back_at IS NOT NULL`
    ),
    (rows) => rows.length > 0
  )
