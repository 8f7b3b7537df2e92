import { type ObjectName, SnowflakeError } from "../Statement.ts"

/** Kinds of objects that grants are made on and shown of. */
export const objectKinds = [
  "WAREHOUSE",
  "RESOURCE MONITOR",
  "INTEGRATION",
  "DATABASE",
  "SCHEMA",
  "TABLE",
  "VIEW",
  "STAGE",
  "FILE FORMAT",
  "MASKING POLICY"
] as const

/** Everything in an account that has an owner. */
export const kinds = ["USER", "ROLE", ...objectKinds] as const

/** What privileges are granted on. Tables and views share one namespace. */
export type Kind = "ACCOUNT" | (typeof kinds)[number]

/** An object of the account. `name` is qualified and quoted as SHOW GRANTS prints it. */
export interface Securable {
  readonly kind: Kind
  readonly name: string
  /** The last part of the name, as Snowflake keeps it. */
  readonly label: string
  readonly database: string | undefined
  readonly schema: string | undefined
  readonly createdMs: number
  owner: string
  comment: string
  /** What else was set, by upper-case property name. */
  readonly properties: Map<string, string>
}

/** Kinds that live in a schema, with the plural that statements name them by. */
export const schemaKinds: ReadonlyMap<string, Kind> = new Map([
  ["TABLES", "TABLE"],
  ["VIEWS", "VIEW"],
  ["STAGES", "STAGE"],
  ["FILE FORMATS", "FILE FORMAT"],
  ["MASKING POLICIES", "MASKING POLICY"]
])

/** Privileges that can be granted, by kind; what is not here is refused. */
export const privilegesOf: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  ACCOUNT: [
    "APPLY MASKING POLICY",
    "CREATE DATABASE",
    "CREATE INTEGRATION",
    "CREATE ROLE",
    "CREATE USER",
    "CREATE WAREHOUSE",
    "MANAGE GRANTS",
    "MONITOR USAGE"
  ],
  USER: ["MONITOR"],
  ROLE: [],
  WAREHOUSE: ["MODIFY", "MONITOR", "OPERATE", "USAGE"],
  "RESOURCE MONITOR": ["MODIFY", "MONITOR"],
  INTEGRATION: ["USAGE"],
  DATABASE: ["CREATE SCHEMA", "MODIFY", "MONITOR", "USAGE"],
  SCHEMA: [
    "CREATE FILE FORMAT",
    "CREATE MASKING POLICY",
    "CREATE STAGE",
    "CREATE TABLE",
    "CREATE VIEW",
    "MODIFY",
    "MONITOR",
    "USAGE"
  ],
  TABLE: ["DELETE", "INSERT", "REFERENCES", "SELECT", "TRUNCATE", "UPDATE"],
  VIEW: ["REFERENCES", "SELECT"],
  STAGE: ["READ", "USAGE", "WRITE"],
  "FILE FORMAT": ["USAGE"],
  "MASKING POLICY": ["APPLY"]
}

/** A part of a name as SHOW GRANTS prints it. */
export const shown = (part: string): string =>
  /^[A-Z_][A-Z0-9_$]*$/.test(part) ? part : `"${part.replaceAll('"', '""')}"`

/** A qualified name as SHOW GRANTS prints it. */
export const qualified = ({ database, schema, name }: ObjectName): string =>
  [database, schema, name].map(shown).join(".")

/** The objects of an account by kind and name. */
export class Securables {
  readonly #objects = new Map<string, Securable>()

  find(kind: Kind, name: string): Securable | undefined {
    return this.#objects.get(`${kind} ${name}`)
  }

  /** A table or a view. */
  relation(name: ObjectName): Securable | undefined {
    return this.find("TABLE", qualified(name)) ?? this.find("VIEW", qualified(name))
  }

  add(securable: Omit<Securable, "properties"> & { readonly properties?: Map<string, string> }): Securable {
    const added = { ...securable, properties: securable.properties ?? new Map<string, string>() }
    this.#objects.set(`${added.kind} ${added.name}`, added)
    return added
  }

  remove({ kind, name }: Securable): void {
    this.#objects.delete(`${kind} ${name}`)
  }

  /** All of a kind, in the order of their names. */
  of(kind: Kind): ReadonlyArray<Securable> {
    return [...this.#objects.values()]
      .filter((securable) => securable.kind === kind)
      .toSorted((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** Everything in a database, or in one schema of it. */
  within(database: string, schema?: string): ReadonlyArray<Securable> {
    return [...this.#objects.values()].filter(
      (securable) => securable.database === database && (schema === undefined || securable.schema === schema)
    )
  }
}

/** The object is not there, or this role may not know that it is. */
export const notFound = (kind: string, name: string): SnowflakeError =>
  new SnowflakeError(
    "002003",
    kind === "Object" ? "42S02" : "02000",
    `SQL compilation error:\n${kind} '${name}' does not exist or not authorized.`
  )

/** The role sees the object and may not do this with it. */
export const denied = (kind: string, name: string): SnowflakeError =>
  new SnowflakeError(
    "003001",
    "42501",
    `SQL access control error:\nInsufficient privileges to operate on ${kind.toLowerCase()} '${name}'.`
  )

export const exists = (name: string): SnowflakeError =>
  new SnowflakeError("002002", "42710", `SQL compilation error:\nObject '${name}' already exists.`)

/** Snowflake may know it; this server does not. */
export const unsupported = (feature: string): SnowflakeError =>
  new SnowflakeError("000002", "0A000", `Unsupported feature '${feature}'.`)
