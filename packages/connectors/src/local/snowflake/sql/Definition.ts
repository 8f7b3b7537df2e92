import { unsupported } from "./Construct.ts"
import { identifier, objectKey, permanentObject, schemaObject, temporaryObject } from "./Names.ts"
import { locate, nameOf, type Parsing } from "./Parsing.ts"
import { query } from "./Query.ts"
import { readType } from "./SqlType.ts"
import type { ObjectName, Statement } from "../Statement.ts"

/** CREATE, ALTER, DROP or TRUNCATE. */
export type Ddl = Extract<Statement, { readonly _tag: "Ddl" }>

const executed = "Statement executed successfully."

/** A definition with what most have in common. */
export const ddl = (parsing: Parsing, given: Pick<Ddl, "verb" | "object" | "name" | "sql"> & Partial<Ddl>): Ddl => ({
  _tag: "Ddl",
  temporary: false,
  transient: false,
  message: executed,
  ...given,
  reads: [...parsing.reads.values()]
})

/** CREATE of a table, view, schema or database; `undefined` for any other object, which is the account's. */
export const create = (parsing: Parsing): Ddl | undefined => {
  const { reader } = parsing
  const word = (index: number): string => reader.peek(index)?.text ?? ""
  let at = word(1) === "OR" ? 3 : 1
  const replaces = at === 3
  const kind = ["TRANSIENT", "TEMPORARY", "TEMP"].find((candidate) => candidate === word(at)) ?? ""
  if (kind !== "") at++
  const object = (["TABLE", "VIEW", "SCHEMA", "DATABASE"] as const).find((candidate) => candidate === word(at))
  if (object === undefined) {
    if (kind !== "") throw unsupported(`CREATE ${kind} ${word(at)}`)
    return undefined
  }
  for (let index = 0; index <= at; index++) reader.next()
  const mayExist = reader.take("IF", "NOT", "EXISTS")
  const how = { replaces, mayExist, transient: kind === "TRANSIENT", temporary: kind.startsWith("TEMP") }
  switch (object) {
    case "TABLE":
      return createTable(parsing, how)
    case "VIEW":
      if (kind !== "") throw unsupported(`CREATE ${kind} VIEW`)
      return createView(parsing, how)
    case "SCHEMA":
    case "DATABASE":
      if (how.temporary || replaces) throw unsupported(`CREATE OR REPLACE ${object}`)
      return object === "SCHEMA" ? createSchema(parsing, how) : createDatabase(parsing, how)
  }
}

interface How {
  readonly replaces: boolean
  readonly mayExist: boolean
  readonly transient: boolean
  readonly temporary: boolean
}

const createTable = (parsing: Parsing, { replaces, mayExist, transient, temporary }: How): Ddl => {
  const { reader } = parsing
  const name = reader.objectName()
  const columns = reader.is("(") ? columnDefinitions(parsing) : ""
  const clusterBy = tableOptions(parsing)
  const as = reader.take("AS") ? ` AS ${query(parsing)}` : ""
  if ((columns === "") === (as === "")) throw reader.unexpected()
  const create = `CREATE${replaces ? " OR REPLACE" : ""}${temporary ? " TEMP" : ""} TABLE${mayExist ? " IF NOT EXISTS" : ""}`
  const object = temporary ? temporaryObject(name) : permanentObject(name)
  return ddl(parsing, {
    verb: "CREATE",
    object: "TABLE",
    name,
    temporary,
    transient,
    sql: `${create} ${object}${columns}${as}`,
    message: `Table ${name.name} successfully created.`,
    ...(clusterBy === undefined ? {} : { clusterBy })
  })
}

const columnDefinitions = (parsing: Parsing): string => {
  const { reader } = parsing
  const all: Array<string> = []
  reader.expect("(")
  do all.push(columnDefinition(parsing))
  while (reader.take(","))
  reader.expect(")")
  return ` (${all.join(", ")})`
}

/** Reads a column's name, type and constraint. */
export const columnDefinition = (parsing: Parsing): string => {
  const { reader } = parsing
  const name = identifier(nameOf(reader))
  const { duckdb, family, name: type } = readType(reader)
  if (family === "variant" || family === "array") throw unsupported(`a column of type ${type}`)
  const isRequired = reader.take("NOT", "NULL")
  if (reader.take("COMMENT")) reader.string()
  return `${name} ${duckdb}${isRequired ? " NOT NULL" : ""}`
}

