import { Effect } from "effect"
import { type Dialect, literal } from "./Dialect.ts"
import type { Model } from "./Model.ts"
import { isAccepted, stageKey } from "./Outcome.ts"
import { alike } from "./Stage.ts"
import type { AttachedSegment, Session } from "./Warehouse.ts"

/** How a quarantined change was resolved that a later batch could publish. */
export const publishedBy = (batch: string): string => `published by ${batch}`

/**
 * Keeps the changes that were set aside, with all columns of their segment as the source wrote them, where they came from
 * and why; resolves those of earlier batches that this one publishes. Returns how many it keeps.
 */
export const quarantine = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  model: Model,
  segments: ReadonlyArray<AttachedSegment>,
  { batch, recordedAtMs }: { readonly batch: string; readonly recordedAtMs: number }
) {
  const now = dialect.instant(recordedAtMs)
  const key = stageKey(dialect, model, "s.")
  yield* session.execute(
    `UPDATE northstar.quarantine SET resolved_at = ${now}, resolution = ${literal(publishedBy(batch))} WHERE table_name = ${literal(model.name)} AND resolved_at IS NULL
      AND EXISTS (SELECT 1 FROM ${model.stage} AS s WHERE ${isAccepted} AND s._version = quarantine.version AND ${key} = quarantine.row_key)`
  )
  let quarantined = 0
  const setAside = yield* session.query(
    `SELECT DISTINCT _segment FROM ${model.stage} WHERE _reason IS NOT NULL AND _outcome IS NULL`
  )
  const paths = new Set(setAside.map(({ _segment }) => _segment))
  for (const group of alike(segments.filter(({ segment }) => paths.has(segment.file.path)))) {
    const [{ segment }] = group
    const values = dialect.jsonObject(segment.columns.map(({ name }) => [name, `r.${dialect.id(name)}`] as const))
    quarantined += yield* session.execute(
      `INSERT INTO northstar.quarantine SELECT ${literal(model.name)}, ${key}, s._version, s._op, s._reason, ${literal(batch)}, s._segment,
        s._source_commit_at, s._ingested_at, ${now}, r._unchanged, s._moved_from, ${values}, NULL, NULL
      FROM ${dialect.segments(group)} JOIN ${model.stage} AS s ON s._segment = f._segment AND s._row = ${dialect.rowNumber}
      WHERE s._reason IS NOT NULL AND s._outcome IS NULL`
    )
  }
  return quarantined
})
