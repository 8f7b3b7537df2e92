import { type Argument, type Construct, quote, textOf, unsupported } from "./Construct.ts"
import { lookUp } from "./Constructs.ts"
import { identifier } from "./Names.ts"
import { bind, nameOf, type Parsing } from "./Parsing.ts"
import { query } from "./Query.ts"
import { readType, type SqlType } from "./SqlType.ts"
import { SnowflakeError } from "./Statement.ts"
import { castToText } from "./TextFunctions.ts"

/** A rendered expression; rows stand only on the left of IN. */
export interface Expression extends Argument {
  /** The name that a column of this expression has without an alias. */
  readonly name?: string | undefined
  readonly row?: ReadonlyArray<string> | undefined
}

/** Reads an expression of any precedence, with parentheses around whatever has an operator. */
export const expression = (parsing: Parsing): Expression => chain(parsing, conjunction, ["OR"])

/** Reads an expression that must be one value, as SQL. */
export const value = (parsing: Parsing): string => {
  const { row, sql } = expression(parsing)
  if (row !== undefined) throw parsing.reader.unexpected()
  return sql
}

/** Reads `a, b, …`. */
export const values = (parsing: Parsing): ReadonlyArray<string> => {
  const all = [value(parsing)]
  while (parsing.reader.take(",")) all.push(value(parsing))
  return all
}

const conjunction = (parsing: Parsing): Expression => chain(parsing, negation, ["AND"])

const negation = (parsing: Parsing): Expression =>
  parsing.reader.take("NOT") ? { sql: `(NOT ${negation(parsing).sql})` } : comparison(parsing)

const additive = (parsing: Parsing): Expression => chain(parsing, multiplicative, ["+", "-", "||"])

const multiplicative = (parsing: Parsing): Expression => chain(parsing, unary, ["*", "%"])

/** Left-associative operators of one precedence; a run of the same operator needs no parentheses of its own. */
const chain = (
  parsing: Parsing,
  operand: (parsing: Parsing) => Expression,
  operators: ReadonlyArray<string>
): Expression => {
  const { reader } = parsing
  const first = operand(parsing)
  let sql = first.sql
  let last: string | undefined
  for (;;) {
    if (reader.is("/")) throw unsupported("division")
    const operator = operators.find((candidate) => reader.take(candidate))
    if (operator === undefined) return last === undefined ? first : { sql: `(${sql})` }
    if (first.row !== undefined) throw reader.unexpected()
    const right = operand(parsing).sql
    sql = last === undefined || last === operator ? `${sql} ${operator} ${right}` : `(${sql}) ${operator} ${right}`
    last = operator
  }
}

const comparisons = ["=", "<>", "!=", "<=", ">=", "<", ">"]

const comparison = (parsing: Parsing): Expression => {
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

const unary = (parsing: Parsing): Expression => {
  if (parsing.reader.take("+")) return unary(parsing)
  if (!parsing.reader.take("-")) return postfix(parsing)
  const { sql } = unary(parsing)
  // A negative literal is one token for DuckDB: the least BIGINT has no positive counterpart.
  return { sql: /^[\d.]+$/.test(sql) ? `-${sql}` : `(- ${sql})` }
}

const postfix = (parsing: Parsing): Expression => {
  const { reader } = parsing
  let left = primary(parsing)
  for (;;) {
    if (reader.take("::")) left = { ...cast(left, readType(reader)), name: left.name }
    else if (reader.take(":")) left = element(parsing, left, reader.name())
    else if (reader.is(".") && left.semi !== undefined) left = (reader.next(), element(parsing, left, reader.name()))
    else if (reader.is("[")) left = at(parsing, left)
    else return left
  }
}

const element = (parsing: Parsing, left: Expression, name: string): Expression => {
  if (parsing.ofFile && left.sql === "$1") return { sql: `"${name.replaceAll('"', '""')}"` }
  if (left.semi === undefined && left.name === undefined) throw unsupported("a path into what is no VARIANT")
  return { sql: `json_extract(${left.sql}, ${quote(`$."${name.replaceAll('"', '\\"')}"`)})`, semi: "variant" }
}

const at = (parsing: Parsing, left: Expression): Expression => {
  const { reader } = parsing
  reader.expect("[")
  const path = reader.peek()?.kind === "string" ? `$."${reader.string().replaceAll('"', '\\"')}"` : `$[${reader.number()}]`
  reader.expect("]")
  if (left.semi === undefined) throw unsupported("a path into what is no VARIANT")
  return { sql: `json_extract(${left.sql}, ${quote(path)})`, semi: "variant" }
}

/** CAST to a type; `tries` gives NULL instead of an error. */
export const cast = (from: Expression, type: SqlType, tries = false): Expression => {
  if (type.family === "variant" || type.family === "array") {
    if (tries || (type.family === "array" && from.semi === undefined)) throw unsupported(`a cast to ${type.name}`)
    return { sql: from.semi === undefined ? `to_json(${from.sql})` : from.sql, semi: type.family }
  }
  const sql = from.semi === undefined ? from.sql : textOf(from)
  if (type.family === "text" && !tries) return { sql: from.semi === undefined && !isText(sql) ? castToText(sql) : sql }
  return { sql: `${tries ? "TRY_CAST" : "CAST"}(${sql} AS ${type.duckdb})` }
}

const isText = (sql: string): boolean => /^'([^']|'')*'$/.test(sql)

