import type { Account } from "./Account.ts"
import { securableNamed } from "./GrantStatement.ts"
import { type Kind, schemaKinds, type Securable } from "./Securable.ts"
import { showFuture, showGrants } from "./ShowGrants.ts"
import { type Cells, instant, result, type Showing } from "./Shown.ts"
import type { ResultTable, SessionState } from "../Statement.ts"
import type { TokenReader } from "../sql/TokenReader.ts"

/** Runs SHOW after its first word. A role sees what it has a privilege on. */
export const show = (account: Account, session: SessionState, reader: TokenReader): ResultTable => {
  reader.take("TERSE")
  if (reader.take("GRANTS")) return showGrants(account, session, reader)
  if (reader.take("FUTURE", "GRANTS")) return showFuture(account, reader)
  const what = reader.oneOf(
    "WAREHOUSES",
    "RESOURCE MONITORS",
    "ROLES",
    "USERS",
    "DATABASES",
    "SCHEMAS",
    "TABLES",
    "VIEWS",
    "STAGES",
    "FILE FORMATS",
    "MASKING POLICIES",
    "STORAGE INTEGRATIONS",
    "INTEGRATIONS"
  )
  const showing: Showing = what === "STORAGE INTEGRATIONS" ? "INTEGRATIONS" : what
  const matches = like(reader)
  const inside = scope(account, session, reader)
  reader.end()
  const kind = kindOf(showing)
  const found = account.securables
    .of(kind)
    .filter((each) => kind === "ROLE" || account.grants.sees(session.role, each))
    .filter((each) => matches(each.label) && inside(each))
  return result(
    showing,
    found.map((each) => ({ ...common(each), ...particulars(account, session, each) }))
  )
}

const kindOf = (showing: Showing): Kind => {
  const kind = schemaKinds.get(showing)
  if (kind !== undefined) return kind
  if (showing === "RESOURCE MONITORS") return "RESOURCE MONITOR"
  // Sound: what is left are plurals in S of account-level kinds.
  return showing.slice(0, -1) as Kind
}

const like = (reader: TokenReader): ((name: string) => boolean) => {
  if (!reader.take("LIKE")) return () => true
  const pattern = reader
    .string()
    .replaceAll(/[.*+?^${}()|[\]]/g, String.raw`\$&`)
    .replaceAll("\\\\_", "\u0000")
    .replaceAll("%", ".*")
    .replaceAll("_", ".")
    .replaceAll("\u0000", "_")
  const regex = new RegExp(`^${pattern}$`, "i")
  return (name) => regex.test(name)
}

/** `IN ACCOUNT`, `IN DATABASE d`, `IN SCHEMA s`; without it what the session stands in. */
const scope = (account: Account, session: SessionState, reader: TokenReader): ((securable: Securable) => boolean) => {
  const { database, schema } = session
  if (!reader.take("IN")) {
    return (each) =>
      each.database === undefined ||
      ((database === undefined || each.database === database) &&
        (each.schema === undefined || schema === undefined || each.schema === schema))
  }
  if (reader.take("ACCOUNT")) return () => true
  const kind = reader.take("DATABASE") ? "DATABASE" : "SCHEMA"
  if (kind === "SCHEMA") reader.take("SCHEMA")
  const container = securableNamed(account, session, reader, kind)
  return (each) =>
    kind === "DATABASE"
      ? each.database === container.label
      : each.database === container.database && each.schema === container.label
}

const common = (securable: Securable): Cells => ({
  created_on: instant(securable.createdMs),
  name: securable.label,
  owner: securable.owner,
  comment: securable.comment,
  database_name: securable.database ?? null,
  schema_name: securable.schema ?? null
})

const yesNo = (is: boolean): string => (is ? "Y" : "N")

