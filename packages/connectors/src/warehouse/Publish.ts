import { Effect } from "effect"
import { ExpectationFailed } from "@northstar/core/ExpectationFailed"
import { name as checkName } from "@northstar/core/Check"
import { declare } from "@northstar/core/Failpoint"
import { type Dialect, literal } from "./Dialect.ts"
import { curatedColumns, historyColumns, type Model, sameKey } from "./Model.ts"
import { decide, isAccepted, type StageFacts, stageFacts } from "./Outcome.ts"
import { account } from "./Accounting.ts"
import { quarantine } from "./Quarantine.ts"
import { collectDependents, floorOf, highOf, refold, refoldNames, rowKey } from "./Refold.ts"
import { violates } from "./Stage.ts"
import type { AttachedSegment, Session } from "./Warehouse.ts"

/** The durable steps of publishing one table, in order. */
const step = declare("publish", ["decided", "history", "current", "quarantine", "accounted"])

/** The batch that is being published. */
export interface Publication {
  /** Names the batch in every row, in the ledger and to `rollback`. */
  readonly batch: string
  readonly recordedAtMs: number
}

/** A table's stage, with the segments it was filled from and the greatest version published before. */
export interface Staged {
  readonly model: Model
  readonly segments: ReadonlyArray<AttachedSegment>
  readonly highVersion: bigint
}

/**
 * Publishes the stage of one table inside the caller's transaction: set aside what cannot be accepted, append the rest
 * to history, bring the current rows up to date, and account for every change. Changes beyond the greatest version
 * published before win by being newest, all others are folded with their history.
 */
export const publishTable = Effect.fn("Publish.table")(function* (
  session: Session,
  dialect: Dialect,
  { model, segments, highVersion }: Staged,
  publication: Publication
) {
  const facts = yield* stageFacts(session, model)
  const isLate = facts.minVersion <= highVersion
  if (facts.truncates > 0) {
    yield* session.execute(
      `INSERT INTO northstar.floors SELECT ${literal(model.name)}, t.version, ${literal(publication.batch)} FROM (SELECT max(_version) AS version FROM ${model.stage} WHERE _op = 3) AS t
        WHERE t.version NOT IN (SELECT version FROM northstar.floors WHERE table_name = ${literal(model.name)})`
    )
  }
  yield* decide(session, dialect, model, facts, isLate)
  yield* block(session, dialect, model, publication)
  yield* step("decided")
  const accepted = yield* appendHistory(session, dialect, model, publication)
  yield* step("history")
  yield* bringUpToDate(session, dialect, model, publication, { facts, isLate })
  yield* step("current")
  const quarantined = yield* quarantine(session, dialect, model, segments, publication)
  yield* step("quarantine")
  const accounting = yield* account(session, dialect, model, publication.batch, { facts, accepted, quarantined })
  yield* step("accounted")
  return { accounting, highVersion: facts.maxVersion > highVersion ? facts.maxVersion : highVersion }
})

/** Runs the checks that block or warn: nothing of a batch that breaks a blocking one is published. */
const block = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  { batch, recordedAtMs }: Publication
) {
  for (const check of model.table.checks.filter(({ severity }) => severity !== "quarantine")) {
    const rows = yield* session.query(
      `SELECT count(*) AS n, CAST(min(_version) AS VARCHAR) AS first FROM ${model.stage} WHERE _op = 1 AND _reason IS NULL AND _outcome IS NULL AND ${violates(dialect, model, check)}`
    )
    const failed = Number(rows[0]?.["n"] ?? 0)
    if (failed === 0) continue
    const expectation = `${model.name}.${checkName(check)}`
    if (check.severity === "block") {
      return yield* new ExpectationFailed({ expectation, failed, examples: [`version ${rows[0]?.["first"]}`] })
    }
    yield* session.execute(
      `INSERT INTO northstar.findings SELECT ${literal(batch)}, ${literal(model.name)}, ${literal(checkName(check))}, 'warn', ${failed}, ${dialect.instant(recordedAtMs)}`
    )
  }
})

/** Every column of the history, from a staged row. */
const historyValues = (dialect: Dialect, model: Model, { batch, recordedAtMs }: Publication): string =>
  historyColumns(dialect, model)
    .map(([sql]) => {
      if (sql === "_batch") return `${literal(batch)} AS _batch`
      if (sql === "_recorded_at") return `${dialect.instant(recordedAtMs)} AS _recorded_at`
      return sql === "_posting_date" ? "_business_date AS _posting_date" : sql
    })
    .join(", ")

