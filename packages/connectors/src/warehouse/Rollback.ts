import { Clock, Effect } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { declare } from "@northstar/core/Failpoint"
import type { Table } from "@northstar/core/Table"
import { type Dialect, literal } from "./Dialect.ts"
import { make as makeModel, type Model } from "./Model.ts"
import { collectDependents, createRefoldStages, refold, refoldNames } from "./Refold.ts"
import { publishedBy } from "./Quarantine.ts"
import { type Session, Warehouse } from "./Warehouse.ts"
import { lock } from "./Watermarks.ts"

const step = declare("rollback", ["taken", "committed"])

/** What taking a batch back removes from one table. */
export interface RollbackLine {
  readonly table: string
  /** Changes that the batch added to the history. */
  readonly changes: number
  /** Keys whose current row is computed anew. */
  readonly keys: number
  readonly quarantined: number
}

/** What `rollback` would do. */
export interface RollbackPlan {
  readonly batch: string
  /** Positions of the log, `(after, through]`, that bring the batch back. */
  readonly after: string | null
  readonly through: string
  readonly stream: string
  readonly lines: ReadonlyArray<RollbackLine>
}

/** Says what taking a batch back would change, and changes nothing. */
export const plan = Effect.fn("Rollback.plan")(function* (tables: ReadonlyArray<Table>, batch: string) {
  const { dialect, session: open } = yield* Warehouse
  return yield* Effect.scoped(Effect.flatMap(open, (session) => planIn(session, dialect, tables, batch)))
})

/**
 * Takes a batch back: its changes leave the history and every key they touched is folded from what remains, in one
 * transaction. The watermark stays: reading `(after, through]` of the log again by a backfill brings the batch back.
 */
export const apply = Effect.fn("Rollback.apply")(function* (tables: ReadonlyArray<Table>, batch: string) {
  const { dialect, session: open } = yield* Warehouse
  const nowMs = yield* Clock.currentTimeMillis
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const session = yield* open
      for (const table of tables) yield* createRefoldStages(session, dialect, makeModel(dialect, table))
      const planned = yield* session.transaction(
        Effect.gen(function* () {
          yield* lock(
            session,
            tables.map(({ name }) => name)
          )
          const planned = yield* planIn(session, dialect, tables, batch)
          for (const { table } of planned.lines) {
            const contract = tables.find(({ name }) => name === table)!
            yield* takeBack(session, dialect, makeModel(dialect, contract), batch)
          }
          yield* session.execute(
            `UPDATE northstar.batches SET taken_back_at = ${dialect.instant(nowMs)} WHERE batch = ${literal(batch)}`
          )
          yield* step("taken")
          return planned
        })
      )
      yield* step("committed")
      return planned
    })
  )
})

const planIn = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  tables: ReadonlyArray<Table>,
  batch: string
) {
  const rows = yield* session.query(
    `SELECT table_name, stream, after_position, through_position, taken_back_at IS NOT NULL AS taken FROM northstar.batches WHERE batch = ?`,
    [batch]
  )
  const first = rows[0]
  if (first === undefined)
    return yield* refuse(batch, "no such batch was published", "List batches with northstar status")
  if (first["taken"] === true)
    return yield* refuse(batch, "it was taken back before", "Bring it back with northstar backfill")
  const lines: Array<RollbackLine> = []
  for (const row of rows) {
    const table = tables.find(({ name }) => name === row["table_name"])
    if (table === undefined) {
      return yield* refuse(
        batch,
        `its table ${String(row["table_name"])} is not in the configuration`,
        "Add the table's contract, then run again"
      )
    }
    const model = makeModel(dialect, table)
    const [counts] = yield* session.query(
      `SELECT count(*) AS changes, (SELECT count(*) FROM (SELECT DISTINCT ${model.key.map(({ sql }) => sql).join(", ")} FROM ${model.history} WHERE _batch = ${literal(batch)}) AS k) AS keys,
        (SELECT count(*) FROM northstar.quarantine WHERE table_name = ${literal(model.name)} AND batch = ${literal(batch)}) AS quarantined
      FROM ${model.history} WHERE _batch = ${literal(batch)}`
    )
    const number = (name: string) => Number(counts?.[name] ?? 0)
    lines.push({
      table: table.name,
      changes: number("changes"),
      keys: number("keys"),
      quarantined: number("quarantined")
    })
  }
  const after = first["after_position"]
  return {
    batch,
    after: after === null || after === undefined ? null : String(after),
    through: String(first["through_position"]),
    stream: String(first["stream"]),
    lines
  } satisfies RollbackPlan
})

const takeBack = Effect.fnUntraced(function* (session: Session, dialect: Dialect, model: Model, batch: string) {
  const names = refoldNames(dialect, model)
  const keys = model.key.map(({ sql }) => sql).join(", ")
  const ofBatch = `_batch = ${literal(batch)}`
  const floor = `(SELECT max(version) FROM northstar.floors WHERE table_name = ${literal(model.name)} AND batch = ${literal(batch)})`
  // Without the batch's floor everything that it removed comes back.
  yield* session.execute(`DELETE FROM ${names.keysSql}`)
  yield* session.execute(
    `INSERT INTO ${names.keysSql} SELECT DISTINCT ${keys} FROM ${model.history} WHERE ${ofBatch} OR _version <= ${floor}`
  )
  yield* collectDependents(session, dialect, model)
  yield* session.execute(`DELETE FROM ${model.history} WHERE ${ofBatch}`)
  yield* session.execute(
    `UPDATE northstar.quarantine SET resolved_at = NULL, resolution = NULL WHERE table_name = ${literal(model.name)} AND resolution = ${literal(publishedBy(batch))}`
  )
  for (const control of ["floors", "quarantine", "findings"]) {
    yield* session.execute(
      `DELETE FROM northstar.${control} WHERE table_name = ${literal(model.name)} AND batch = ${literal(batch)}`
    )
  }
  yield* refold(session, dialect, model)
})

const refuse = (batch: string, detail: string, action: string) =>
  new ConnectorError({
    connector: "warehouse",
    operation: "rollback",
    detail: `${batch}: ${detail}`,
    action,
    reason: new Misconfigured({ detail: "batch" })
  })