const particulars = (account: Account, session: SessionState, securable: Securable): Cells => {
  const { kind, label, name, properties } = securable
  const property = (key: string): string => properties.get(key) ?? ""
  switch (kind) {
    case "WAREHOUSE":
      return warehouse(account, session, name)
    case "RESOURCE MONITOR":
      return monitor(account, name)
    case "ROLE":
      return role(account, session, name)
    case "USER":
      return {
        login_name: label,
        disabled: property("DISABLED") === "TRUE" ? "true" : "false",
        default_warehouse: property("DEFAULT_WAREHOUSE"),
        default_role: property("DEFAULT_ROLE"),
        has_rsa_public_key: properties.has("RSA_PUBLIC_KEY_FP") ? "true" : "false",
        type: property("TYPE")
      }
    case "DATABASE":
      return { is_default: "N", is_current: yesNo(session.database === label), retention_time: "1" }
    case "SCHEMA":
      return {
        is_default: "N",
        is_current: yesNo(session.schema === label && session.database === securable.database),
        retention_time: "1"
      }
    case "TABLE":
      return {
        kind: properties.has("TRANSIENT") ? "TRANSIENT" : "TABLE",
        cluster_by: property("CLUSTER_BY"),
        retention_time: "1"
      }
    case "VIEW":
      return { text: property("TEXT"), is_secure: "false" }
    case "STAGE":
      return {
        url: property("URL"),
        has_credentials: "N",
        cloud: property("URL").startsWith("s3:") ? "AWS" : null,
        type: "EXTERNAL",
        storage_integration: properties.get("STORAGE_INTEGRATION") ?? null
      }
    case "FILE FORMAT":
      return { type: property("TYPE"), format_options: JSON.stringify(Object.fromEntries(properties)) }
    case "MASKING POLICY":
      return { kind: "MASKING_POLICY" }
    case "INTEGRATION":
      return { type: property("TYPE"), category: "STORAGE", enabled: property("ENABLED").toLowerCase() }
    case "ACCOUNT":
      return {}
  }
}

const warehouse = (account: Account, session: SessionState, name: string): Cells => {
  const found = account.warehouses.get(name)!
  return {
    state: found.state,
    type: "STANDARD",
    size: found.size,
    min_cluster_count: "1",
    max_cluster_count: "1",
    started_clusters: found.state === "STARTED" ? "1" : "0",
    running: String(found.running),
    queued: "0",
    is_default: "N",
    is_current: yesNo(session.warehouse === name),
    auto_suspend: found.autoSuspendSeconds === 0 ? null : String(found.autoSuspendSeconds),
    auto_resume: String(found.autoResume),
    resumed_on: found.startedMs === undefined ? null : instant(found.startedMs),
    // The documented text of "none", not NULL.
    resource_monitor: found.resourceMonitor ?? "null"
  }
}

const monitor = (account: Account, name: string): Cells => {
  const found = account.monitors.get(name)!
  const used = account.creditsUsed(name)
  const at = (action: string): string | null => {
    const percents = found.triggers.filter((trigger) => trigger.action === action).map(({ percent }) => `${percent}%`)
    return percents.length === 0 ? null : percents.join(",")
  }
  const isAssigned = [...account.warehouses.values()].some(({ resourceMonitor }) => resourceMonitor === name)
  return {
    credit_quota: found.quota === undefined ? null : found.quota.toFixed(2),
    used_credits: used.toFixed(2),
    remaining_credits: found.quota === undefined ? null : (found.quota - used).toFixed(2),
    level: found.isAccount ? "ACCOUNT" : isAssigned ? "WAREHOUSE" : null,
    frequency: found.frequency,
    notify_at: at("NOTIFY"),
    suspend_at: at("SUSPEND"),
    suspend_immediately_at: at("SUSPEND_IMMEDIATE")
  }
}

const role = (account: Account, session: SessionState, name: string): Cells => {
  const { memberships } = account.grants
  const count = (to: "ROLE" | "USER") =>
    String(memberships.filter((membership) => membership.role === name && membership.to === to).length)
  return {
    is_default: "N",
    is_current: yesNo(session.role === name),
    is_inherited: yesNo(session.role !== name && account.grants.inherited(session.role).has(name)),
    assigned_to_users: count("USER"),
    granted_to_roles: count("ROLE"),
    granted_roles: String(memberships.filter(({ to, grantee }) => to === "ROLE" && grantee === name).length)
  }
}
