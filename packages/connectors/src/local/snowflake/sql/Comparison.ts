import { quote, unsupported } from "./Construct.ts"
import { additive, type Expression, values } from "./Expression.ts"
import type { Parsing } from "./Parsing.ts"
import { query } from "./Query.ts"

const comparisons = ["=", "<>", "!=", "<=", ">=", "<", ">"]

/** Reads an operand and the comparisons behind it. */
export const comparison = (parsing: Parsing): Expression => {
  const { reader } = parsing
  let left = additive(parsing)
  for (;;) {
    const operator = comparisons.find((candidate) => reader.take(candidate))
    if (operator !== undefined) left = { sql: `(${left.sql} ${operator} ${additive(parsing).sql})` }
    else if (reader.take("IS")) left = { sql: `(${left.sql} IS ${isWhat(parsing)})` }
    else if (reader.is("NOT", "IN") || reader.is("IN")) left = membership(parsing, left)
    else if (reader.is("NOT", "LIKE") || reader.is("LIKE")) left = { sql: like(parsing, left.sql) }
    else if (reader.is("NOT", "BETWEEN") || reader.is("BETWEEN")) left = { sql: between(parsing, left.sql) }
    else return left
  }
}

const isWhat = (parsing: Parsing): string => {
  const { reader } = parsing
  const not = reader.take("NOT") ? "NOT " : ""
  if (reader.take("DISTINCT", "FROM")) return `${not}DISTINCT FROM ${additive(parsing).sql}`
  reader.expect("NULL")
  return `${not}NULL`
}

const like = (parsing: Parsing, left: string): string => {
  const { reader } = parsing
  const not = reader.take("NOT") ? "NOT " : ""
  reader.expect("LIKE")
  const pattern = additive(parsing).sql
  return `(${left} ${not}LIKE ${pattern}${reader.take("ESCAPE") ? ` ESCAPE ${quote(reader.string())}` : ""})`
}

const between = (parsing: Parsing, left: string): string => {
  const { reader } = parsing
  const not = reader.take("NOT") ? "NOT " : ""
  reader.expect("BETWEEN")
  const low = additive(parsing).sql
  reader.expect("AND")
  return `(${left} ${not}BETWEEN ${low} AND ${additive(parsing).sql})`
}

const membership = (parsing: Parsing, left: Expression): Expression => {
  const { reader } = parsing
  const not = reader.take("NOT") ? "NOT " : ""
  reader.expect("IN", "(")
  const isQuery = reader.is("SELECT") || reader.is("WITH")
  const { row } = left
  if (row === undefined) {
    const inside = isQuery ? query(parsing) : values(parsing).join(", ")
    reader.expect(")")
    return { sql: `(${left.sql} ${not}IN (${inside}))` }
  }
  if (isQuery && not !== "") throw unsupported("NOT IN of a row and a query")
  const sql = isQuery ? rowInQuery(row, query(parsing)) : rowInList(parsing, row)
  reader.expect(")")
  return { sql: `(${not}${sql})` }
}

/** DuckDB takes a NULL in a row for equal to a NULL; Snowflake does not. True where it is, false or NULL where it is not. */
const rowInQuery = (row: ReadonlyArray<string>, inside: string): string => {
  const columns = row.map((_, index) => `"~${index}"`)
  const same = row.map((sql, index) => `${columns[index]} = ${sql}`)
  return `EXISTS (SELECT 1 FROM (${inside}) AS "~"(${columns.join(", ")}) WHERE ${same.join(" AND ")})`
}

const rowInList = (parsing: Parsing, row: ReadonlyArray<string>): string => {
  const rows: Array<string> = []
  do {
    parsing.reader.expect("(")
    const candidate = values(parsing)
    parsing.reader.expect(")")
    if (candidate.length !== row.length) throw parsing.reader.unexpected()
    rows.push(`(${row.map((sql, index) => `${sql} = ${candidate[index]}`).join(" AND ")})`)
  } while (parsing.reader.take(","))
  return `(${rows.join(" OR ")})`
}
