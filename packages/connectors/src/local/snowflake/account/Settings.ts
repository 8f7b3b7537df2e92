import type { Account } from "./Account.ts"
import { type Kind, notFound, type Securable, unsupported } from "./Securable.ts"
import { type SessionState, SnowflakeError } from "../Statement.ts"
import type { Property, TokenReader } from "../sql/TokenReader.ts"
import { sizeOf, VirtualWarehouse } from "./VirtualWarehouse.ts"

/** Kinds that account statements create, alter and drop. */
export const kinds = [
  "ROLE",
  "USER",
  "WAREHOUSE",
  "RESOURCE MONITOR",
  "MASKING POLICY",
  "STAGE",
  "FILE FORMAT",
  "STORAGE INTEGRATION"
] as const

/** Storage integrations are integrations; all other kinds are called so. */
export const kindOf = (words: (typeof kinds)[number]): Kind => (words === "STORAGE INTEGRATION" ? "INTEGRATION" : words)

/** A kind as messages name it. */
export const title = (words: string): string => words.charAt(0) + words.slice(1).toLowerCase()

/** Reads what follows the name of a new object; the returned function puts it into effect. */
export const definition = (
  account: Account,
  session: SessionState,
  reader: TokenReader,
  kind: Kind
): ((added: Securable) => void) => {
  switch (kind) {
    case "WAREHOUSE": {
      reader.take("WITH")
      const properties = reader.properties(...warehouseProperties, "INITIALLY_SUSPENDED")
      const warehouse = new VirtualWarehouse(account.nowMs)
      const apply = warehouseSettings(account, properties)
      return (added) => {
        account.warehouses.set(added.name, warehouse)
        apply(added, warehouse)
        if (word(properties.get("INITIALLY_SUSPENDED")) !== "TRUE") warehouse.resume()
        // Documented: a new warehouse is the session's from then on.
        session.warehouse = added.label
      }
    }
    case "RESOURCE MONITOR":
      return monitorSettings(account, reader)
    case "MASKING POLICY":
      return policyBody(reader)
    default: {
      const properties = reader.properties(...propertiesOf(kind))
      if (kind === "STAGE") requireStage(account, session, properties)
      return (added) => set(account, added, properties)
    }
  }
}

/** Properties of a warehouse that may be changed. */
export const warehouseProperties = [
  "WAREHOUSE_SIZE",
  "AUTO_SUSPEND",
  "AUTO_RESUME",
  "RESOURCE_MONITOR",
  "STATEMENT_TIMEOUT_IN_SECONDS",
  "COMMENT"
]

/** Properties that an object of a kind may have. */
export const propertiesOf = (kind: Kind): ReadonlyArray<string> => {
  switch (kind) {
    case "ROLE":
      return ["COMMENT"]
    case "USER":
      return ["RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2", "DEFAULT_ROLE", "DEFAULT_WAREHOUSE", "TYPE", "DISABLED", "COMMENT"]
    case "STAGE":
      return ["URL", "STORAGE_INTEGRATION", "FILE_FORMAT", "COMMENT"]
    case "FILE FORMAT":
      return [
        "TYPE",
        "COMPRESSION",
        "NULL_IF",
        "BINARY_AS_TEXT",
        "USE_LOGICAL_TYPE",
        "USE_VECTORIZED_SCANNER",
        "COMMENT"
      ]
    case "INTEGRATION":
      return ["TYPE", "STORAGE_PROVIDER", "STORAGE_AWS_ROLE_ARN", "ENABLED", "STORAGE_ALLOWED_LOCATIONS", "COMMENT"]
    default:
      return []
  }
}

const word = (property: Property | undefined): string | undefined =>
  property === undefined || property.kind === "list" || property.kind === "properties"
    ? undefined
    : property.text.toUpperCase()

/** A property as DESCRIBE prints it. */
const printed = (property: Property): string => {
  if (property.kind === "list") return property.items.join(",")
  if (property.kind === "properties")
    return [...property.properties].map(([name, value]) => `${name}=${printed(value)}`).join(" ")
  return property.kind === "word" ? property.text.toUpperCase() : property.text
}

/** Keeps properties that have no effect of their own. */
export const set = (account: Account, securable: Securable, properties: ReadonlyMap<string, Property>): void => {
  for (const [name, property] of properties) {
    if (name === "COMMENT") securable.comment = printed(property)
    else if (name === "RSA_PUBLIC_KEY" || name === "RSA_PUBLIC_KEY_2")
      account.setKey(securable.label, name, printed(property))
    else securable.properties.set(name, printed(property))
  }
}

