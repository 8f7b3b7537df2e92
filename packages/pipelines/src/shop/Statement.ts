import type { ColumnType } from "@northstar/core/Column"
import type { Columns, Row, Table } from "@northstar/core/Table"

/** A value as `pg` takes it: 64-bit integers as bigint, instants as ISO 8601 text, arrays for `unnest`. */
export type Parameter = string | number | bigint | null | ReadonlyArray<string | number | bigint | null>

/** One SQL statement of the shop's application; parameters replace `$1`, `$2`, … */
export interface Statement {
  readonly text: string
  readonly values: ReadonlyArray<Parameter>
}

/** Inserts rows in one statement, whatever their number: a parameter holds all values of one column. */
export const insert = <C extends Columns>(table: Table<C>, rows: ReadonlyArray<Row<Table<C>>>): Statement => {
  const columns = Object.entries(table.columns)
  const names = columns.map(([name]) => name)
  const types = columns.map(([, column], index) => `$${index + 1}::${arrayType[column.type.kind]}[]`)
  return {
    text: `insert into ${table.source} (${names.join(", ")}) select * from unnest(${types.join(", ")})`,
    // Sound: the columns of the shop's tables decode to nothing but texts, numbers and bigints.
    values: names.map((name) => rows.map((row) => row[name] as string | number | bigint | null))
  }
}

/** Types of the shop's columns in PostgreSQL. */
const arrayType: Partial<Record<ColumnType["kind"], string>> = {
  int32: "integer",
  int64: "bigint",
  text: "text",
  timestamptz: "timestamptz"
}
