import { Effect, Option } from "effect"
import type { StreamKey } from "@northstar/core/Position"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import { type Dialect, literal } from "./Dialect.ts"
import { type Model, sameKey } from "./Model.ts"
import { isAccepted, type StageFacts } from "./Outcome.ts"
import type { Session } from "./Warehouse.ts"
import type { Times } from "./Watermarks.ts"

/** What became of a table's staged changes: they add up to `rows`. */
export interface Accounting {
  readonly rows: number
  readonly published: number
  readonly superseded: number
  readonly quarantined: number
  readonly held: number
  /** Minor units per currency of the accepted changes, as JSON. */
  readonly money: string
}

/** Counts what became of the changes from what was written, and refuses to commit if they do not add up. */
export const account = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  batch: string,
  counts: { readonly facts: StageFacts; readonly accepted: number; readonly quarantined: number }
) {
  const { facts, accepted, quarantined } = counts
  // The bound lets the engine skip everything older than the batch.
  const ofBatch = `_version >= ${facts.minVersion} AND _batch = ${literal(batch)}`
  const [row] = yield* session.query(`SELECT
    (SELECT count(*) FROM ${model.stage} WHERE _outcome IS NOT NULL) AS known,
    (SELECT count(*) FROM ${model.history} WHERE ${ofBatch}) AS kept,
    (SELECT count(*) FROM ${model.curated} WHERE ${ofBatch}) AS live,
    (SELECT count(*) FROM northstar.held WHERE table_name = ${literal(model.name)} AND batch = ${literal(batch)}) AS held`)
  const number = (name: string) => Number(row?.[name] ?? 0)
  const parts = number("known") + number("kept") + quarantined + facts.truncates
  if (parts !== facts.rows || number("kept") !== accepted) {
    return yield* doesNotAddUp(model, batch, facts.rows, parts)
  }
  const deleted = facts.deletes === 0 ? 0 : yield* deletions(session, model)
  const published = number("live") + deleted + facts.truncates
  const superseded = facts.rows - published - quarantined - number("held")
  if (superseded < number("known")) return yield* doesNotAddUp(model, batch, facts.rows, facts.rows - superseded)
  return {
    rows: facts.rows,
    published,
    superseded,
    quarantined,
    held: number("held"),
    money: yield* moneyOf(session, dialect, model, ofBatch, batch)
  } satisfies Accounting
})

const doesNotAddUp = (model: Model, batch: string, staged: number, accounted: number) =>
  new ConnectorError({
    connector: "warehouse",
    operation: "publish",
    detail: `batch ${batch} of ${model.name} does not add up: ${staged} changes staged, ${accounted} accounted for`,
    action: "Nothing was published. This is a defect: keep the landing log and report it",
    reason: new InvalidData({ detail: "accounting" })
  })

/** Accepted deletes that are the last word about their key. */
const deletions = Effect.fnUntraced(function* (session: Session, model: Model) {
  const keys = model.key.map(({ sql }) => sql).join(", ")
  const rows = yield* session.query(
    `SELECT count(*) AS n FROM (SELECT * FROM ${model.stage} WHERE ${isAccepted} QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY _version DESC) = 1) AS s
    WHERE s._op = 2 AND NOT EXISTS (SELECT 1 FROM ${model.curated} AS t WHERE ${sameKey(model, "t", "s")})`
  )
  return Number(rows[0]?.["n"] ?? 0)
})

/** Sums the batch's amounts in the history against the accepted ones of the stage, per currency. */
const moneyOf = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  ofBatch: string,
  batch: string
) {
  const totals: Record<string, Record<string, string>> = {}
  for (const { amount, currency } of model.table.money) {
    const sum = (from: string, where: string) =>
      session.query(
        `SELECT ${dialect.id(currency)} AS currency, CAST(sum(CAST(${dialect.id(amount)} AS ${dialect.versionType})) AS VARCHAR) AS total FROM ${from} WHERE _op = 1 AND ${where} GROUP BY 1 ORDER BY 1`
      )
    const kept = yield* sum(model.history, ofBatch)
    const staged = yield* sum(model.stage, isAccepted)
    if (JSON.stringify(kept) !== JSON.stringify(staged)) {
      return yield* new ConnectorError({
        connector: "warehouse",
        operation: "publish",
        detail: `batch ${batch} of ${model.name}: the sums of ${amount} in stage and history differ`,
        action: "Nothing was published. This is a defect: keep the landing log and report it",
        reason: new InvalidData({ detail: "accounting" })
      })
    }
    totals[amount] = Object.fromEntries(kept.map((row) => [String(row["currency"]), String(row["total"])]))
  }
  return JSON.stringify(totals)
})

/** Writes the ledger line of one table's part of a batch. */
export const record = (
  session: Session,
  dialect: Dialect,
  key: StreamKey,
  batch: {
    readonly batch: string
    readonly after: Option.Option<string>
    readonly through: string
    readonly times: Times
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
