import type { Table } from "@northstar/core/Table"

/**
 * A view over every version of a table's rows, in the SQL that all engines share: the history, with `_superseded_at`, the
 * moment at which a newer version of the key was published, NULL for the newest. Between `_recorded_at` and `_superseded_at` the
 * row was what readers saw; a version that came late, after a newer one, was never seen and has both at one moment.
 *
 * "As of" a moment: `_recorded_at <= moment and (_superseded_at is null or _superseded_at > moment)`.
 */
export const view = (table: Table): { readonly name: string; readonly query: string } => {
  const key = table.key.map(portable).join(", ")
  return {
    name: `${table.name}__versions`,
    query: `select v.*, case when newer_at < v._recorded_at then v._recorded_at else newer_at end as _superseded_at
from (
  select h.*, min(h._recorded_at) over (partition by ${key} order by h._version desc rows between unbounded preceding and 1 preceding) as newer_at
  from curated.${portable(`${table.name}__history`)} h
) v`
  }
}

/**
 * A name between quotes, reserved words included, for every engine: Snowflake keeps a name of lower-case letters in upper
 * case, and DuckDB does not tell them apart.
 */
const portable = (name: string): string =>
  `"${(/^[a-z_][a-z0-9_]*$/.test(name) ? name.toUpperCase() : name).replaceAll('"', '""')}"`