const appendHistory = (session: Session, dialect: Dialect, model: Model, publication: Publication) =>
  session.execute(
    `INSERT INTO ${model.history} (${historyColumns(dialect, model)
      .map(([sql]) => sql)
      .join(", ")}) SELECT ${historyValues(dialect, model, publication)} FROM ${model.stage} WHERE ${isAccepted}`
  )

const bringUpToDate = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  publication: Publication,
  { facts, isLate }: { readonly facts: StageFacts; readonly isLate: boolean }
) {
  const names = refoldNames(dialect, model)
  const refolds = yield* collectRefolds(session, dialect, model, { facts, isLate })
  yield* session.execute(
    mergeNewest(dialect, model, publication, { facts, except: refolds ? names.keysSql : undefined })
  )
  if (refolds) yield* refold(session, dialect, model)
  if (facts.truncates > 0) {
    yield* session.execute(`DELETE FROM ${model.curated} WHERE _version <= ${floorOf(model)}`)
    yield* session.execute(
      `DELETE FROM northstar.held WHERE table_name = ${literal(model.name)} AND version <= ${floorOf(model)}`
    )
  }
})

/** Fills the stage of keys that only their whole history can settle; false when there are none. */
const collectRefolds = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  { facts, isLate }: { readonly facts: StageFacts; readonly isLate: boolean }
) {
  const held = yield* session.query(
    `SELECT count(*) AS n FROM northstar.held WHERE table_name = ${literal(model.name)}`
  )
  const someHeld = Number(held[0]?.["n"] ?? 0) > 0
  if (!isLate && facts.partial === 0 && !someHeld) return false
  const names = refoldNames(dialect, model)
  const keys = model.key.map(({ sql }) => sql).join(", ")
  const heldKeys = `${rowKey(dialect, model)} IN (SELECT row_key FROM northstar.held WHERE table_name = ${literal(model.name)})`
  // What a late truncate removes may be what a later change left out.
  const dependsOnFloor =
    isLate && facts.truncates > 0
      ? ` UNION SELECT ${keys} FROM ${model.history} WHERE _unchanged IS NOT NULL AND _version > ${floorOf(model)}`
      : ""
  yield* session.execute(`DELETE FROM ${names.keysSql}`)
  yield* session.execute(
    `INSERT INTO ${names.keysSql} SELECT DISTINCT ${keys} FROM ${model.stage} WHERE ${isAccepted} AND (_unchanged IS NOT NULL OR _version <= ${highOf(model)}${someHeld ? ` OR ${heldKeys}` : ""})${dependsOnFloor}`
  )
  yield* collectDependents(session, dialect, model)
  return true
})

/** Of each key's accepted changes the newest wins; it is newer than anything published. */
const mergeNewest = (
  dialect: Dialect,
  model: Model,
  publication: Publication,
  { facts, except }: { readonly facts: StageFacts; readonly except: string | undefined }
): string => {
  const columns = curatedColumns(dialect, model).map(([sql]) => sql)
  const keys = model.key.map(({ sql }) => sql)
  const others = columns.filter((sql) => !keys.includes(sql))
  const outside =
    except === undefined ? "" : ` AND NOT EXISTS (SELECT 1 FROM ${except} AS k WHERE ${sameKey(model, "k", "c")})`
  const newest =
    facts.keys === facts.rows
      ? ""
      : ` QUALIFY row_number() OVER (PARTITION BY ${keys.join(", ")} ORDER BY _version DESC) = 1`
  const source = `SELECT ${historyValues(dialect, model, publication)} FROM ${model.stage} AS c WHERE ${isAccepted}${outside}${newest}`
  return `MERGE INTO ${model.curated} AS t USING (${source}) AS s ON ${sameKey(model, "t", "s")}
    WHEN MATCHED AND s._op = 2 THEN DELETE
    WHEN MATCHED THEN UPDATE SET ${others.map((sql) => `${sql} = s.${sql}`).join(", ")}
    WHEN NOT MATCHED AND s._op = 1 THEN INSERT (${columns.join(", ")}) VALUES (${columns.map((sql) => `s.${sql}`).join(", ")})`
}