const primary = (parsing: Parsing): Expression => {
  const { reader } = parsing
  const token = reader.peek()
  if (token?.kind === "string") return { sql: quote(reader.string()), literal: token.text }
  if (token?.kind === "number") return (reader.next(), { sql: token.text })
  if (reader.take("?")) return { sql: bind(parsing) }
  if (reader.take(":")) return { sql: bind(parsing, reader.number()) }
  if (reader.take("(")) return parenthesised(parsing)
  if (token?.kind !== "name") throw reader.unexpected()
  if (token.quoted) return nameOrCall(parsing)
  switch (token.text) {
    case "NULL":
    case "TRUE":
    case "FALSE":
      reader.next()
      return { sql: token.text }
    case "CASE":
      return { sql: caseOf(parsing) }
    case "CAST":
    case "TRY_CAST":
      return castCall(parsing, token.text === "TRY_CAST")
    case "EXISTS":
      return { sql: exists(parsing) }
    case "$1":
      if (!parsing.ofFile || reader.peek(1)?.text !== ":") throw reader.unexpected()
      reader.next()
      return { sql: "$1" }
    case "METADATA$FILENAME":
      if (!parsing.ofFile) throw reader.unexpected()
      reader.next()
      return { sql: "{filename}" }
    case "METADATA$FILE_ROW_NUMBER":
      if (!parsing.ofFile) throw reader.unexpected()
      reader.next()
      // Snowflake's rows count from 1.
      return { sql: "(file_row_number + 1)" }
    default:
      return nameOrCall(parsing)
  }
}

const parenthesised = (parsing: Parsing): Expression => {
  const { reader } = parsing
  if (reader.is("SELECT") || reader.is("WITH")) {
    const sql = query(parsing)
    reader.expect(")")
    return { sql: `(${sql})` }
  }
  const first = expression(parsing)
  if (!reader.is(",")) {
    reader.expect(")")
    return first
  }
  const row = [first.sql]
  while (reader.take(",")) row.push(value(parsing))
  reader.expect(")")
  if (!reader.is("IN") && !reader.is("NOT", "IN")) throw unsupported("a row that is not the left side of IN")
  return { sql: `(${row.join(", ")})`, row }
}

const caseOf = (parsing: Parsing): string => {
  const { reader } = parsing
  reader.expect("CASE")
  const subject = reader.is("WHEN") ? "" : ` ${value(parsing)}`
  let sql = `CASE${subject}`
  do {
    reader.expect("WHEN")
    sql += ` WHEN ${value(parsing)}`
    reader.expect("THEN")
    sql += ` THEN ${value(parsing)}`
  } while (reader.is("WHEN"))
  if (reader.take("ELSE")) sql += ` ELSE ${value(parsing)}`
  reader.expect("END")
  return `${sql} END`
}

