/**
 * The roles of people and programs. Only the publisher writes curated tables; no person has it. It has the loader's role, by
 * which segments are read from the stage; whoever has that alone can look at what landed, and not at what was curated.
 */
export type Role = "loader" | "publisher" | "finance" | "operations" | "support" | "auditor"

/** A privilege that a role has on an object; all names as SHOW GRANTS prints them. */
export interface Grant {
  readonly role: string
  readonly privilege: string
  /** As SHOW GRANTS prints it: `FILE_FORMAT`. */
  readonly kind: "DATABASE" | "SCHEMA" | "WAREHOUSE" | "TABLE" | "VIEW" | "STAGE" | "FILE_FORMAT" | "ROLE"
  readonly name: string
}

/** The account's name of a role. */
export const roleName = (role: Role): string => `NORTHSTAR_${role.toUpperCase()}`

/**
 * What the publisher does to each control table. The ledgers (`runs`, `costs`) are only added to; `batches` are also marked
 * as taken back, quarantined rows as resolved. A rollback takes the floors, findings and quarantined rows of its batch away.
 */
const ledger: Readonly<Record<string, ReadonlyArray<string>>> = {
  TABLES: ["SELECT", "UPDATE"],
  WATERMARKS: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  BATCHES: ["SELECT", "INSERT", "UPDATE"],
  QUARANTINE: ["SELECT", "INSERT", "UPDATE", "DELETE"],
  FLOORS: ["SELECT", "INSERT", "DELETE"],
  FINDINGS: ["SELECT", "INSERT", "DELETE"],
  HELD: ["SELECT", "INSERT", "DELETE"]
}

/** A control table that is not named above is a ledger. */
const appendOnly: ReadonlyArray<string> = ["SELECT", "INSERT"]

/** Control tables without values of rows: what operations may read. */
const operational = new Set(["TABLES", "WATERMARKS", "BATCHES", "FINDINGS", "FLOORS", "HELD", "RUNS", "COSTS"])

/** Rollback takes rows out of history: nothing is ever updated there. */
const onHistory: ReadonlyArray<string> = ["SELECT", "INSERT", "DELETE"]
const onCurated: ReadonlyArray<string> = ["SELECT", "INSERT", "UPDATE", "DELETE"]

/** Warehouses that each role works on. */
const warehouses: Readonly<Record<Role, ReadonlyArray<string>>> = {
  loader: ["LOAD", "BACKFILL"],
  publisher: ["LOAD", "TRANSFORM", "CLOSE", "BACKFILL"],
  finance: ["BI"],
  operations: ["BI"],
  support: ["BI"],
  auditor: ["BI"]
}

/** What is granted, given the account's tables and marts. */
export const grants = (objects: {
  readonly database: string
  readonly tables: ReadonlyArray<{ readonly schema: string; readonly name: string }>
  readonly marts: ReadonlyArray<{ readonly name: string; readonly readers: ReadonlyArray<Role> }>
}): ReadonlyArray<Grant> => {
  const { database, tables, marts } = objects
  const to = (role: Role, kind: Grant["kind"], name: string, ...privileges: ReadonlyArray<string>) =>
    privileges.map((privilege): Grant => ({ role: roleName(role), privilege, kind, name }))
  // Sound: the record names every role.
  const roles = Object.keys(warehouses) as Array<Role>
  return [
    ...roles.flatMap((role) => [
      ...to(role, "DATABASE", database, "USAGE"),
      ...schemasOf(role).flatMap((schema) => to(role, "SCHEMA", `${database}.${schema}`, "USAGE")),
      ...warehouses[role].flatMap((warehouse) => to(role, "WAREHOUSE", `NORTHSTAR_${warehouse}`, "USAGE"))
    ]),
    ...to("loader", "STAGE", `${database}.NORTHSTAR.LANDING`, "USAGE"),
    ...to("loader", "FILE_FORMAT", `${database}.NORTHSTAR.SEGMENT`, "USAGE"),
    ...to("publisher", "ROLE", roleName("loader"), "USAGE"),
    ...tables.flatMap(({ schema, name }) => {
      const full = `${database}.${schema}.${name}`
      const isControl = schema === "NORTHSTAR"
      const privileges = isControl
        ? (ledger[name] ?? appendOnly)
        : name.toUpperCase().endsWith("__HISTORY")
          ? onHistory
          : onCurated
      return [
        ...to("publisher", "TABLE", full, ...privileges),
        ...to("auditor", "TABLE", full, "SELECT"),
        ...(isControl && operational.has(name) ? to("operations", "TABLE", full, "SELECT") : []),
        ...(isControl && (name === "TABLES" || name === "WATERMARKS") ? to("loader", "TABLE", full, "SELECT") : [])
      ]
    }),
    ...marts.flatMap(({ name, readers }) =>
      readers.flatMap((role) => to(role, "VIEW", `${database}.MARTS.${name}`, "SELECT"))
    )
  ]
}

const schemasOf = (role: Role): ReadonlyArray<string> => {
  switch (role) {
    case "loader":
      return ["NORTHSTAR"]
    case "publisher":
      return ["NORTHSTAR", "CURATED", "MARTS"]
    case "auditor":
      return ["NORTHSTAR", "CURATED", "MARTS"]
    case "operations":
      return ["NORTHSTAR", "MARTS"]
    case "finance":
    case "support":
      return ["MARTS"]
  }
}
