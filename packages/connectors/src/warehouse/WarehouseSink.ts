import { Clock, Effect, Option, Ref, Schedule, Schema, type Scope, Stream } from "effect"
import type { Batch, BatchError } from "@northstar/core/Batch"
import { ConnectorError, InvalidData, Misconfigured } from "@northstar/core/ConnectorError"
import { declare } from "@northstar/core/Failpoint"
import { encode, type PositionType, type StreamKey } from "@northstar/core/Position"
import { fit, type Sink, type Writer } from "@northstar/core/Sink"
import type { Table } from "@northstar/core/Table"
import type { WatermarkConflict } from "@northstar/core/WatermarkStore"
import * as CostLedger from "../cost/CostLedger.ts"
import { ObjectStore } from "../landing/ObjectStore.ts"
import type { Segment } from "../landing/Segment.ts"
import { record } from "./Accounting.ts"
import * as Contract from "./Contract.ts"
import { type Dialect, literal } from "./Dialect.ts"
import { make as makeModel, type Model } from "./Model.ts"
import { publishTable, type Staged } from "./Publish.ts"
import * as Shapes from "./Shapes.ts"
import { createRefoldStages } from "./Refold.ts"
import { alike, stageColumns, stageQuery } from "./Stage.ts"
import { isConflict, type Session, StatementTag, Warehouse } from "./Warehouse.ts"
import * as Watermarks from "./Watermarks.ts"

/** The durable steps of one load, in order; those of each table lie between. */
const step = declare("load", ["staged", "locked", "moved", "committed"])

/** What a warehouse sink loads. */
export interface Options {
  readonly tables: ReadonlyArray<Table>
  /** Loads this table alone, even if it is parked: how it catches up after its contract was accepted. */
  readonly catchUp?: string
}

/**
 * Loads segments in bulk: stage with typed casts, audit on the stage, publish all tables of a batch in one transaction
 * that also moves their watermarks. Readers see every table at the same source commit, before or after a batch.
 */
export const make = (options: Options): Sink<Segment, Warehouse | ObjectStore> => ({
  name: "warehouse",
  open: Effect.fnUntraced(function* <P>(
    key: StreamKey,
    position: PositionType<P>
  ): Effect.fn.Return<Writer<Segment, P>, ConnectorError, Warehouse | ObjectStore | Scope.Scope> {
    const warehouse = yield* Warehouse
    const { attach, dialect, session: open } = warehouse
    const store = yield* ObjectStore
    const session = yield* open
    const prepared = new Set<string>()
    const tables = options.tables.filter(({ name }) => options.catchUp === undefined || name === options.catchUp)
    const standing = yield* Watermarks.load(
      session,
      key,
      tables.map(({ name }) => name)
    )
    const isActive = (watermark: Watermarks.TableWatermark) =>
      options.catchUp !== undefined || Option.isNone(watermark.parked)
    const stands = yield* decodeOption(position, Watermarks.furthest(standing.filter(isActive)))
    const watermark = yield* Ref.make(stands)
    const active = yield* Ref.make<ReadonlyArray<Model>>(
      tables
        .filter((table) => standing.some((candidate) => candidate.table === table.name && isActive(candidate)))
        .map((table) => makeModel(dialect, table))
    )
    return {
      watermark: stands,
      commit: Effect.fn("Warehouse.commit")(function* (batch: Batch<Segment, P>) {
        const verdict = yield* fit(key, position, yield* Ref.get(watermark), batch)
        if (verdict === "replayed") return { through: batch.through, rows: 0, replayed: true }
        const models = yield* Ref.get(active)
        const through = encode(position, batch.through)
        // The scope holds the segments' local copies until the batch is published.
        const loaded = yield* Effect.scoped(
          loadBatch({ session, dialect, attach, store, prepared, key, position, options }, models, batch)
        ).pipe(Effect.provideService(StatementTag, { ...key, batch: through }))
        yield* Ref.set(watermark, Option.some(batch.through))
        yield* Ref.set(active, loaded.active)
        if (loaded.rows > 0) yield* CostLedger.measure(warehouse, session, key, { through, changes: loaded.rows })
        return { through: batch.through, rows: loaded.rows, replayed: false }
      })
    }
  })
})

