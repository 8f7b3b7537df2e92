import type { Table } from "@northstar/core/Table"

/** What a history amounts to. */
export interface Folded {
  /** Whole rows: key as a JSON list of texts to row as a JSON list of texts. */
  readonly rows: ReadonlyMap<string, string>
  /** Keys whose row lacks a column that no change carried. */
  readonly incomplete: number
  /** Changes with the key and version of the change before them. */
  readonly repeats: number
}

type Values = Array<string | null | undefined>

/**
 * The plainest fold there is: one change after the other in the order of versions, into a map. `history` has version,
 * operation, unchanged columns, old key, then the row; ordered by version. `floors` are versions below which all is gone.
 */
export const fold = (
  table: Table,
  history: ReadonlyArray<ReadonlyArray<string | null>>,
  floors: ReadonlyArray<ReadonlyArray<string | null>>
): Folded => {
  const names = Object.keys(table.columns)
  const keyAt = table.key.map((name) => names.indexOf(name))
  const rows = new Map<string, Values>()
  // A key move deletes the old row first, and the new one still takes its unchanged columns from there.
  const gone = new Map<string, Values>()
  const above = floors.map(([version]) => BigInt(version ?? "")).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const seen = new Set<string>()
  let repeats = 0
  for (const [versionText, op, unchangedText, movedFrom, ...values] of history) {
    const version = BigInt(versionText ?? "")
    while (above[0] !== undefined && above[0] < version) {
      above.shift()
      rows.clear()
      gone.clear()
    }
    const key = JSON.stringify(keyAt.map((index) => values[index]))
    if (seen.has(`${versionText} ${key}`)) repeats += 1
    seen.add(`${versionText} ${key}`)
    const before = rows.get(key)
    if (op === "2") {
      if (before !== undefined) gone.set(key, before)
      rows.delete(key)
      continue
    }
    const unchanged = unchangedText === null ? [] : (JSON.parse(unchangedText ?? "[]") as ReadonlyArray<string>)
    const from = movedFrom === null ? before : gone.get(JSON.stringify(JSON.parse(movedFrom ?? "[]")))
    rows.set(
      key,
      values.map((value, index) => (unchanged.includes(names[index] ?? "") ? from?.[index] : value))
    )
  }
  if (above.length > 0) rows.clear()
  const whole = [...rows].filter(([, row]) => !row.includes(undefined))
  return {
    rows: new Map(whole.map(([key, row]) => [key, JSON.stringify(row)])),
    incomplete: rows.size - whole.length,
    repeats
  }
}
