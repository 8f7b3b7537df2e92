import { quote, unsupported } from "./Construct.ts"
import { reservedWords } from "../../../snowflake/ReservedWords.ts"
import { lex } from "./Lexer.ts"
import { objectKey, permanentObject, temporaryObject } from "./Names.ts"
import { type ObjectName, type SessionState, SnowflakeError, type Token } from "../Statement.ts"
import { TokenReader } from "./TokenReader.ts"

/** Values of bind variables by their number from 1, as the driver sends them. */
export type Bindings = Readonly<
  Record<string, { readonly type: string; readonly value: string | null | ReadonlyArray<string | null> }>
>

/** A statement that is being parsed. */
export interface Parsing {
  readonly reader: TokenReader
  readonly tokens: ReadonlyArray<Token>
  readonly session: SessionState
  readonly bindings: Bindings
  /** Objects read so far, by `objectKey`. */
  readonly reads: Map<string, ObjectName>
  /** Names of common table expressions in scope. */
  ctes: ReadonlySet<string>
  /** Number of the last `?`. */
  bound: number
  /** Inside the query of a COPY, `$1` is a row of the file. */
  ofFile: boolean
}

/** Takes a statement apart into tokens. Several statements, or none, are refused. */
export const start = (sql: string, bindings: Bindings, session: SessionState): Parsing => {
  const lexed = lex(sql)
  const last = lexed.at(-1)
  const tokens = last?.kind === "symbol" && last.text === ";" ? lexed.slice(0, -1) : lexed
  if (tokens.length === 0) throw new SnowflakeError("000900", "42601", "SQL compilation error:\nEmpty SQL statement.")
  const count = tokens.filter(({ kind, text }) => kind === "symbol" && text === ";").length + 1
  if (count > 1) {
    throw new SnowflakeError(
      "000008",
      "0A000",
      `Actual statement count ${count} did not match the desired statement count 1.`
    )
  }
  const reader = new TokenReader(tokens, session)
  return { reader, tokens, session, bindings, reads: new Map(), ctes: new Set(), bound: 0, ofFile: false }
}

/** A name; a reserved word is one only between quotes. */
export const nameOf = (reader: TokenReader): string => {
  const token = reader.peek()
  if (token?.kind === "name" && !token.quoted && reservedWords.has(token.text)) throw reader.unexpected()
  return reader.name()
}

/** Where DuckDB keeps a table or view: a temporary table of the session hides a permanent one. */
export const locate = ({ session }: Parsing, name: ObjectName): string =>
  session.temporary.has(objectKey(name)) ? temporaryObject(name) : permanentObject(name)

/** As `locate`, and notes that the statement reads it. */
export const read = (parsing: Parsing, name: ObjectName): string => {
  parsing.reads.set(objectKey(name), name)
  return locate(parsing, name)
}

/** The next bind variable, or the one of a number, as a typed literal. */
export const bind = (parsing: Parsing, number?: number): string => {
  const at = number ?? ++parsing.bound
  const binding = parsing.bindings[String(at)]
  if (binding === undefined) {
    throw new SnowflakeError("002049", "42601", `SQL compilation error:\nBind variable :${at} not set.`)
  }
  const { type, value } = binding
  if (typeof value === "string") return typedLiteral(type, value)
  if (value !== null) throw unsupported("array binding")
  return type === "TEXT" ? "CAST(NULL AS VARCHAR)" : "NULL"
}

const typedLiteral = (type: string, value: string): string => {
  switch (type) {
    case "TEXT":
      return quote(value)
    case "FIXED":
      if (/^-?\d+(\.\d+)?$/.test(value)) return `(${value})`
      break
    case "REAL":
      return `CAST(${quote(value)} AS DOUBLE)`
    case "BOOLEAN":
      if (/^(true|1)$/i.test(value)) return "TRUE"
      if (/^(false|0)$/i.test(value)) return "FALSE"
      break
    case "BINARY":
      if (/^([0-9a-f]{2})*$/i.test(value)) return `from_hex('${value}')`
      break
    default:
      throw unsupported(`binding of type ${type}`)
  }
  throw new SnowflakeError("100039", "22018", `Value of bind variable is not of type '${type}'.`)
}
