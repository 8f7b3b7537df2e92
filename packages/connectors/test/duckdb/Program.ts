import { DuckDBInstance } from "@duckdb/node-api"
import { Effect, Layer, Schedule } from "effect"
import { type Session, Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import * as DuckDb from "@northstar/connectors/duckdb/DuckDb"

/** What another process does with the file: `node Program.ts <program> <file> <argument>`; it says each step on a line. */
const [, , program = "", file = "", argument = ""] = process.argv
const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))

const increment = (session: Session, id: string) =>
  session.transaction(
    Effect.gen(function* () {
      const [row] = yield* session.query("SELECT value FROM counter")
      yield* session.execute("UPDATE counter SET value = ?", [Number(row?.["value"]) + 1])
      yield* session.execute("INSERT INTO done VALUES (?)", [id])
    })
  )

/** One increment, exactly once whatever happens to the owner: after a failure it looks first whether it is there. */
const once = (id: string) =>
  Effect.gen(function* () {
    const session = yield* (yield* Warehouse).session
    const there = yield* session.query("SELECT id FROM done WHERE id = ?", [id])
    if (there.length === 0) yield* increment(session, id)
    yield* say(`done ${id}`)
  }).pipe(Effect.scoped, Effect.retry({ schedule: Schedule.spaced("5 millis"), while: (error) => error.isRetryable }))

const programs: Record<string, Effect.Effect<unknown, unknown, Warehouse>> = {
  increment: Effect.forEach(
    Array.from({ length: Number(argument) }, (_, index) => index),
    (index) => once(`${process.pid}-${index}`)
  ),
  open: Effect.andThen(say("open"), Effect.never),
  insideTransaction: Effect.scoped(
    Effect.gen(function* () {
      const session = yield* (yield* Warehouse).session
      yield* session.transaction(
        Effect.gen(function* () {
          yield* session.execute("UPDATE counter SET value = 1000")
          yield* say("inside")
          return yield* Effect.never
        })
      )
    })
  )
}

const lockOnly = Effect.andThen(
  Effect.promise(() => DuckDBInstance.fromCache(file)),
  (instance) => Effect.andThen(say("locked"), Effect.andThen(Effect.never, Effect.succeed(instance)))
)

const chosen = programs[program]
// A pending effect alone does not keep Node alive.
const alive = setInterval(() => undefined, 1000)
void Effect.runPromise(
  chosen === undefined ? lockOnly : Effect.provide(chosen, DuckDb.layer({ file, threads: 1 }).pipe(Layer.orDie))
).finally(() => clearInterval(alive))