/** Properties of tables that change no result; the clustering key is returned. */
const tableOptions = (parsing: Parsing): string | undefined => {
  const { reader } = parsing
  let clusterBy: string | undefined
  for (;;) {
    if (reader.take("CLUSTER", "BY")) clusterBy = reader.parenthesised()
    else if (reader.take("DATA_RETENTION_TIME_IN_DAYS", "=")) reader.number()
    else if (reader.take("COMMENT", "=")) reader.string()
    else return clusterBy
  }
}

const createView = (parsing: Parsing, { replaces, mayExist }: How): Ddl => {
  const { reader } = parsing
  const name = reader.objectName()
  if (reader.take("COMMENT", "=")) reader.string()
  reader.expect("AS")
  const body = query(parsing)
  return ddl(parsing, {
    verb: "CREATE",
    object: "VIEW",
    name,
    sql: `CREATE${replaces ? " OR REPLACE" : ""} VIEW${mayExist ? " IF NOT EXISTS" : ""} ${permanentObject(name)} AS ${body}`,
    message: `View ${name.name} successfully created.`
  })
}

const schemaOf = (parsing: Parsing): ObjectName => {
  const { database, schema } = parsing.reader.schemaName()
  return { database, schema, name: schema }
}

const createSchema = (parsing: Parsing, { mayExist, transient }: How): Ddl => {
  const name = schemaOf(parsing)
  tableOptions(parsing)
  const sql = `CREATE SCHEMA${mayExist ? " IF NOT EXISTS" : ""} ${schemaObject(name.database, name.schema)}`
  return ddl(parsing, {
    verb: "CREATE",
    object: "SCHEMA",
    name,
    transient,
    sql,
    message: `Schema ${name.name} successfully created.`
  })
}

const databaseOf = ({ reader }: Parsing): ObjectName => {
  const name = nameOf(reader)
  return { database: name, schema: "PUBLIC", name }
}

/** A database in memory, with the schema that each has. */
const createDatabase = (parsing: Parsing, { mayExist, transient }: How): Ddl => {
  const name = databaseOf(parsing)
  tableOptions(parsing)
  const sql = `ATTACH${mayExist ? " IF NOT EXISTS" : ""} ':memory:' AS ${identifier(name.name)}; CREATE SCHEMA IF NOT EXISTS ${schemaObject(name.name, "PUBLIC")}`
  return ddl(parsing, {
    verb: "CREATE",
    object: "DATABASE",
    name,
    transient,
    sql,
    message: `Database ${name.name} successfully created.`
  })
}

/** DROP of a table, view, schema or database; `undefined` for any other object. */
export const drop = (parsing: Parsing): Ddl | undefined => {
  const { reader, session } = parsing
  const object = (["TABLE", "VIEW", "SCHEMA", "DATABASE"] as const).find((candidate) => reader.is("DROP", candidate))
  if (object === undefined) return undefined
  reader.expect("DROP", object)
  const ifExists = reader.take("IF", "EXISTS") ? " IF EXISTS" : ""
  const name =
    object === "SCHEMA" ? schemaOf(parsing) : object === "DATABASE" ? databaseOf(parsing) : reader.objectName()
  if (reader.is("CASCADE") || reader.is("RESTRICT")) reader.next()
  const sql = {
    TABLE: `DROP TABLE${ifExists} ${locate(parsing, name)}`,
    VIEW: `DROP VIEW${ifExists} ${permanentObject(name)}`,
    SCHEMA: `DROP SCHEMA${ifExists} ${schemaObject(name.database, name.schema)} CASCADE`,
    DATABASE: `DETACH DATABASE${ifExists} ${identifier(name.name)}`
  }[object]
  const temporary = object === "TABLE" && isTemporary(session.temporary, name)
  return ddl(parsing, { verb: "DROP", object, name, temporary, sql, message: `${name.name} successfully dropped.` })
}

/** Whether the session has a temporary table of the name. */
export const isTemporary = (temporary: ReadonlySet<string>, name: ObjectName): boolean => temporary.has(objectKey(name))

/** TRUNCATE [TABLE] [IF EXISTS]. */
export const truncate = (parsing: Parsing): Ddl => {
  const { reader, session } = parsing
  reader.expect("TRUNCATE")
  reader.take("TABLE")
  const name = reader.objectName()
  const sql = `TRUNCATE ${locate(parsing, name)}`
  return ddl(parsing, { verb: "TRUNCATE", object: "TABLE", name, temporary: isTemporary(session.temporary, name), sql })
}
