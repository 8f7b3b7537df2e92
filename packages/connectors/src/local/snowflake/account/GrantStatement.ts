import type { Account } from "./Account.ts"
import {
  denied,
  type Kind,
  kinds,
  notFound,
  privilegesOf,
  qualified,
  schemaKinds,
  type Securable,
  shown
} from "./Securable.ts"
import { type SessionState, SnowflakeError } from "../Statement.ts"
import type { TokenReader } from "../sql/TokenReader.ts"

/** Runs GRANT or REVOKE after its first word; gives what the answer says. */
export const grantOrRevoke = (
  account: Account,
  session: SessionState,
  reader: TokenReader,
  verb: "GRANT" | "REVOKE"
): string => {
  if (verb === "REVOKE" && reader.take("GRANT", "OPTION", "FOR")) throw reader.unexpected()
  if (reader.take("ROLE")) membership(account, session, reader, verb)
  else if (reader.take("OWNERSHIP")) ownership(account, session, reader)
  else privileges(account, session, reader, verb)
  return "Statement executed successfully."
}

const membership = (account: Account, session: SessionState, reader: TokenReader, verb: "GRANT" | "REVOKE"): void => {
  const role = account.visible(session, "ROLE", shown(reader.name()), "Role")
  reader.expect(verb === "GRANT" ? "TO" : "FROM")
  const to = reader.oneOf("ROLE", "USER")
  const name = shown(reader.name())
  reader.end()
  const grantee = account.securables.find(to, name)
  if (grantee === undefined) throw notFound(to === "ROLE" ? "Role" : "User", name)
  const mayGrant =
    account.grants.inherited(session.role).has(role.owner) ||
    account.grants.has(session.role, account.root, "MANAGE GRANTS")
  if (!mayGrant) throw denied("role", role.label)
  if (verb === "REVOKE") return account.grants.expel({ role: role.name, to, grantee: name })
  account.grants.enrol({ role: role.name, to, grantee: name, grantedBy: session.role, createdMs: account.nowMs() })
}

const ownership = (account: Account, session: SessionState, reader: TokenReader): void => {
  reader.expect("ON")
  const { targets } = target(account, session, reader)
  reader.expect("TO", "ROLE")
  const role = roleNamed(account, reader)
  const keeps = reader.take("COPY", "CURRENT", "GRANTS")
  if (!keeps) reader.take("REVOKE", "CURRENT", "GRANTS")
  reader.end()
  for (const securable of targets) {
    requireMayGrant(account, session, securable)
    if (!keeps) account.grants.forget(securable)
    securable.owner = role
  }
}

/** What privileges are granted on: objects that exist, or those of a kind that will. */
interface Target {
  readonly kind: Kind
  readonly targets: ReadonlyArray<Securable>
  readonly future: { readonly scope: "DATABASE" | "SCHEMA"; readonly name: string } | undefined
}

const privileges = (account: Account, session: SessionState, reader: TokenReader, verb: "GRANT" | "REVOKE"): void => {
  const named = privilegeList(reader)
  const { kind, targets, future } = target(account, session, reader)
  reader.expect(verb === "GRANT" ? "TO" : "FROM")
  reader.take("ROLE")
  const grantee = roleNamed(account, reader)
  const grantOption = verb === "GRANT" && reader.take("WITH", "GRANT", "OPTION")
  reader.end()
  const list = named === "ALL" ? privilegesOf[kind] : named
  const unknown = list.find((privilege) => !privilegesOf[kind].includes(privilege))
  if (unknown !== undefined) {
    throw new SnowflakeError(
      "003008",
      "0LP01",
      `SQL compilation error:\nInvalid privilege '${unknown}' for object type '${kind}'.`
    )
  }
  if (future !== undefined) {
    if (!account.grants.has(session.role, account.root, "MANAGE GRANTS")) throw denied(future.scope, future.name)
    for (const privilege of list) {
      const promise = { privilege, kind, ...future, grantee, createdMs: account.nowMs() }
      if (verb === "GRANT") account.grants.promise(promise)
      else account.grants.retract(promise)
    }
    return
  }
  for (const securable of targets) {
    requireMayGrant(account, session, securable)
    for (const privilege of list) {
      const grant = { privilege, kind: securable.kind, name: securable.name, grantee }
      if (verb === "REVOKE") account.grants.revoke(grant)
      else account.grants.grant({ ...grant, grantedBy: session.role, grantOption, createdMs: account.nowMs() })
    }
  }
}

