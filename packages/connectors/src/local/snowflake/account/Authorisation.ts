import type { Account } from "./Account.ts"
import { denied, exists, notFound, qualified, type Securable, shown, unsupported } from "./Securable.ts"
import {
  type Copy,
  type Dml,
  type ObjectName,
  type SessionState,
  SnowflakeError,
  type Statement
} from "../Statement.ts"

/** Refuses a statement that the session's role may not run; account statements are checked where they run. */
export const authorise = (account: Account, session: SessionState, statement: Statement): void => {
  switch (statement._tag) {
    case "Query":
      return requireReads(account, session, statement.reads)
    case "Dml":
      requireReads(
        account,
        session,
        statement.reads.filter((name) => qualified(name) !== qualified(statement.target))
      )
      return requireOnRelation(account, session, statement.target, privilegesFor(statement))
    case "Ddl":
      return requireDdl(account, session, statement)
    case "Copy":
      return requireCopy(account, session, statement)
    case "Session":
      return statement.verb === "USE" ? requireUse(account, session, statement.set) : undefined
    case "Transaction":
    case "Account":
      return undefined
  }
}

/** What a statement needs on its target; MERGE by the clauses it has. */
const privilegesFor = ({ verb, sql }: Dml): ReadonlyArray<string> => {
  if (verb !== "MERGE") return verb === "INSERT" ? ["INSERT"] : [verb, "SELECT"]
  const clauses = ["INSERT", "UPDATE", "DELETE"].filter((clause) =>
    new RegExp(`\\bTHEN\\s+${clause}\\b`, "i").test(sql)
  )
  return [...clauses, "SELECT"]
}

const requireReads = (account: Account, session: SessionState, reads: ReadonlyArray<ObjectName>): void => {
  for (const name of reads) requireOnRelation(account, session, name, ["SELECT"])
}

/** Usage of the name's database and schema. */
const canReach = (
  { grants, securables }: Account,
  { role }: SessionState,
  { database, schema }: ObjectName
): boolean => {
  const container = securables.find("DATABASE", shown(database))
  if (container === undefined || !grants.has(role, container, "USAGE")) return false
  if (schema === "INFORMATION_SCHEMA") return true
  const inner = securables.find("SCHEMA", `${shown(database)}.${shown(schema)}`)
  return inner !== undefined && grants.has(role, inner, "USAGE")
}

/** All the privileges on a table or view; one that the role has no privilege on does not exist for it. */
const requireOnRelation = (
  account: Account,
  session: SessionState,
  name: ObjectName,
  privileges: ReadonlyArray<string>
): void => {
  if (account.isTemporary(session, name)) return
  if (!canReach(account, session, name)) throw notFound("Object", qualified(name))
  if (name.schema === "INFORMATION_SCHEMA") return
  const relation = account.securables.relation(name)
  if (relation === undefined || !account.grants.sees(session.role, relation)) throw notFound("Object", qualified(name))
  const lacks = privileges.some((privilege) => !account.grants.has(session.role, relation, privilege))
  if (lacks) throw denied(relation.kind, relation.label)
}

/** An object of a schema that is not a table: a stage, a file format, a policy. */
export const requireInSchema = (
  account: Account,
  session: SessionState,
  kind: Securable["kind"],
  name: ObjectName,
  ...privileges: ReadonlyArray<string>
): Securable => {
  const word = kind.charAt(0) + kind.slice(1).toLowerCase()
  const found = canReach(account, session, name) ? account.securables.find(kind, qualified(name)) : undefined
  if (found === undefined || !account.grants.sees(session.role, found)) throw notFound(word, qualified(name))
  if (!account.grants.has(session.role, found, ...privileges)) throw denied(kind, found.label)
  return found
}

/** A schema in which the role may create objects of a kind. */
export const requireCreateIn = (account: Account, session: SessionState, name: ObjectName, kind: string): void => {
  const label = `${shown(name.database)}.${shown(name.schema)}`
  const schema = account.securables.find("SCHEMA", label)
  if (schema === undefined || !canReach(account, session, name)) throw notFound("Schema", label)
  if (!account.grants.has(session.role, schema, `CREATE ${kind}`)) throw denied("schema", schema.label)
}

/** Whether a rendered statement leaves it at that when the object is not there. */
const mayBeAbsent = (sql: string): boolean => /\bIF EXISTS\b/i.test(sql)

/** Whether a rendered CREATE takes the place of what is there. */
export const isReplacing = (sql: string): boolean => /^\s*CREATE\s+OR\s+REPLACE\b/i.test(sql)

