/** A name as Snowflake keeps it: unquoted identifiers in upper case, quoted ones as written; defaults of the session filled in. */
export interface ObjectName {
  readonly database: string
  readonly schema: string
  readonly name: string
}

/** What a session's statements are read against. */
export interface SessionState {
  readonly id: string
  readonly user: string
  role: string
  /** `undefined` when none is selected. */
  warehouse: string | undefined
  database: string | undefined
  schema: string | undefined
  /** Session parameters by upper-case name, such as `TIMEZONE`, `QUERY_TAG`, `STATEMENT_TIMEOUT_IN_SECONDS`. */
  readonly parameters: Map<string, string>
  /** The session's temporary tables by `objectKey`; they hide permanent ones of the same name. */
  readonly temporary: Set<string>
}

/** An error as Snowflake reports it: `{success: false, code, message, data: {sqlState}}`. */
export class SnowflakeError extends Error {
  /** Six digits, such as `002003`. */
  readonly code: string
  readonly sqlState: string
  constructor(code: string, sqlState: string, message: string) {
    super(message)
    this.code = code
    this.sqlState = sqlState
  }
}

/**
 * A statement of the allowlist, rendered for DuckDB. What is not on the allowlist never becomes one: parsing it throws a
 * `SnowflakeError`. DuckDB identifiers are those of `encodeName`.
 */
export type Statement =
  | { readonly _tag: "Query"; readonly sql: string; readonly reads: ReadonlyArray<ObjectName> }
  | Dml
  /** CREATE/ALTER/DROP of schemas, tables and views, TRUNCATE: commits the open transaction first, then itself. */
  | {
      readonly _tag: "Ddl"
      readonly verb: "CREATE" | "ALTER" | "DROP" | "TRUNCATE"
      readonly object: "DATABASE" | "SCHEMA" | "TABLE" | "VIEW"
      readonly name: ObjectName
      /** Visible to this session alone. */
      readonly temporary: boolean
      readonly transient: boolean
      /** Of a table that was created with CLUSTER BY: its parenthesised expressions. */
      readonly clusterBy?: string
      readonly sql: string
      readonly reads: ReadonlyArray<ObjectName>
      /** What the answer's only cell says, such as `Table T successfully created.` */
      readonly message: string
    }
  | { readonly _tag: "Transaction"; readonly verb: "BEGIN" | "COMMIT" | "ROLLBACK" }
  | Copy
  /** USE, ALTER SESSION SET/UNSET: `set` holds upper-case names; `USE` sets ROLE, WAREHOUSE, DATABASE or SCHEMA. */
  | { readonly _tag: "Session"; readonly verb: "USE" | "SET" | "UNSET"; readonly set: ReadonlyMap<string, string> }
  /** Everything about the account: roles, users, grants, warehouses, monitors, policies, stages, file formats, SHOW, DESCRIBE, LIST, CALL-free. */
  | { readonly _tag: "Account"; readonly tokens: ReadonlyArray<Token> }

/** INSERT, UPDATE, DELETE, MERGE. */
export interface Dml {
  readonly _tag: "Dml"
  readonly verb: "INSERT" | "UPDATE" | "DELETE" | "MERGE"
  readonly target: ObjectName
  readonly sql: string
  readonly reads: ReadonlyArray<ObjectName>
  /** MERGE only: a query that gives rows exactly when several source rows would update or delete one target row (error 100090). */
  readonly duplicates?: string
  /** UPDATE without FROM only: its pieces, so that a server that does not re-evaluate a blocked predicate can be played. */
  readonly update?: { readonly target: string; readonly set: string; readonly where: string }
}

/** COPY INTO a table from an external stage. */
export interface Copy {
  readonly _tag: "Copy"
  readonly target: ObjectName
  readonly columns: ReadonlyArray<string>
  readonly stage: ObjectName
  /** Path below the stage's URL, with its slash, or empty. */
  readonly path: string
  /** DuckDB expressions over one file's columns, in the order of `columns`; `{filename}` stands for a literal of the file's path, `file_row_number` for its row. */
  readonly select: ReadonlyArray<string>
  readonly files: ReadonlyArray<string>
  readonly format: "PARQUET"
  readonly onError: "ABORT_STATEMENT"
  readonly force: boolean
}

/** A lexed piece of a statement. */
export type Token =
  /** `text` as Snowflake keeps it: upper case unless `quoted`. */
  | { readonly kind: "name"; readonly text: string; readonly quoted: boolean }
  /** `text` without quotes and escapes. */
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly text: string }
  /** Punctuation and operators, one token each: `(`, `::`, `=>`, `@`, `?`, … */
  | { readonly kind: "symbol"; readonly text: string }

/** A result as rows of DuckDB values, before encoding. */
export interface ResultTable {
  readonly columns: ReadonlyArray<ResultColumn>
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>
}

/** Snowflake's description of a result column; values travel as the texts of the JSON result format. */
export interface ResultColumn {
  readonly name: string
  readonly type:
    | "fixed"
    | "real"
    | "text"
    | "boolean"
    | "date"
    | "time"
    | "timestamp_ntz"
    | "timestamp_ltz"
    | "binary"
    | "variant"
  readonly precision?: number
  readonly scale?: number
  readonly nullable: boolean
}
