import type { Account } from "./Account.ts"
import { isReplacing } from "./Authorisation.ts"
import { decodeName } from "../sql/Names.ts"
import { qualified, type Securable, shown } from "./Securable.ts"
import type { SessionState, Statement } from "../Statement.ts"

/** What the engine defines: databases, schemas, tables and views. */
export type Ddl = Extract<Statement, { readonly _tag: "Ddl" }>

/** Registers what was created, replaced, altered, truncated or dropped; `text` is the statement as it came. */
export const define = (account: Account, session: SessionState, ddl: Ddl, text: string): void => {
  const { object, name, verb } = ddl
  const isDrop = verb === "DROP"
  if (object === "DATABASE") {
    const { name: database } = name
    return isDrop ? dropContainer(account, "DATABASE", shown(database)) : createDatabase(account, session, database)
  }
  if (object === "SCHEMA") {
    const { database, name: schema } = name
    if (isDrop) return dropContainer(account, "SCHEMA", `${shown(database)}.${shown(schema)}`)
    return createSchema(account, session, database, schema)
  }
  if (ddl.temporary) {
    if (verb !== "ALTER") account.forgetLoads(`${session.id} ${qualified(name)}`)
    return
  }
  const found = account.securables.relation(name)
  if (verb === "TRUNCATE") account.forgetLoads(qualified(name))
  if (isDrop && found !== undefined) account.drop(found)
  if (verb === "ALTER" && found !== undefined) alterColumns(account, found, ddl.sql)
  if (verb === "CREATE") createRelation(account, session, ddl, text)
}

/** A new database has a schema PUBLIC, and the session stands in it from then on. */
const createDatabase = (account: Account, session: SessionState, database: string): void => {
  if (account.securables.find("DATABASE", shown(database)) !== undefined) return
  account.create({ kind: "DATABASE", name: shown(database), label: database, owner: session.role })
  createSchema(account, session, database, "PUBLIC")
}

const createSchema = (account: Account, session: SessionState, database: string, schema: string): void => {
  const name = `${shown(database)}.${shown(schema)}`
  if (account.securables.find("SCHEMA", name) !== undefined) return
  account.create({ kind: "SCHEMA", name, label: schema, database, owner: session.role })
  session.database = database
  session.schema = schema
}

const createRelation = (account: Account, session: SessionState, ddl: Ddl, text: string): void => {
  const existing = account.securables.relation(ddl.name)
  if (existing !== undefined) {
    if (!isReplacing(ddl.sql)) return
    account.drop(existing)
  }
  const { database, schema, name } = ddl.name
  const kind = ddl.object === "VIEW" ? "VIEW" : "TABLE"
  const named = { kind, name: qualified(ddl.name), label: name, database, schema } as const
  const { properties } = account.create({ ...named, owner: session.role })
  if (ddl.transient) properties.set("TRANSIENT", "TRUE")
  if (ddl.clusterBy !== undefined) properties.set("CLUSTER_BY", `LINEAR${ddl.clusterBy}`)
  if (kind === "VIEW") properties.set("TEXT", text)
}

/** Masks follow a renamed column, and end with a dropped one. Renaming a table is refused by `authorise`. */
const alterColumns = (account: Account, table: Securable, sql: string): void => {
  const masks = account.masks.get(table.name)
  const [, before, after] = / (?:RENAME|DROP) COLUMN "([^"]+)"(?: TO "([^"]+)")?$/.exec(sql) ?? []
  const policy = masks?.get(decodeName(before ?? ""))
  if (masks === undefined || before === undefined || policy === undefined) return
  masks.delete(decodeName(before))
  if (after !== undefined) masks.set(decodeName(after), policy)
}

const dropContainer = (account: Account, kind: "DATABASE" | "SCHEMA", name: string): void => {
  const found = account.securables.find(kind, name)
  if (found === undefined) return
  const { securables } = account
  const inside = kind === "DATABASE" ? securables.within(found.label) : securables.within(found.database!, found.label)
  for (const each of [...inside, found]) account.drop(each)
}
