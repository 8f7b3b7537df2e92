import { SnowflakeError, type Token } from "../Statement.ts"

/**
 * The tokens of a statement, comments left out. A stage location is `@`, its name, and the path behind the name as one
 * string token with its slash. Bind markers are the symbols `?` and `:` (followed by a number).
 */
export const lex = (sql: string): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  let at = skipBlanks(sql, 0)
  let isPath = false
  while (at < sql.length) {
    const [read, end] = next(sql, at)
    const before = tokens.at(-1)
    const isElement: boolean = read.kind === "name" && (isSymbol(before, ":") || (isPath && isSymbol(before, ".")))
    const token: Token = isElement && sql[at] !== '"' ? asWritten(sql.slice(at, end)) : read
    isPath =
      isSymbol(token, ":") || (isPath && (isElement || token.kind === "number" || isSymbol(token, ".", "[", "]")))
    tokens.push(token)
    at = isStageName(tokens) ? stagePath(sql, end, tokens) : end
    at = skipBlanks(sql, at)
  }
  return tokens
}

const isSymbol = (token: Token | undefined, ...texts: ReadonlyArray<string>): boolean =>
  token?.kind === "symbol" && texts.includes(token.text)

/** Names in the path of a VARIANT are case-sensitive without quotes too. */
const asWritten = (text: string): Token => ({ kind: "name", text, quoted: true })

type Lexed = readonly [token: Token, end: number]

const next = (sql: string, at: number): Lexed => {
  const char = sql[at]!
  if (char === "'") return string(sql, at)
  if (char === '"') return quotedName(sql, at)
  if (sql.startsWith("$$", at)) return dollarString(sql, at)
  const name = match(/[A-Za-z_][A-Za-z0-9_$]*|\$[0-9]+/y, sql, at)
  if (name !== undefined) return [{ kind: "name", text: upper(name), quoted: false }, at + name.length]
  const number = match(/(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?/y, sql, at)
  if (number !== undefined) return [{ kind: "number", text: number }, at + number.length]
  const symbol = match(/::|=>|\|\||<>|!=|<=|>=|[-+*/%=<>(),.;:?@[\]{}~]/y, sql, at)
  if (symbol !== undefined) return [{ kind: "symbol", text: symbol }, at + symbol.length]
  throw syntax(`unexpected '${char}'`, at)
}

const match = (pattern: RegExp, sql: string, at: number): string | undefined => {
  pattern.lastIndex = at
  return pattern.exec(sql)?.[0]
}

/** Only the letters that SQL identifiers are made of change. */
const upper = (name: string): string => name.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())

const skipBlanks = (sql: string, start: number): number => {
  let at = start
  for (;;) {
    const blank = match(/\s+|--[^\n]*|\/\/[^\n]*/y, sql, at)
    if (blank !== undefined) {
      at += blank.length
    } else if (sql.startsWith("/*", at)) {
      const end = sql.indexOf("*/", at + 2)
      if (end < 0) throw syntax("unexpected '<EOF>'", at)
      at = end + 2
    } else {
      return at
    }
  }
}

/** Escapes that stand for one character; any other escaped character stands for itself. */
const escapes: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", "0": "\0" }

const string = (sql: string, start: number): Lexed => {
  let text = ""
  let at = start + 1
  while (at < sql.length) {
    const char = sql[at]!
    if (char === "'") {
      if (sql[at + 1] !== "'") return [{ kind: "string", text }, at + 1]
      text += "'"
      at += 2
    } else if (char === "\\") {
      const coded = match(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-7]{3}))/y, sql, at)
      const escaped = sql[at + 1]
      if (coded !== undefined) text += String.fromCharCode(Number.parseInt(coded.replace(/^\\[ux]?/, ""), radix(coded)))
      else if (escaped !== undefined) text += escapes[escaped] ?? escaped
      at += coded?.length ?? 2
    } else {
      text += char
      at++
    }
  }
  throw syntax("unexpected '<EOF>'", start)
}

const radix = (coded: string): number => (/^\\[ux]/.test(coded) ? 16 : 8)

const quotedName = (sql: string, at: number): Lexed => {
  const raw = match(/"(?:[^"]|"")*"/y, sql, at)
  if (raw === undefined) throw syntax("unexpected '<EOF>'", at)
  const text = raw.slice(1, -1).replaceAll('""', '"')
  if (text === "") throw syntax(`unexpected '""'`, at)
  return [{ kind: "name", text, quoted: true }, at + raw.length]
}

const dollarString = (sql: string, at: number): Lexed => {
  const end = sql.indexOf("$$", at + 2)
  if (end < 0) throw syntax("unexpected '<EOF>'", at)
  return [{ kind: "string", text: sql.slice(at + 2, end) }, end + 2]
}

/** Whether the last tokens are `@` and a name of up to three parts: what follows without a blank is its path. */
const isStageName = (tokens: ReadonlyArray<Token>): boolean => {
  let index = tokens.length - 1
  for (; index >= 0; index -= 2) {
    const before = tokens[index - 1]
    if (tokens[index]?.kind !== "name" || before?.kind !== "symbol") return false
    if (before.text === "@") return true
    if (before.text !== ".") return false
  }
  return false
}

const stagePath = (sql: string, at: number, tokens: Array<Token>): number => {
  const path = match(/\/[^\s,;()]*/y, sql, at)
  if (path === undefined) return at
  tokens.push({ kind: "string", text: path })
  return at + path.length
}

const syntax = (what: string, at: number): SnowflakeError =>
  new SnowflakeError("001003", "42000", `SQL compilation error:\nsyntax error line 1 at position ${at} ${what}.`)
