import { DatabaseSync } from "node:sqlite"
import { Context, Effect, Layer, Option, Semaphore, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import { ConnectorError, InvalidData, Unavailable } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { decode, encode, type PositionType, type StreamKey } from "@northstar/core/Position"
import { fit, type Sink, type Writer } from "@northstar/core/Sink"

/** Points that a member earned. They are added up: an award stored twice would be a gift. */
export interface Award {
  readonly member: string
  readonly points: number
}

const tables = `
  CREATE TABLE IF NOT EXISTS points (member TEXT PRIMARY KEY, points INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS watermarks (stream TEXT PRIMARY KEY, through TEXT NOT NULL)`

/** The team's SQLite database. A connection is a service; the sink below is a plain value that names it. */
export class PointsLedger extends Context.Service<
  PointsLedger,
  { readonly database: DatabaseSync; readonly turn: Semaphore.Semaphore }
>()("@loyalty/PointsLedger") {
  static readonly layer = (file: string) =>
    Layer.effect(
      PointsLedger,
      Effect.gen(function* () {
        const database = yield* Effect.acquireRelease(
          attempt(() => new DatabaseSync(file)),
          (database) => Effect.sync(() => database.close())
        )
        yield* attempt(() => database.exec(tables))
        return { database, turn: yield* Semaphore.make(1) }
      })
    )
}

const step = Failpoint.declare("points", ["written", "moved", "committed"])

/** Adds awards to the members' points. */
export const sink: Sink<Award, PointsLedger> = {
  name: "points",
  open: Effect.fnUntraced(function* <P>(key: StreamKey, position: PositionType<P>) {
    const ledger = yield* PointsLedger
    const writer: Writer<Award, P> = {
      watermark: yield* standing(ledger, key, position),
      commit: (batch) => commit(ledger, key, position, batch)
    }
    return writer
  })
}

type Ledger = PointsLedger["Service"]

/** The compare-and-set of every sink: compare, store the rows, move the watermark, all in one transaction. */
const commit = <P>(ledger: Ledger, key: StreamKey, position: PositionType<P>, batch: Batch<Award, P>) =>
  transaction(
    ledger,
    Effect.gen(function* () {
      const stands = yield* standing(ledger, key, position)
      if ((yield* fit(key, position, stands, batch)) === "replayed") {
        return { through: batch.through, rows: 0, replayed: true }
      }
      const rows = yield* Stream.runFoldEffect(
        batch.chunks,
        () => 0,
        (sum, awards) => Effect.as(add(ledger, awards), sum + awards.length)
      )
      yield* step("written")
      yield* move(ledger, key, encode(position, batch.through))
      yield* step("moved")
      return { through: batch.through, rows, replayed: false }
    })
  )

const transaction = <A, E, R>({ database, turn }: Ledger, effect: Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    attempt(() => database.exec("BEGIN IMMEDIATE")).pipe(
      Effect.andThen(restore(effect)),
      Effect.tap(() => attempt(() => database.exec("COMMIT"))),
      Effect.onError(() => Effect.ignore(attempt(() => database.exec("ROLLBACK")))),
      Effect.tap(() => step("committed"))
    )
  ).pipe(turn.withPermits(1))

const add = ({ database }: Ledger, awards: ReadonlyArray<Award>) =>
  attempt(() => {
    const insert = database.prepare(
      "INSERT INTO points VALUES (?, ?) ON CONFLICT (member) DO UPDATE SET points = points + excluded.points"
    )
    for (const { member, points } of awards) insert.run(member, points)
  })

const move = ({ database }: Ledger, key: StreamKey, through: string) =>
  attempt(() =>
    database
      .prepare("INSERT INTO watermarks VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET through = excluded.through")
      .run(`${key.pipeline}/${key.stream}`, through)
  )

const standing = Effect.fnUntraced(function* <P>({ database }: Ledger, key: StreamKey, position: PositionType<P>) {
  const row = yield* attempt(() =>
    database.prepare("SELECT through FROM watermarks WHERE stream = ?").get(`${key.pipeline}/${key.stream}`)
  )
  if (row === undefined) return Option.none<P>()
  return Option.some(yield* Effect.mapError(decode(position, String(row["through"])), () => foreign(key)))
})

const foreign = ({ pipeline, stream }: StreamKey) => {
  const detail = `the watermark of ${pipeline}/${stream} was written by another kind of source`
  return failure(detail, "Give the pipeline another name", new InvalidData({ detail }))
}

const attempt = <A>(run: () => A): Effect.Effect<A, ConnectorError> =>
  Effect.try({
    try: run,
    catch: (cause) => failure("SQLite failed", "Check the disk, then run again", new Unavailable({ cause }))
  })

const failure = (detail: string, action: string, reason: ConnectorError["reason"]) =>
  new ConnectorError({ connector: "points", operation: "commit", detail, action, reason })
