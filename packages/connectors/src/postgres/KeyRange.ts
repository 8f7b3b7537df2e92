import { id, literal } from "./Sql.ts"

/** Keys `(after, through]` of one table in the source's own order, as the source's texts in key order; `null` is no bound. */
export interface KeyRange {
  readonly after: ReadonlyArray<string> | null
  readonly through: ReadonlyArray<string> | null
}

/** All keys. */
export const everyKey: KeyRange = { after: null, through: null }

/**
 * The range as a condition that the primary key's index serves: the literals take the columns' own types and
 * collations, so that the order is the index's. Of a key of several columns the first is bounded by itself, too: the
 * planner takes two row comparisons for independent of each other, and would read the whole table for every range.
 */
export const within = (key: ReadonlyArray<string>, range: KeyRange): string => {
  const columns = `(${key.map(id).join(", ")})`
  const bound = (operator: string, ofFirst: string, values: ReadonlyArray<string> | null) => {
    if (values === null) return []
    const [first] = key.length > 1 ? key : []
    return [
      `${columns} ${operator} (${values.map(literal).join(", ")})`,
      ...(first === undefined ? [] : [`${id(first)} ${ofFirst} ${literal(values[0] ?? "")}`])
    ]
  }
  return [...bound(">", ">=", range.after), ...bound("<=", "<=", range.through)].join(" AND ") || "true"
}

/** The key columns of the table aliased `t`, to sort by: a bare name could mean a column of the result. */
export const order = (key: ReadonlyArray<string>): string => key.map((name) => `t.${id(name)}`).join(", ")