const requireDdl = (
  account: Account,
  session: SessionState,
  ddl: Extract<Statement, { readonly _tag: "Ddl" }>
): void => {
  requireReads(account, session, ddl.reads)
  const { grants, securables } = account
  if (ddl.object === "DATABASE") {
    if (ddl.verb === "CREATE") return account.requireGlobal(session, "CREATE DATABASE")
    const named = securables.find("DATABASE", shown(ddl.name.name))
    if (named === undefined && mayBeAbsent(ddl.sql)) return
    return requireOwned(account, session, named, "Database", ddl.name.name)
  }
  if (ddl.object === "SCHEMA") {
    const database = securables.find("DATABASE", shown(ddl.name.database))
    if (database === undefined || !grants.has(session.role, database, "USAGE"))
      throw notFound("Database", ddl.name.database)
    const name = `${shown(ddl.name.database)}.${shown(ddl.name.name)}`
    const named = securables.find("SCHEMA", name)
    if (named === undefined && mayBeAbsent(ddl.sql)) return
    if (ddl.verb !== "CREATE") return requireOwned(account, session, named, "Schema", name)
    if (!grants.has(session.role, database, "CREATE SCHEMA")) throw denied("database", database.label)
    return
  }
  if (account.isTemporary(session, ddl.name)) return
  const existing = securables.relation(ddl.name)
  if (ddl.verb === "CREATE") return requireCreate(account, session, ddl, existing)
  if (existing === undefined && mayBeAbsent(ddl.sql)) return
  if (ddl.verb === "TRUNCATE") return requireOnRelation(account, session, ddl.name, ["TRUNCATE"])
  if (ddl.verb === "ALTER" && / RENAME TO "/.test(ddl.sql)) throw unsupported("renaming a table")
  requireOwned(account, session, existing, "Object", qualified(ddl.name))
}

const requireCreate = (
  account: Account,
  session: SessionState,
  ddl: Extract<Statement, { readonly _tag: "Ddl" }>,
  existing: Securable | undefined
): void => {
  // Temporary tables need no privilege beyond reaching the schema (Access control privileges, CREATE TABLE).
  if (ddl.temporary) {
    if (!canReach(account, session, ddl.name)) throw notFound("Schema", `${ddl.name.database}.${ddl.name.schema}`)
    return
  }
  requireCreateIn(account, session, ddl.name, ddl.object)
  if (existing === undefined) return
  if (isReplacing(ddl.sql)) return requireOwned(account, session, existing, "Object", existing.name)
  if (!/\bIF NOT EXISTS\b/i.test(ddl.sql)) throw exists(existing.name)
}

/** The role, or one it inherits, owns the object. */
export const requireOwned = (
  { grants }: Account,
  { role }: SessionState,
  securable: Securable | undefined,
  word: string,
  name: string
): void => {
  if (securable === undefined || !grants.sees(role, securable)) throw notFound(word, name)
  if (!grants.inherited(role).has(securable.owner)) throw denied(securable.kind, securable.label)
}

const requireCopy = (account: Account, session: SessionState, copy: Copy): void => {
  requireInSchema(account, session, "STAGE", copy.stage, "USAGE")
  requireOnRelation(account, session, copy.target, ["INSERT"])
}

/** USE of a role that the user lacks, or of what the role may not use. */
const requireUse = (account: Account, session: SessionState, set: ReadonlyMap<string, string>): void => {
  const role = set.get("ROLE")
  if (role !== undefined && !account.grants.rolesOf(shown(session.user)).has(role)) {
    const message = `SQL access control error:\nRequested role '${role}' is not assigned to the executing user. Specify another role to activate.`
    throw new SnowflakeError("003013", "42501", message)
  }
  const missing = (): SnowflakeError =>
    new SnowflakeError(
      "002043",
      "02000",
      "SQL compilation error:\nObject does not exist, or operation cannot be performed."
    )
  const requireUsage = (kind: Securable["kind"], name: string): void => {
    const found = account.securables.find(kind, name)
    if (found === undefined || !account.grants.sees(session.role, found)) throw missing()
  }
  const [warehouse, database, schema] = [
    set.get("WAREHOUSE"),
    set.get("DATABASE") ?? session.database,
    set.get("SCHEMA")
  ]
  if (warehouse !== undefined) requireUsage("WAREHOUSE", shown(warehouse))
  if (set.has("DATABASE")) requireUsage("DATABASE", shown(database!))
  if (schema !== undefined) {
    if (database === undefined) throw missing()
    requireUsage("SCHEMA", `${shown(database)}.${shown(schema)}`)
  }
}