/** Reads a warehouse's properties; the returned function puts them into effect. */
export const warehouseSettings = (account: Account, properties: ReadonlyMap<string, Property>) => {
  const size = properties.get("WAREHOUSE_SIZE")
  const sized = size === undefined ? undefined : sizeOf(printed(size))
  const suspend = word(properties.get("AUTO_SUSPEND"))
  const monitor = word(properties.get("RESOURCE_MONITOR"))
  if (monitor !== undefined && monitor !== "NULL" && !account.monitors.has(monitor))
    throw notFound("Resource monitor", monitor)
  return (securable: Securable, warehouse: VirtualWarehouse): void => {
    if (sized !== undefined && sized !== warehouse.size) warehouse.resize(sized)
    if (suspend !== undefined) warehouse.autoSuspendSeconds = suspend === "NULL" ? 0 : Number(suspend)
    if (properties.has("AUTO_RESUME")) warehouse.autoResume = word(properties.get("AUTO_RESUME")) === "TRUE"
    if (monitor !== undefined) warehouse.resourceMonitor = monitor === "NULL" ? undefined : monitor
    const comment = properties.get("COMMENT")
    if (comment !== undefined) securable.comment = printed(comment)
    const timeout = properties.get("STATEMENT_TIMEOUT_IN_SECONDS")
    if (timeout !== undefined) securable.properties.set("STATEMENT_TIMEOUT_IN_SECONDS", printed(timeout))
  }
}

/** Reads a monitor's quota and triggers; the returned function puts them into effect. */
export const monitorSettings = (account: Account, reader: TokenReader): ((monitor: Securable) => void) => {
  reader.take("WITH")
  reader.take("SET")
  const properties = reader.properties("CREDIT_QUOTA", "FREQUENCY", "START_TIMESTAMP")
  const triggers: Array<{ percent: number; action: "NOTIFY" | "SUSPEND" | "SUSPEND_IMMEDIATE" }> = []
  if (reader.take("TRIGGERS")) {
    do {
      reader.expect("ON")
      const percent = reader.number()
      reader.expect("PERCENT", "DO")
      triggers.push({ percent, action: reader.oneOf("NOTIFY", "SUSPEND", "SUSPEND_IMMEDIATE") })
    } while (reader.is("ON"))
  }
  const quota = word(properties.get("CREDIT_QUOTA"))
  const frequency = word(properties.get("FREQUENCY"))
  return ({ name }) => {
    const before = account.monitors.get(name)
    account.monitors.set(name, {
      quota: quota === undefined ? before?.quota : Number(quota),
      frequency: frequency ?? before?.frequency ?? "MONTHLY",
      triggers: triggers.length > 0 ? triggers : (before?.triggers ?? []),
      isAccount: before?.isAccount ?? false
    })
  }
}

/** `AS (val VARCHAR) RETURNS VARCHAR -> body`. */
const policyBody = (reader: TokenReader): ((policy: Securable) => void) => {
  reader.expect("AS")
  const signature = reader.parenthesised()
  reader.expect("RETURNS")
  const type = reader.name()
  if (!reader.take("->")) reader.expect("-", ">")
  const body = reader.rest()
  return ({ properties }) => {
    properties.set("SIGNATURE", signature)
    properties.set("RETURNS", type)
    properties.set("BODY", body)
  }
}

/** Refuses a stage that the role may not make: internal, of another scheme, or outside of its integration. */
export const requireStage = (
  account: Account,
  session: SessionState,
  properties: ReadonlyMap<string, Property>
): void => {
  const url = properties.get("URL")
  if (url?.kind !== "text") throw unsupported("internal stages")
  if (!/^(s3|file):\/\//.test(url.text)) {
    throw new SnowflakeError("001011", "42601", `SQL compilation error:\ninvalid URL prefix found in: '${url.text}'`)
  }
  const integration = word(properties.get("STORAGE_INTEGRATION"))
  if (integration === undefined) return
  const found = account.securables.find("INTEGRATION", integration)
  if (found === undefined || !account.grants.has(session.role, found, "USAGE"))
    throw notFound("Integration", integration)
  const allowed = found.properties.get("STORAGE_ALLOWED_LOCATIONS")?.split(",") ?? []
  if (!allowed.some((location) => location === "*" || url.text.startsWith(location))) {
    throw new SnowflakeError(
      "003040",
      "22023",
      `SQL compilation error:\nLocation '${url.text}' is not allowed by integration ${integration}. Please use DESC INTEGRATION to check out allowed and blocked locations.`
    )
  }
}
