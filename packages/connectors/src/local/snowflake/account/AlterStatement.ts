import type { Account } from "./Account.ts"
import { requireOwned } from "./Authorisation.ts"
import { nameOf, securableNamed } from "./GrantStatement.ts"
import { denied, notFound, type Securable, shown } from "./Securable.ts"
import {
  kindOf,
  kinds,
  monitorSettings,
  propertiesOf,
  requireStage,
  set,
  title,
  warehouseProperties,
  warehouseSettings
} from "./Settings.ts"
import { type SessionState, SnowflakeError } from "../Statement.ts"
import type { TokenReader } from "../sql/TokenReader.ts"

/** Runs ALTER after its first word, for all but what is the engine's: columns and names of tables. */
export const alter = (account: Account, session: SessionState, reader: TokenReader): string => {
  if (reader.take("TABLE")) return alterTable(account, session, reader)
  if (reader.take("ACCOUNT")) return alterAccount(account, session, reader)
  const words = reader.oneOf(...kinds)
  const kind = kindOf(words)
  const onlyIfThere = reader.take("IF", "EXISTS")
  const securable = account.securables.find(kind, nameOf(reader, kind))
  if (securable === undefined && onlyIfThere) return "Statement executed successfully."
  if (securable === undefined) throw notFound(title(words), "")
  requireAlter(account, session, securable, reader.is("RESUME") || reader.is("SUSPEND") ? "OPERATE" : "MODIFY")
  alterObject(account, session, reader, securable)
  reader.end()
  return "Statement executed successfully."
}

const requireAlter = (account: Account, session: SessionState, securable: Securable, privilege: string): void => {
  if (!account.grants.sees(session.role, securable)) throw notFound(title(securable.kind), securable.name)
  if (!account.grants.has(session.role, securable, privilege)) throw denied(securable.kind, securable.label)
}

const alterObject = (account: Account, session: SessionState, reader: TokenReader, securable: Securable): void => {
  const warehouse = account.warehouses.get(securable.name)
  if (securable.kind === "WAREHOUSE" && warehouse !== undefined) {
    if (reader.take("RESUME")) {
      reader.take("IF", "SUSPENDED")
      return warehouse.resume()
    }
    if (reader.take("SUSPEND")) return warehouse.suspend()
    reader.expect("SET")
    return warehouseSettings(account, reader.properties(...warehouseProperties))(securable, warehouse)
  }
  if (securable.kind === "RESOURCE MONITOR") return monitorSettings(account, reader)(securable)
  reader.expect("SET")
  if (securable.kind === "MASKING POLICY") {
    if (reader.take("BODY")) {
      if (!reader.take("->")) reader.expect("-", ">")
      securable.properties.set("BODY", reader.rest())
      return
    }
    return set(account, securable, reader.properties("COMMENT"))
  }
  const properties = reader.properties(...propertiesOf(securable.kind))
  if (securable.kind === "STAGE" && properties.has("URL")) {
    const kept = securable.properties.get("STORAGE_INTEGRATION")
    const integration =
      properties.get("STORAGE_INTEGRATION") ?? (kept === undefined ? undefined : { kind: "word" as const, text: kept })
    requireStage(
      account,
      session,
      new Map([...properties, ...(integration === undefined ? [] : [["STORAGE_INTEGRATION", integration] as const])])
    )
  }
  set(account, securable, properties)
}

const alterAccount = (account: Account, session: SessionState, reader: TokenReader): string => {
  reader.expect("SET", "RESOURCE_MONITOR", "=")
  const name = shown(reader.name())
  reader.end()
  if (!account.grants.inherited(session.role).has("ACCOUNTADMIN")) throw denied("account", account.name)
  const monitor = account.monitors.get(name)
  if (monitor === undefined) throw notFound("Resource monitor", name)
  for (const each of account.monitors.values()) each.isAccount = each === monitor
  return "Statement executed successfully."
}

/** Masking policies and clustering of a table; all else about tables is the engine's. */
const alterTable = (account: Account, session: SessionState, reader: TokenReader): string => {
  const table = securableNamed(account, session, reader, "TABLE")
  if (reader.take("CLUSTER", "BY")) {
    requireOwned(account, session, table, "Object", table.name)
    table.properties.set("CLUSTER_BY", `LINEAR${reader.parenthesised()}`)
  } else if (reader.take("DROP", "CLUSTERING", "KEY")) {
    requireOwned(account, session, table, "Object", table.name)
    table.properties.delete("CLUSTER_BY")
  } else {
    mask(account, session, reader, table)
  }
  reader.end()
  return "Statement executed successfully."
}

const mask = (account: Account, session: SessionState, reader: TokenReader, table: Securable): void => {
  if (!reader.take("MODIFY")) reader.expect("ALTER")
  reader.take("COLUMN")
  const column = reader.name()
  const masks = account.masks.get(table.name) ?? new Map<string, string>()
  const owns = account.grants.inherited(session.role).has(table.owner)
  if (!owns && !account.grants.has(session.role, account.root, "APPLY MASKING POLICY"))
    throw denied("table", table.label)
  if (reader.take("UNSET", "MASKING", "POLICY")) {
    masks.delete(column)
  } else {
    reader.expect("SET", "MASKING", "POLICY")
    const policy = securableNamed(account, session, reader, "MASKING POLICY")
    const replaces = reader.take("FORCE")
    if (masks.has(column) && !replaces) {
      throw new SnowflakeError(
        "003005",
        "23001",
        `Specified column already attached to another masking policy. A column cannot be attached to multiple masking policies. Please drop the current association in order to attach a new masking policy.`
      )
    }
    masks.set(column, policy.name)
  }
  account.masks.set(table.name, masks)
}
