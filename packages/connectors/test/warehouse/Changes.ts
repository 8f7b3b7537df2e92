import type { Change } from "@northstar/core/Change"
import type { Histories } from "@northstar/core/testing"
import { version } from "./Subject.ts"

/** Hand-written changes of one table; `at` is the position of the commit. */
export const changesOf = (table: string) => {
  const put = (
    at: number,
    row: Histories.Row,
    how: { readonly leavesOut?: ReadonlyArray<string>; readonly movedFrom?: string; readonly ordinal?: number } = {}
  ): Change<Histories.Row> => ({
    op: "upsert",
    table,
    key: String(row["id"]),
    version: version(at, how.ordinal),
    row,
    unchanged: how.leavesOut ?? [],
    ...(how.movedFrom === undefined ? {} : { movedFrom: how.movedFrom })
  })
  const remove = (at: number, key: string, ordinal = 0): Change<Histories.Row> => ({
    op: "delete",
    table,
    key,
    version: version(at, ordinal)
  })
  return {
    put,
    remove,
    /** A primary key update, as the source streams it: the old key's delete, then the new key's row. */
    move: (at: number, from: string, row: Histories.Row, leavesOut: ReadonlyArray<string> = []) => [
      remove(at, from, 0),
      put(at, row, { leavesOut, movedFrom: from, ordinal: 1 })
    ],
    truncate: (at: number): Change<Histories.Row> => ({ op: "truncate", table, version: version(at) })
  }
}
