import * as Query from "@northstar/connectors/project/Query"
import { Effect, Ref } from "effect"
import * as Oracle from "./Oracle.ts"
import { shop, type Stand } from "./Stand.ts"

/** What readers saw while everything was running. */
export interface Seen {
  /** Statements that saw all tables at one commit of the source. */
  readonly whole: number
  readonly problems: ReadonlyArray<string>
}

export const none: Seen = { whole: 0, problems: [] }

/**
 * Reads through whoever owns the warehouse, again and again, whether rows refer to rows that are not there, which no
 * commit of the source shows. Reads before the snapshot is through do not count, nor those that nobody could answer.
 */
export const watch = (stand: Stand, seen: Ref.Ref<Seen>): Effect.Effect<never> =>
  Query.query(shop(stand).project, cutSql, { rowsMax: 1 }).pipe(
    Effect.flatMap(({ rows: [row] }) => {
      const through = String(row?.["through"])
      if (!isSnapshotDone(stand, through)) return Effect.void
      const orphans = String(row?.["orphans"])
      return Ref.update(seen, ({ whole, problems }) =>
        orphans === "0"
          ? { whole: whole + 1, problems }
          : { whole, problems: [...problems, `a reader saw ${orphans} rows without what they refer to at ${through}`] }
      )
    }),
    Effect.ignore,
    Effect.andThen(Effect.sleep("250 millis")),
    Effect.forever
  )

const cutSql = `SELECT (SELECT min(through) FROM northstar.watermarks WHERE stream = 'shop' HAVING count(*) = 4) AS through,
  CAST((${Oracle.orphansSql}) AS VARCHAR) AS orphans`

const isSnapshotDone = (stand: Stand, sequence: string): boolean => {
  const record = Oracle.logRecords(stand).find((candidate) => candidate.sequence === sequence)
  if (record === undefined) return false
  // Sound: that is how a position of the source is written.
  const { snapshots } = JSON.parse(record.through) as { readonly snapshots: Record<string, { readonly done: boolean }> }
  const all = Object.values(snapshots)
  return all.length === shop(stand).tables.length && all.every(({ done }) => done)
}
