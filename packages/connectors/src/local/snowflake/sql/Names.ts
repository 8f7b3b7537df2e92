import type { ObjectName } from "../Statement.ts"

/**
 * A Snowflake name as DuckDB keeps it. DuckDB takes `a` and `A` for one name, so every lower-case letter is followed by `~`
 * and every `~` is doubled: different names stay different, and names in upper case are as they were.
 */
export const encodeName = (name: string): string => name.replaceAll(/[a-z~]/g, "$&~")

/** The Snowflake name of a name that `encodeName` gave. */
export const decodeName = (encoded: string): string => encoded.replaceAll(/([a-z~])~/g, "$1")

/** DuckDB SQL that does as `decodeName`. */
export const decodeNameSql = (encoded: string): string => `regexp_replace(${encoded}, '([a-z~])~', '\\1', 'g')`

/** A name as a DuckDB identifier. */
export const identifier = (name: string): string => `"${encodeName(name).replaceAll('"', '""')}"`

/** Compares names: equal texts are equal names. */
export const objectKey = ({ database, schema, name }: ObjectName): string => [database, schema, name].join("\0")

/** Where DuckDB keeps a permanent object: each Snowflake database is an attached DuckDB database. */
export const permanentObject = ({ database, schema, name }: ObjectName): string =>
  [database, schema, name].map(identifier).join(".")

/** Where DuckDB keeps a temporary table of the session: DuckDB has one schema for all of them. No encoded name holds `.~.` */
export const temporaryObject = ({ database, schema, name }: ObjectName): string =>
  `temp.main."${[database, schema, name].map((part) => encodeName(part).replaceAll('"', '""')).join(".~.")}"`

/** A schema as DuckDB SQL. */
export const schemaObject = (database: string, schema: string): string =>
  `${identifier(database)}.${identifier(schema)}`