/** The privileges up to ON, or ALL. */
const privilegeList = (reader: TokenReader): ReadonlyArray<string> | "ALL" => {
  if (reader.take("ALL")) {
    reader.take("PRIVILEGES")
    reader.expect("ON")
    return "ALL"
  }
  const list: Array<string> = []
  do {
    const words = [reader.name()]
    while (!reader.is(",") && !reader.is("ON")) words.push(reader.name())
    list.push(words.join(" "))
  } while (reader.take(","))
  reader.expect("ON")
  return list
}

const target = (account: Account, session: SessionState, reader: TokenReader): Target => {
  if (reader.take("ACCOUNT")) return { kind: "ACCOUNT", targets: [account.root], future: undefined }
  if (reader.take("FUTURE")) {
    const kind = pluralKind(reader)
    return { kind, targets: [], future: scope(account, reader) }
  }
  if (reader.take("ALL")) {
    const kind = pluralKind(reader)
    const { name } = scope(account, reader)
    const inside = account.securables.of(kind).filter((each) => each.name.startsWith(`${name}.`))
    return { kind, targets: inside, future: undefined }
  }
  const kind = reader.oneOf(...kinds)
  return { kind, targets: [securableNamed(account, session, reader, kind)], future: undefined }
}

/** The object of a kind that the next tokens name, if the role may know of it. */
export const securableNamed = (account: Account, session: SessionState, reader: TokenReader, kind: Kind): Securable => {
  const word = kind.charAt(0) + kind.slice(1).toLowerCase()
  const name = nameOf(reader, kind)
  const found = account.securables.find(kind, name)
  const knows =
    found !== undefined &&
    (account.grants.sees(session.role, found) || account.grants.has(session.role, account.root, "MANAGE GRANTS"))
  if (!knows) throw notFound(kind === "TABLE" || kind === "VIEW" ? "Object" : word, name)
  return found
}

/** The qualified name that the next tokens give for an object of a kind. */
export const nameOf = (reader: TokenReader, kind: Kind): string => {
  if (kind === "SCHEMA") {
    const { database, schema } = reader.schemaName()
    return `${shown(database)}.${shown(schema)}`
  }
  return [...schemaKinds.values()].includes(kind) ? qualified(reader.objectName()) : shown(reader.name())
}

const pluralKind = (reader: TokenReader): Kind => {
  if (reader.take("SCHEMAS")) return "SCHEMA"
  return schemaKinds.get(reader.oneOf("TABLES", "VIEWS", "STAGES", "FILE FORMATS"))!
}

/** `IN SCHEMA s` or `IN DATABASE d`. */
const scope = (
  account: Account,
  reader: TokenReader
): { readonly scope: "DATABASE" | "SCHEMA"; readonly name: string } => {
  reader.expect("IN")
  const kind = reader.oneOf("DATABASE", "SCHEMA")
  const name = nameOf(reader, kind)
  if (account.securables.find(kind, name) === undefined) throw notFound(kind === "SCHEMA" ? "Schema" : "Database", name)
  return { scope: kind, name }
}

const roleNamed = (account: Account, reader: TokenReader): string => {
  const name = shown(reader.name())
  if (account.securables.find("ROLE", name) === undefined) throw notFound("Role", name)
  return name
}

/** The owner, whoever may manage grants, or whoever was given the privilege with the right to pass it on. */
const requireMayGrant = (account: Account, session: SessionState, securable: Securable): void => {
  const { grants } = account
  const roles = grants.inherited(session.role)
  if (roles.has(securable.owner) || grants.has(session.role, account.root, "MANAGE GRANTS")) return
  const passesOn = grants.all.some(
    ({ kind, name, grantee, grantOption }) =>
      kind === securable.kind && name === securable.name && grantOption && roles.has(grantee)
  )
  if (!passesOn) throw denied(securable.kind, securable.label)
}
