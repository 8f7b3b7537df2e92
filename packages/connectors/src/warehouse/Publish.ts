import { Effect } from "effect"
import { ExpectationFailed } from "@northstar/core/ExpectationFailed"
import { name as checkName } from "@northstar/core/Check"
import { declare } from "@northstar/core/Failpoint"
import { type Dialect, literal } from "./Dialect.ts"
import { historyValues, mergeNewest, type Publication } from "./Merge.ts"
import { historyColumns, type Model } from "./Model.ts"
import { decide, isAccepted, type StageFacts, stageFacts } from "./Outcome.ts"
import { account } from "./Accounting.ts"
import { quarantine } from "./Quarantine.ts"
import { collectDependents, floorOf, highOf, refold, refoldNames, rowKey } from "./Refold.ts"
import { violates } from "./Stage.ts"
import type { AttachedSegment, Session } from "./Warehouse.ts"

/** The durable steps of publishing one table, in order. */
const step = declare("publish", ["decided", "history", "current", "quarantine", "accounted"])

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
  yield* mergeNewest(session, dialect, model, publication, { facts, except: refolds ? names.keysSql : undefined })
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
