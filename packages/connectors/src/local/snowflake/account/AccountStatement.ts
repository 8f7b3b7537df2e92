import type { Account, DescribedColumn } from "./Account.ts"
import { requireCreateIn, requireOwned } from "./Authorisation.ts"
import { grantOrRevoke, nameOf } from "./GrantStatement.ts"
import { alter } from "./AlterStatement.ts"
import { describe, listStage } from "./Describe.ts"
import { show } from "./Show.ts"
import { definition, kindOf, kinds, title } from "./Settings.ts"
import { denied, exists, type Kind, qualified, shown } from "./Securable.ts"
import { type ObjectName, type ResultTable, type SessionState, SnowflakeError, type Token } from "../Statement.ts"
import { TokenReader } from "../sql/TokenReader.ts"

/** Whether a statement only shows. */
export const isReadOnly = (tokens: ReadonlyArray<Token>): boolean =>
  ["SHOW", "DESC", "DESCRIBE", "LIST", "LS"].includes(tokens[0]?.text ?? "")

/** Runs an account statement. */
export const run = async (
  account: Account,
  session: SessionState,
  tokens: ReadonlyArray<Token>,
  columnsOf: (name: ObjectName) => Promise<ReadonlyArray<DescribedColumn>>
): Promise<ResultTable> => {
  const reader = new TokenReader(tokens, session)
  const verb = reader.oneOf("CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "SHOW", "DESCRIBE", "DESC", "LIST", "LS")
  switch (verb) {
    case "SHOW":
      return show(account, session, reader)
    case "DESCRIBE":
    case "DESC":
      return describe(account, session, reader, columnsOf)
    case "LIST":
    case "LS":
      return listStage(account, session, reader)
    case "GRANT":
    case "REVOKE":
      return says(grantOrRevoke(account, session, reader, verb))
    case "CREATE":
      return says(create(account, session, reader))
    case "ALTER":
      return says(alter(account, session, reader))
    case "DROP":
      return says(drop(account, session, reader))
  }
}

const says = (message: string): ResultTable => ({
  columns: [{ name: "status", type: "text", nullable: true }],
  rows: [[message]]
})

const create = (account: Account, session: SessionState, reader: TokenReader): string => {
  const replaces = reader.take("OR", "REPLACE")
  const words = reader.oneOf(...kinds)
  const kind = kindOf(words)
  const onlyIfAbsent = reader.take("IF", "NOT", "EXISTS")
  const object =
    kind === "STAGE" || kind === "FILE FORMAT" || kind === "MASKING POLICY" ? reader.objectName() : undefined
  const label = object?.name ?? reader.name()
  const name = object === undefined ? shown(label) : qualified(object)
  requireCreate(account, session, kind, object)
  const existing = account.securables.find(kind, name)
  if (existing !== undefined && onlyIfAbsent) return `${label} already exists, statement succeeded.`
  if (existing !== undefined && !replaces) throw exists(name)
  if (existing !== undefined) requireOwned(account, session, existing, title(words), name)
  // Everything is read before anything changes, so that a refused statement leaves no trace.
  const build = definition(account, session, reader, kind)
  reader.end()
  if (existing !== undefined) account.drop(existing)
  const placed = object === undefined ? {} : { database: object.database, schema: object.schema }
  build(account.create({ kind, name, label, owner: session.role, ...placed }))
  return `${title(words)} ${label} successfully created.`
}

const requireCreate = (account: Account, session: SessionState, kind: Kind, object: ObjectName | undefined): void => {
  if (object !== undefined) return requireCreateIn(account, session, object, kind)
  if (kind === "RESOURCE MONITOR") {
    // Only account administrators can create resource monitors (CREATE RESOURCE MONITOR, access control).
    if (!account.grants.inherited(session.role).has("ACCOUNTADMIN")) throw denied("account", account.name)
    return
  }
  account.requireGlobal(session, `CREATE ${kind}`)
}

const drop = (account: Account, session: SessionState, reader: TokenReader): string => {
  const words = reader.take("INTEGRATION") ? "STORAGE INTEGRATION" : reader.oneOf(...kinds)
  const kind = kindOf(words)
  const onlyIfThere = reader.take("IF", "EXISTS")
  const name = nameOf(reader, kind)
  reader.end()
  const securable = account.securables.find(kind, name)
  if (securable === undefined && onlyIfThere) return "Drop statement executed successfully."
  requireOwned(account, session, securable, title(words), name)
  if (kind === "MASKING POLICY" && [...account.masks.values()].some((masks) => [...masks.values()].includes(name))) {
    throw new SnowflakeError(
      "003017",
      "23001",
      `Policy ${name} cannot be dropped/replaced as it is associated with one or more entities.`
    )
  }
  account.drop(securable!)
  return `${securable!.label} successfully dropped.`
}
