import { comparison } from "./Comparison.ts"
import { type Argument, quote, textOf, unsupported } from "./Construct.ts"
import { nameOrCall } from "./FunctionCall.ts"
import { bind, type Parsing } from "./Parsing.ts"
import { query } from "./Query.ts"
import { readType, type SqlType } from "./SqlType.ts"
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

/** Reads an operand of a comparison. */
export const additive = (parsing: Parsing): Expression => chain(parsing, multiplicative, ["+", "-", "||"])

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
    if (reader.take("::")) left = cast(left, readType(reader))
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
  const path =
    reader.peek()?.kind === "string" ? `$."${reader.string().replaceAll('"', '\\"')}"` : `$[${reader.number()}]`
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
