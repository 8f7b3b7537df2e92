import { quote, unsupported } from "./Construct.ts"
import { columnDefinition, type Ddl, ddl, isTemporary } from "./Definition.ts"
import { encodeName, identifier } from "./Names.ts"
import { locate, nameOf, type Parsing } from "./Parsing.ts"
import { readType, type SqlType } from "./SqlType.ts"
import type { ObjectName } from "../Statement.ts"

/** ALTER TABLE of columns or the name; `undefined` for all else, which is the account's. */
export const alter = (parsing: Parsing): Ddl | undefined => {
  const { reader, session } = parsing
  const words = new Set(parsing.tokens.map(({ text }) => text))
  if (!reader.is("ALTER", "TABLE") || words.has("POLICY") || words.has("CLUSTER") || words.has("CLUSTERING")) {
    return undefined
  }
  reader.expect("ALTER", "TABLE")
  const ifExists = reader.take("IF", "EXISTS") ? " IF EXISTS" : ""
  const name = reader.objectName()
  const table = `ALTER TABLE${ifExists} ${locate(parsing, name)}`
  const sql = alteration(parsing, name, table)
  return ddl(parsing, { verb: "ALTER", object: "TABLE", name, temporary: isTemporary(session.temporary, name), sql })
}

const alteration = (parsing: Parsing, of: ObjectName, table: string): string => {
  const { reader } = parsing
  if (reader.take("ADD")) {
    reader.take("COLUMN")
    return `${table} ADD COLUMN${reader.take("IF", "NOT", "EXISTS") ? " IF NOT EXISTS" : ""} ${columnDefinition(parsing)}`
  }
  if (reader.take("RENAME", "COLUMN")) {
    const before = identifier(nameOf(reader))
    reader.expect("TO")
    return `${table} RENAME COLUMN ${before} TO ${identifier(nameOf(reader))}`
  }
  if (reader.take("RENAME", "TO")) {
    const to = reader.objectName()
    if (to.database !== of.database || to.schema !== of.schema) throw unsupported("renaming into another schema")
    return `${table} RENAME TO ${identifier(to.name)}`
  }
  if (reader.take("DROP", "COLUMN")) return `${table} DROP COLUMN ${identifier(nameOf(reader))}`
  if (!reader.take("MODIFY")) reader.expect("ALTER")
  reader.take("COLUMN")
  const name = nameOf(reader)
  const column = identifier(name)
  if (reader.take("DROP", "NOT", "NULL")) return `${table} ALTER COLUMN ${column} DROP NOT NULL`
  if (reader.take("SET", "NOT", "NULL")) return `${table} ALTER COLUMN ${column} SET NOT NULL`
  reader.take("SET", "DATA")
  reader.expect("TYPE")
  const type = readType(reader)
  return `${retypes(of, name, type)}; ${table} ALTER COLUMN ${column} SET DATA TYPE ${type.duckdb}`
}

/** Fails unless the type stays, or a NUMBER changes its precision alone: Snowflake changes no others. */
const retypes = (table: ObjectName, column: string, { duckdb, family, name, scale }: SqlType): string => {
  const isNumber = `(data_type = 'HUGEINT' OR data_type LIKE 'DECIMAL%') AND coalesce(CASE WHEN data_type LIKE 'DECIMAL%' THEN numeric_scale END, 0) = ${scale}`
  const stays = `data_type = ${quote(duckdb === "TIMESTAMPTZ" ? "TIMESTAMP WITH TIME ZONE" : duckdb)}`
  const refusal = `error(${quote(`cannot change column ${column} from type `)} || data_type || ${quote(` to ${name}`)})`
  const names = {
    database_name: table.database,
    schema_name: table.schema,
    table_name: table.name,
    column_name: column
  }
  const where = Object.entries(names).map(([key, value]) => `${key} = ${quote(encodeName(value))}`)
  return `SELECT CASE WHEN NOT (${family === "number" ? isNumber : stays}) THEN ${refusal} END FROM duckdb_columns() WHERE ${where.join(" AND ")}`
}