const castCall = (parsing: Parsing, tries: boolean): Expression => {
  const { reader } = parsing
  reader.next()
  reader.expect("(")
  const from = expression(parsing)
  reader.expect("AS")
  const result = cast(from, readType(reader), tries)
  reader.expect(")")
  return result
}

const exists = (parsing: Parsing): string => {
  parsing.reader.expect("EXISTS", "(")
  const sql = query(parsing)
  parsing.reader.expect(")")
  return `EXISTS (${sql})`
}

/** Functions of the standard that stand without parentheses. */
const bare: ReadonlySet<string> = new Set(["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_USER"])

const nameOrCall = (parsing: Parsing): Expression => {
  const { reader } = parsing
  const token = reader.peek()
  const isPlain = token?.kind === "name" && !token.quoted
  if (isPlain && reader.peek(1)?.text === "(" && reader.peek(1)?.kind === "symbol") return functionCall(parsing)
  if (isPlain && bare.has(token.text)) return { sql: lookUp(reader.name(), 0).render([], parsing.session) }
  const parts = [nameOf(reader)]
  while (reader.is(".") && reader.peek(1)?.kind === "name") {
    reader.next()
    parts.push(nameOf(reader))
  }
  if (reader.is("(")) throw unknownFunction(parts)
  if (parts.length > 2) throw unsupported("a column with more than its table's name")
  const name = parts.at(-1)!
  return { sql: parts.map(identifier).join("."), name, word: parts.length === 1 ? name : undefined }
}

const unknownFunction = (parts: ReadonlyArray<string>): SnowflakeError =>
  new SnowflakeError("002140", "42601", `SQL compilation error:\nUnknown user-defined function ${parts.join(".")}`)

const functionCall = (parsing: Parsing): Expression => {
  const { reader } = parsing
  const name = reader.name()
  reader.expect("(")
  const isDistinct = reader.take("DISTINCT")
  const args = arguments_(parsing, name)
  reader.expect(")")
  const found = lookUp(name, args.length)
  if (isDistinct && (name !== "COUNT" || args.length !== 1)) throw unsupported(`${name}(DISTINCT …)`)
  const sql = isDistinct ? `count(DISTINCT ${args[0]!.sql})` : found.render(args, parsing.session)
  return { sql: over(parsing, name, found, sql), semi: found.semi }
}

const arguments_ = (parsing: Parsing, name: string): ReadonlyArray<Argument> => {
  const { reader } = parsing
  if (reader.is(")")) return []
  if (name === "COUNT" && reader.take("*")) return [{ sql: "*" }]
  const all: Array<Argument> = []
  do {
    const next = expression(parsing)
    if (next.row !== undefined) throw reader.unexpected()
    all.push(next)
  } while (reader.take(","))
  return all
}

const over = (parsing: Parsing, name: string, { role }: Construct, sql: string): string => {
  const { reader } = parsing
  if (!reader.take("OVER")) {
    if (role === "window") throw unsupported(`${name} without OVER`)
    return sql
  }
  if (role === undefined) throw unsupported(`${name} over a window`)
  reader.expect("(")
  const parts = reader.take("PARTITION", "BY") ? [`PARTITION BY ${values(parsing).join(", ")}`] : []
  if (reader.is("ORDER")) parts.push(orderBy(parsing))
  reader.expect(")")
  return `${sql} OVER (${parts.join(" ")})`
}

/** NULLs are greater than all values in Snowflake: last in ascending order, first in descending order. */
export const orderBy = (parsing: Parsing): string => {
  const { reader } = parsing
  reader.expect("ORDER", "BY")
  const keys: Array<string> = []
  do {
    const key = value(parsing)
    const isDescending = !reader.take("ASC") && reader.take("DESC")
    const isFirst = reader.take("NULLS") ? reader.oneOf("FIRST", "LAST") === "FIRST" : isDescending
    keys.push(`${key} ${isDescending ? "DESC" : "ASC"} NULLS ${isFirst ? "FIRST" : "LAST"}`)
  } while (reader.take(","))
  return `ORDER BY ${keys.join(", ")}`
}
