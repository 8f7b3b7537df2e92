import { Clock, Effect, Option, Ref, Schema, type Scope, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import { ConnectorError, InvalidData, Misconfigured } from "@northstar/core/ConnectorError"
import { declare } from "@northstar/core/Failpoint"
import { encode, type PositionType, type StreamKey } from "@northstar/core/Position"
import { fit, type Sink, type Writer } from "@northstar/core/Sink"
import type { Table } from "@northstar/core/Table"
import { ObjectStore } from "../landing/ObjectStore.ts"
import type { Segment } from "../landing/Segment.ts"
import type { Accounting } from "./Accounting.ts"
import * as Contract from "./Contract.ts"
import { type Dialect, literal } from "./Dialect.ts"
import { make as makeModel, type Model } from "./Model.ts"
import { publishTable, type Staged } from "./Publish.ts"
import { stageQuery, type StagedSegment } from "./Stage.ts"
import { type Session, Warehouse } from "./Warehouse.ts"
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
    const { dialect, session: open } = yield* Warehouse
    const store = yield* ObjectStore
    const session = yield* open
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
        // The scope holds the segments' local copies until the batch is published.
        const loaded = yield* Effect.scoped(
          loadBatch({ session, dialect, store, key, position, options }, models, batch)
        )
        yield* Ref.set(watermark, Option.some(batch.through))
        yield* Ref.set(active, loaded.active)
        return { through: batch.through, rows: loaded.rows, replayed: false }
      })
    }
  })
})

interface Context<P> {
  readonly session: Session
  readonly dialect: Dialect
  readonly store: ObjectStore["Service"]
  readonly key: StreamKey
  readonly position: PositionType<P>
  readonly options: Options
}

const loadBatch = Effect.fnUntraced(function* <P>(
  context: Context<P>,
  models: ReadonlyArray<Model>,
  batch: Batch<Segment, P>
) {
  const { session, dialect, key, position } = context
  const segments = yield* Stream.runFold(
    batch.chunks,
    (): Array<Segment> => [],
    (all, chunk) => [...all, ...chunk]
  )
  const relations = yield* acceptedRelations(session)
  const byTable = Map.groupBy(segments, ({ file }) => file.table)
  const isCatchUp = context.options.catchUp !== undefined
  const checked = models.map((model) => ({ model, verdict: judge(model, byTable, relations, isCatchUp) }))
  const parked = checked.filter(({ verdict }) => verdict._tag === "Breaks")
  const staying = checked.filter(({ verdict }) => verdict._tag === "Fits").map(({ model }) => model)
  if (isCatchUp && parked[0] !== undefined) {
    return yield* stillBroken(parked[0].model, parked[0].verdict as BreaksVerdict)
  }
  const staged = yield* Effect.forEach(
    staying.filter((model) => byTable.has(model.table.source)),
    (model) => stage(context, model, byTable.get(model.table.source)!)
  )
  yield* step("staged")
  const nowMs = yield* Clock.currentTimeMillis
  const through = encode(position, batch.through)
  const after = Option.map(batch.after, (value) => encode(position, value))
  const names = staying.map(({ name }) => name)
  const publication = { batch: `${key.pipeline}/${key.stream}/${through}`, recordedAtMs: nowMs }
  const times = { committedAtMs: batch.committedAtMs, completeThroughMs: batch.completeThroughMs, nowMs }
  const rows = yield* session.transaction(
    Effect.gen(function* () {
      const left = isCatchUp ? [] : leftOut(context.options.tables, models)
      yield* Watermarks.lockAndCompare(session, key, [...names, ...parked.map(({ model }) => model.name)], after, left)
      yield* step("locked")
      let published = 0
      for (const table of staged) {
        const highVersion = yield* highVersionOf(session, table.model)
        const result = yield* publishTable(session, dialect, { ...table, highVersion }, publication)
        yield* remember(session, table, result.highVersion, relations.get(table.model.name))
        yield* record(session, dialect, key, { ...publication, after, through, times }, table.model, result.accounting)
        published += result.accounting.rows
      }
      for (const { model, verdict } of parked) {
        const { reason } = verdict as BreaksVerdict
        const contract = Contract.fingerprint(model.table)
        yield* Watermarks.park(session, dialect, key, model.name, {
          reason,
          contract,
          positionType: position.name,
          nowMs
        })
      }
      yield* Watermarks.move(session, dialect, key, names, { positionType: position.name, through, times })
      yield* step("moved")
      return published
    })
  )
  yield* step("committed")
  for (const { model, verdict } of parked) {
    yield* Effect.logWarning(
      `table ${model.name} is parked: ${(verdict as BreaksVerdict).reason}. Its changes keep landing and the other tables go on; ` +
        "edit its contract to accept the change, then run ingest again and it catches up"
    )
  }
  return { rows, active: staying }
})

/** Tables that this task found parked when it opened. */
const leftOut = (tables: ReadonlyArray<Table>, models: ReadonlyArray<Model>): ReadonlyArray<string> =>
  tables.map(({ name }) => name).filter((name) => !models.some((model) => model.name === name))

