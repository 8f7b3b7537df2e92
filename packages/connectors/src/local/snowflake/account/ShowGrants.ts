import type { Account } from "./Account.ts"
import type { Grant } from "./Grants.ts"
import { nameOf, securableNamed } from "./GrantStatement.ts"
import { kinds, notFound, objectKinds, type Securable, shown } from "./Securable.ts"
import { type Cells, instant, result } from "./Shown.ts"
import type { ResultTable, SessionState } from "../Statement.ts"
import type { TokenReader } from "../sql/TokenReader.ts"

const printedKind = (kind: string): string => kind.replaceAll(" ", "_")

const grantRow = (grant: Grant): Cells => ({
  created_on: instant(grant.createdMs),
  privilege: grant.privilege,
  granted_on: printedKind(grant.kind),
  name: grant.name,
  granted_to: "ROLE",
  grantee_name: grant.grantee,
  grant_option: String(grant.grantOption),
  granted_by: grant.grantedBy
})

const ownershipRow = ({ kind, name, owner, createdMs }: Securable): Cells =>
  grantRow({ privilege: "OWNERSHIP", kind, name, grantee: owner, grantedBy: owner, grantOption: true, createdMs })

/** SHOW GRANTS ON an object, TO a role or user, OF a role. */
export const showGrants = (account: Account, session: SessionState, reader: TokenReader): ResultTable => {
  if (reader.take("TO", "ROLE")) return result("GRANTS TO", grantsToRole(account, roleNamed(account, reader)))
  if (reader.take("OF", "ROLE") || reader.is("TO", "USER")) {
    const isUser = reader.take("TO", "USER")
    const name = isUser ? shown(reader.name()) : roleNamed(account, reader)
    const found = account.grants.memberships.filter(({ role: of, to, grantee }) =>
      isUser ? to === "USER" && grantee === name : of === name
    )
    return result(
      "GRANTS OF",
      found.map(({ role: of, to, grantee, grantedBy, createdMs }) => ({
        created_on: instant(createdMs),
        role: of,
        granted_to: to,
        grantee_name: grantee,
        granted_by: grantedBy
      }))
    )
  }
  reader.expect("ON")
  const securable = grantedOn(account, session, reader)
  reader.end()
  const granted = account.grants.all.filter(({ kind, name }) => kind === securable.kind && name === securable.name)
  const owned = securable.kind === "ACCOUNT" ? [] : [ownershipRow(securable)]
  return result("GRANTS TO", [...owned, ...granted.map(grantRow)])
}

const grantedOn = (account: Account, session: SessionState, reader: TokenReader): Securable => {
  if (reader.take("ACCOUNT")) return account.root
  const kind = reader.oneOf(...objectKinds)
  return securableNamed(account, session, reader, kind)
}

const grantsToRole = (account: Account, name: string): ReadonlyArray<Cells> => {
  const owned = kinds.flatMap((kind) => account.securables.of(kind)).filter(({ owner }) => owner === name)
  const roles = account.grants.memberships.filter(({ to, grantee }) => to === "ROLE" && grantee === name)
  return [
    ...owned.map(ownershipRow),
    ...account.grants.all.filter(({ grantee }) => grantee === name).map(grantRow),
    ...roles.map(({ role: of, grantedBy, createdMs }) =>
      grantRow({ privilege: "USAGE", kind: "ROLE", name: of, grantee: name, grantedBy, grantOption: false, createdMs })
    )
  ]
}

const roleNamed = (account: Account, reader: TokenReader): string => {
  const name = shown(reader.name())
  reader.end()
  if (account.securables.find("ROLE", name) === undefined) throw notFound("Role", name)
  return name
}

/** SHOW FUTURE GRANTS IN a schema or database, TO a role. */
export const showFuture = (account: Account, reader: TokenReader): ResultTable => {
  const isRole = reader.take("TO", "ROLE")
  if (!isRole) reader.expect("IN")
  const kind = isRole ? "ROLE" : reader.oneOf("DATABASE", "SCHEMA")
  const name = nameOf(reader, kind)
  reader.end()
  if (account.securables.find(kind, name) === undefined) throw notFound(isRole ? "Role" : "Schema", name)
  const found = account.grants.future.filter((future) =>
    isRole ? future.grantee === name : future.scope === kind && future.name === name
  )
  return result(
    "FUTURE GRANTS",
    found.map((future) => ({
      created_on: instant(future.createdMs),
      privilege: future.privilege,
      grant_on: printedKind(future.kind),
      name: `${future.name}.<${printedKind(future.kind)}>`,
      grant_to: "ROLE",
      grantee_name: future.grantee,
      grant_option: "false"
    }))
  )
}
