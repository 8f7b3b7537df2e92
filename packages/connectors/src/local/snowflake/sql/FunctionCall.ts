import { type Argument, type Construct, unsupported } from "./Construct.ts"
import { lookUp } from "./Constructs.ts"
import { type Expression, expression, value, values } from "./Expression.ts"
import { identifier } from "./Names.ts"
import { nameOf, type Parsing } from "./Parsing.ts"
import { SnowflakeError } from "../Statement.ts"

/** Functions of the standard that stand without parentheses. */
const bare: ReadonlySet<string> = new Set(["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_USER"])

/** Reads a column or a call. */
export const nameOrCall = (parsing: Parsing): Expression => {
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
  if (reader.is("ORDER")) {
    parts.push(orderBy(parsing))
    // The one frame that is used: everything before the row.
    if (reader.take("ROWS")) {
      reader.expect("BETWEEN", "UNBOUNDED", "PRECEDING", "AND")
      if (reader.number() !== 1) throw reader.unexpected()
      reader.expect("PRECEDING")
      parts.push("ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING")
    }
  }
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
