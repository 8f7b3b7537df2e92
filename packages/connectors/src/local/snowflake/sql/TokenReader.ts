import { type ObjectName, type SessionState, SnowflakeError, type Token } from "../Statement.ts"

/** A value of a `NAME = value` property. */
export type Property =
  | { readonly kind: "text" | "number" | "word"; readonly text: string }
  | { readonly kind: "list"; readonly items: ReadonlyArray<string> }
  | { readonly kind: "properties"; readonly properties: ReadonlyMap<string, Property> }

/** Reads the tokens of a statement from left to right; whatever is not expected is Snowflake's syntax error. */
export class TokenReader {
  readonly #tokens: ReadonlyArray<Token>
  readonly #session: SessionState
  #at = 0

  constructor(tokens: ReadonlyArray<Token>, session: SessionState) {
    const last = tokens.at(-1)
    this.#tokens = last?.kind === "symbol" && last.text === ";" ? tokens.slice(0, -1) : tokens
    this.#session = session
  }

  /** Whether the next tokens are these keywords or symbols. */
  is(...words: ReadonlyArray<string>): boolean {
    return words.every((word, index) => {
      const token = this.#tokens[this.#at + index]
      if (token === undefined || token.kind === "string" || token.kind === "number") return false
      return token.text === word && !(token.kind === "name" && token.quoted)
    })
  }

  /** Takes these keywords or symbols if they come next. */
  take(...words: ReadonlyArray<string>): boolean {
    const matches = this.is(...words)
    if (matches) this.#at += words.length
    return matches
  }

  expect(...words: ReadonlyArray<string>): void {
    for (const word of words) if (!this.take(word)) throw this.unexpected()
  }

  /** Takes the first of these phrases that comes next. */
  oneOf<const Phrase extends string>(...phrases: ReadonlyArray<Phrase>): Phrase {
    const found = phrases.find((phrase) => this.take(...phrase.split(" ")))
    if (found === undefined) throw this.unexpected()
    return found
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length
  }

  /** Refuses what is left over. */
  end(): void {
    if (!this.atEnd) throw this.unexpected()
  }

  /** The token that comes next, or the one `offset` tokens behind it. */
  peek(offset = 0): Token | undefined {
    return this.#tokens[this.#at + offset]
  }

  /** Takes the token that comes next, whatever it is. */
  next(): Token {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw this.unexpected()
    this.#at += 1
    return token
  }

  /** How many tokens were taken. */
  get position(): number {
    return this.#at
  }

  /** The tokens taken since a position, as SQL text. */
  textSince(position: number): string {
    const texts = this.#tokens.slice(position, this.#at).map(textOf)
    return texts.join(" ").replaceAll(/ ?([(),.]|::) ?/g, "$1")
  }

  /** One identifier, as Snowflake keeps it. */
  name(): string {
    const token = this.#tokens[this.#at]
    if (token?.kind !== "name") throw this.unexpected()
    this.#at += 1
    return token.text
  }

  /** `[[database.]schema.]name` with the session's defaults filled in. */
  objectName(): ObjectName {
    const parts = this.#path()
    const database = parts.at(-3) ?? this.#session.database
    const schema = parts.at(-2) ?? this.#session.schema
    if (parts.length > 3) throw this.unexpected()
    if (database === undefined) throw noDefault("database")
    if (schema === undefined) throw noDefault("schema")
    return { database, schema, name: parts.at(-1)! }
  }

  /** `[database.]schema` with the session's default filled in. */
  schemaName(): { readonly database: string; readonly schema: string } {
    const parts = this.#path()
    const database = parts.at(-2) ?? this.#session.database
    if (parts.length > 2) throw this.unexpected()
    if (database === undefined) throw noDefault("database")
    return { database, schema: parts.at(-1)! }
  }

  string(): string {
    const token = this.#tokens[this.#at]
    if (token?.kind !== "string") throw this.unexpected()
    this.#at += 1
    return token.text
  }

  number(): number {
    const token = this.#tokens[this.#at]
    if (token?.kind !== "number") throw this.unexpected()
    this.#at += 1
    return Number(token.text)
  }

  /** The rest as SQL text with one space between tokens. */
  rest(): string {
    const tokens = this.#tokens.slice(this.#at)
    this.#at = this.#tokens.length
    return tokens.map(textOf).join(" ")
  }

  /** The tokens between a pair of parentheses that comes next, as SQL text, the parentheses included. */
  parenthesised(): string {
    const start = this.#at
    this.expect("(")
    for (let depth = 1; depth > 0; this.#at += 1) {
      if (this.atEnd) throw this.unexpected()
      if (this.is("(")) depth += 1
      if (this.is(")")) depth -= 1
    }
    return this.#tokens
      .slice(start, this.#at)
      .map(textOf)
      .join(" ")
      .replaceAll(/\( | \)| ,/g, (space) => space.trim())
  }

  /** `NAME = value` pairs up to something else, each name one of `allowed`. */
  properties(...allowed: ReadonlyArray<string>): ReadonlyMap<string, Property> {
    const found = new Map<string, Property>()
    for (;;) {
      const token = this.#tokens[this.#at]
      const next = this.#tokens[this.#at + 1]
      if (token?.kind !== "name" || next?.kind !== "symbol" || next.text !== "=") return found
      if (!allowed.includes(token.text)) throw invalidProperty(token.text)
      this.#at += 2
      found.set(token.text, this.#value())
      this.take(",")
    }
  }

  unexpected(): SnowflakeError {
    const token = this.#tokens[this.#at]
    const text = token === undefined ? "<EOF>" : textOf(token)
    return new SnowflakeError(
      "001003",
      "42000",
      `SQL compilation error:\nsyntax error line 1 at position ${this.#at} unexpected '${text}'.`
    )
  }

  #value(): Property {
    const token = this.#tokens[this.#at]
    if (token?.kind === "symbol" && token.text === "(") {
      const second = this.#tokens[this.#at + 2]
      if (second?.kind === "symbol" && second.text === "=") {
        this.#at += 1
        const properties = this.properties("TYPE", "FORMAT_NAME", "COMPRESSION", "BINARY_AS_TEXT", "USE_LOGICAL_TYPE")
        this.expect(")")
        return { kind: "properties", properties }
      }
      return { kind: "list", items: this.#list() }
    }
    if (token?.kind === "string") return { kind: "text", text: this.string() }
    if (token?.kind === "number") return { kind: "number", text: String(this.number()) }
    return { kind: "word", text: this.#path().join(".") }
  }

  #list(): ReadonlyArray<string> {
    const items: Array<string> = []
    this.expect("(")
    if (this.take(")")) return items
    do items.push(this.#tokens[this.#at]?.kind === "string" ? this.string() : this.name())
    while (this.take(","))
    this.expect(")")
    return items
  }

  #path(): ReadonlyArray<string> {
    const parts = [this.name()]
    while (this.take(".")) parts.push(this.name())
    return parts
  }
}

const textOf = (token: Token): string => {
  if (token.kind === "string") return `'${token.text.replaceAll("'", "''")}'`
  return token.kind === "name" && token.quoted ? `"${token.text.replaceAll('"', '""')}"` : token.text
}

const noDefault = (what: "database" | "schema"): SnowflakeError =>
  new SnowflakeError(
    what === "database" ? "090105" : "090106",
    "22000",
    `Cannot perform operation. This session does not have a current ${what}. Call 'USE ${what.toUpperCase()}', or use a qualified name.`
  )

const invalidProperty = (name: string): SnowflakeError =>
  new SnowflakeError("001420", "22023", `SQL compilation error:\ninvalid property '${name}'`)