interface Context<P> {
  readonly session: Session
  readonly dialect: Dialect
  readonly attach: Warehouse["Service"]["attach"]
  readonly store: ObjectStore["Service"]
  /** Tables whose refold stages this session has. */
  readonly prepared: Set<string>
  readonly key: StreamKey
  readonly position: PositionType<P>
  readonly options: Options
}

/** Stages a batch's segments table by table, then publishes all of them, and moves the watermarks, in one transaction. */
const loadBatch = Effect.fnUntraced(function* <P>(
  context: Context<P>,
  models: ReadonlyArray<Model>,
  batch: Batch<Segment, P>
) {
  const segments = yield* Stream.runFold(
    batch.chunks,
    (): Array<Segment> => [],
    (all, chunk) => {
      all.push(...chunk)
      return all
    }
  )
  const byTable = Map.groupBy(segments, ({ file }) => file.table)
  const shapes = yield* Shapes.load(context.session)
  const isCatchUp = context.options.catchUp !== undefined
  const judged = models.map((model) => Shapes.judge(model, byTable.get(model.table.source) ?? [], shapes, isCatchUp))
  const parked = judged.flatMap((verdict) => (verdict._tag === "Parked" ? [verdict] : []))
  if (isCatchUp && parked[0] !== undefined) return yield* stillBroken(parked[0])
  const staying = judged.flatMap((verdict) => (verdict._tag === "Loads" ? [verdict] : []))
  const staged = yield* Effect.forEach(
    staying.filter(({ model }) => byTable.has(model.table.source)),
    ({ model }) => stage(context, model, byTable.get(model.table.source)!)
  )
  yield* step("staged")
  const { session } = context
  const rows = yield* session
    .transaction(publishBatch(context, models, { batch, staged, staying, parked, shapes }))
    .pipe(Effect.retry(afterConflict))
  yield* step("committed")
  // Asked now, the engine is awake: one that keeps results answers the next program's question without being woken.
  yield* Effect.ignore(Watermarks.load(session, context.key, []))
  yield* Shapes.report(parked, staying)
  return { rows, active: staying.map(({ model }) => model) }
})

/**
 * Another publisher holds the tables, for the length of its transaction: the engine says so at the first statement, so
 * that trying again soon is cheap. What stays in the way longer is left to the pipeline's own retry.
 */