type BreaksVerdict = Extract<Contract.Fit, { readonly _tag: "Breaks" }>

/** The first misfit among a table's segments, or that all fit. */
const judge = (
  model: Model,
  byTable: ReadonlyMap<string, ReadonlyArray<Segment>>,
  relations: ReadonlyMap<string, Relation>,
  isCatchUp: boolean
): Contract.Fit => {
  const remembered = relations.get(model.name)
  // An edited contract is a person's word that the new shape is right; what landed before was accepted then.
  const known = remembered?.contract === Contract.fingerprint(model.table) && !isCatchUp ? remembered : undefined
  const fits = (byTable.get(model.table.source) ?? []).map((segment) => {
    const isNewer = known !== undefined && segment.sequence > BigInt(known.sequence)
    return Contract.fit(model.table, segment.columns, isNewer ? known.columns : undefined)
  })
  return fits.find(({ _tag }) => _tag === "Breaks") ?? { _tag: "Fits", added: [] }
}

interface Relation {
  readonly columns: Segment["columns"]
  /** Number of the log's record that it is from. */
  readonly sequence: string
  readonly contract: string
}

const RelationText = Schema.fromJsonString(
  Schema.Struct({
    sequence: Schema.String,
    columns: Schema.Array(Schema.Struct({ name: Schema.String, type: Schema.String, key: Schema.Boolean }))
  })
)

/** The newest shape each table was loaded with. */
const acceptedRelations = Effect.fnUntraced(function* (session: Session) {
  const rows = yield* session.query(
    "SELECT table_name, relation, contract FROM northstar.tables WHERE relation IS NOT NULL"
  )
  return new Map(
    rows.map((row): [string, Relation] => [
      String(row["table_name"]),
      { ...Schema.decodeUnknownSync(RelationText)(row["relation"]), contract: String(row["contract"]) }
    ])
  )
})

const stage = Effect.fnUntraced(function* <P>(
  { session, dialect, store }: Context<P>,
  model: Model,
  segments: ReadonlyArray<Segment>
) {
  const files = yield* Effect.forEach(
    segments,
    (segment): Effect.Effect<StagedSegment, ConnectorError, Scope.Scope> =>
      Effect.map(store.local(segment.file), (file) => ({ segment, file })),
    { concurrency: 4 }
  )
  yield* session.execute(dialect.createStage(`stage_${model.name}`, stageQuery(dialect, model, files)))
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

const stillBroken = (model: Model, { reason }: BreaksVerdict) =>
  new ConnectorError({
    connector: "warehouse",
    operation: "catch up",
    detail: `${model.name} cannot rejoin: ${reason}`,
    action:
      "Edit the table's contract so that it covers every shape the log holds (renamedFrom, optional), then run again",
    reason: new Misconfigured({ detail: "contract" })
  })

const highVersionOf = (session: Session, model: Model) =>
  Effect.map(
    session.query(
      `SELECT CAST(high_version AS VARCHAR) AS v FROM northstar.tables WHERE table_name = ${literal(model.name)}`
    ),
    (rows) => BigInt(String(rows[0]?.["v"] ?? "0"))
  )

/** Keeps the greatest version and the newest shape that were published. */
const remember = (
  session: Session,
  { model, segments }: Omit<Staged, "highVersion">,
  highVersion: bigint,
  before: Relation | undefined
) => {
  const { sequence, columns } = segments.at(-1)!.segment
  const relation = literal(JSON.stringify({ sequence: String(sequence), columns }))
  const shape =
    before === undefined || sequence > BigInt(before.sequence)
      ? `, relation = ${relation}, contract = ${literal(Contract.fingerprint(model.table))}`
      : ""
  return session.execute(
    `UPDATE northstar.tables SET high_version = ${highVersion}${shape} WHERE table_name = ${literal(model.name)}`
  )
}

/** Writes the ledger line of one table's part of a batch. */
const record = (
  session: Session,
  dialect: Dialect,
  key: StreamKey,
  batch: {
    readonly batch: string
    readonly after: Option.Option<string>
    readonly through: string
    readonly times: Watermarks.Times
  },
  model: Model,
  { rows, published, superseded, quarantined, held, money }: Accounting
) => {
  const after = Option.match(batch.after, { onNone: () => "NULL", onSome: literal })
  const committed = Option.match(batch.times.committedAtMs, { onNone: () => "NULL", onSome: dialect.instant })
  return session.execute(
    `INSERT INTO northstar.batches SELECT ${literal(batch.batch)}, ${literal(key.pipeline)}, ${literal(key.stream)}, ${literal(model.name)}, ${after}, ${literal(batch.through)},
      ${rows}, ${published}, ${superseded}, ${quarantined}, ${held}, ${literal(money)}, ${committed}, ${dialect.instant(batch.times.nowMs)}, NULL`
  )
}

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