const afterConflict = {
  schedule: Schedule.spaced("25 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: "10 seconds" })),
  while: (error: BatchError | WatermarkConflict) => error._tag === "ConnectorError" && isConflict(error)
}

interface Loading<P> {
  readonly batch: Batch<Segment, P>
  readonly staged: ReadonlyArray<Omit<Staged, "highVersion">>
  readonly staying: ReadonlyArray<Shapes.Loads>
  readonly parked: ReadonlyArray<Shapes.Parked>
  readonly shapes: Shapes.Shapes
}

const publishBatch = Effect.fnUntraced(function* <P>(
  { session, dialect, key, position, options }: Context<P>,
  models: ReadonlyArray<Model>,
  { batch, staged, staying, parked, shapes }: Loading<P>
) {
  const nowMs = yield* Clock.currentTimeMillis
  const positionType = position.name
  const through = encode(position, batch.through)
  const after = Option.map(batch.after, (value) => encode(position, value))
  const times = { committedAtMs: batch.committedAtMs, completeThroughMs: batch.completeThroughMs, nowMs }
  const publication = { batch: `${key.pipeline}/${key.stream}/${through}`, recordedAtMs: nowMs }
  const names = staying.map(({ model }) => model.name)
  const locked = [...names, ...parked.map(({ model }) => model.name)]
  // Tables that this task found parked when it opened: another task may have let them rejoin.
  const leftOut =
    options.catchUp === undefined
      ? options.tables.map(({ name }) => name).filter((name) => !models.some((model) => model.name === name))
      : []
  yield* Watermarks.lockAndCompare(session, key, locked, after, leftOut)
  yield* step("locked")
  let published = 0
  for (const table of staged) {
    const highVersion = yield* highVersionOf(session, table.model)
    const result = yield* publishTable(session, dialect, { ...table, highVersion }, publication)
    const newest = table.segments.at(-1)!.segment
    yield* Shapes.remember(session, table.model, { newest, highVersion: result.highVersion, shapes })
    yield* record(session, dialect, key, { ...publication, after, through, times }, table.model, result.accounting)
    published += result.accounting.rows
  }
  yield* Shapes.recordAdded(session, dialect, staying, publication)
  for (const { model, reason } of parked) {
    const contract = Contract.fingerprint(model.table)
    yield* Watermarks.park(session, dialect, key, model.name, { reason, contract, positionType, nowMs })
  }
  yield* Watermarks.move(session, dialect, key, names, { positionType, through, times })
  yield* step("moved")
  return published
})

const stage = Effect.fnUntraced(function* <P>(
  { session, dialect, attach, store, prepared }: Context<P>,
  model: Model,
  segments: ReadonlyArray<Segment>
) {
  if (!prepared.has(model.name)) yield* createRefoldStages(session, dialect, model)
  prepared.add(model.name)
  const files = yield* attach(session, model.name, segments).pipe(Effect.provideService(ObjectStore, store))
  yield* session.execute(dialect.createStage(`stage_${model.name}`, stageColumns(dialect, model)))
  for (const group of alike(files)) {
    yield* session.execute(`INSERT INTO ${model.stage} ${stageQuery(dialect, model, group)}`)
  }
  const counted = yield* session.query(`SELECT count(*) AS n FROM ${model.stage}`)
  const rows = Number(counted[0]?.["n"])
  const written = segments.reduce((sum, { file }) => sum + file.rows, 0)
  if (rows !== written) return yield* lostRows(model, rows, written)
  return { model, segments: files }
})

const lostRows = (model: Model, rows: number, written: number) =>
  new ConnectorError({
    connector: "warehouse",
    operation: "stage",
    detail: `${model.name}: ${rows} rows staged of ${written} that the log recorded`,
    action: "Nothing was published. Check the landing log's segments of this table, then run again",
    reason: new InvalidData({ detail: "row count" })
  })

const highVersionOf = (session: Session, model: Model) =>
  Effect.map(
    session.query(
      `SELECT CAST(high_version AS VARCHAR) AS v FROM northstar.tables WHERE table_name = ${literal(model.name)}`
    ),
    (rows) => BigInt(String(rows[0]?.["v"] ?? "0"))
  )

const stillBroken = ({ model, reason }: Shapes.Parked) =>
  new ConnectorError({
    connector: "warehouse",
    operation: "catch up",
    detail: `${model.name} cannot rejoin: ${reason}`,
    action:
      "Edit the table's contract so that it covers every shape the log holds (renamedFrom, optional), then run again",
    reason: new Misconfigured({ detail: "contract" })
  })

const decodeOption = <P>(position: PositionType<P>, text: Option.Option<string>) =>
  Option.match(text, {
    onNone: () => Effect.succeed(Option.none<P>()),
    onSome: (value) =>
      Schema.decodeEffect(position.codec)(value).pipe(
        Effect.map(Option.some),
        Effect.mapError(
          () =>
            new ConnectorError({
              connector: "warehouse",
              operation: "open",
              detail: `the stored watermark is not a position of type ${position.name}`,
              action: "The warehouse belongs to another kind of pipeline: give this one its own pipeline name",
              reason: new InvalidData({ detail: "watermark" })
            })
        )
      )
  })
