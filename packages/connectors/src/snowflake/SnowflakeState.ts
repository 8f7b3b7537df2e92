import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Session, SqlValue } from "../warehouse/Warehouse.ts"
import type { DesiredState } from "./SnowflakeObjects.ts"

/** A row of SHOW or DESCRIBE by column name. */
type Row = Readonly<Record<string, SqlValue>>

/** What the account has of a project's objects, as SHOW and DESCRIBE print it. Names are in upper case. */
export interface CurrentState {
  readonly hasDatabase: boolean
  readonly schemas: ReadonlySet<string>
  readonly roles: ReadonlySet<string>
  readonly warehouses: ReadonlyMap<string, Row>
  readonly monitors: ReadonlyMap<string, Row>
  readonly integrations: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly stages: ReadonlyMap<string, Row>
  readonly formats: ReadonlySet<string>
  /** Bodies of masking policies by qualified name. */
  readonly policies: ReadonlyMap<string, string>
  /** Clustering keys by `SCHEMA.TABLE`. */
  readonly tables: ReadonlyMap<string, string>
  /** The statements that created views, by name. */
  readonly views: ReadonlyMap<string, string>
  /** Policies by `SCHEMA.TABLE` and column. */
  readonly masks: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Privileges by role and `grantKey`; strangers' rights to write our tables included. */
  readonly grants: ReadonlyMap<string, ReadonlyMap<string, Held>>
}

/** A privilege on an object, as SHOW GRANTS prints it. */
export interface Held {
  readonly privilege: string
  readonly kind: string
  readonly name: string
}

/** Equal for equal privileges. */
export const grantKey = ({ privilege, kind, name }: Held): string => `${privilege} ${kind} ${name}`

/** Privileges by which a table changes: what nobody but our roles should have. */
const writes = new Set(["INSERT", "UPDATE", "DELETE", "TRUNCATE"])

/** A cell as text; NULL and absent columns as "". */
export const cell = (row: Row | undefined, name: string): string => {
  const value = row?.[name]
  return value === null || value === undefined ? "" : String(value)
}

const names = (rows: ReadonlyArray<Row>): ReadonlySet<string> => new Set(rows.map((row) => cell(row, "name")))
const byName = (rows: ReadonlyArray<Row>): ReadonlyMap<string, Row> =>
  new Map(rows.map((row) => [cell(row, "name"), row]))

/** Reads the account by SHOW and DESCRIBE alone: no warehouse runs for it. */
export const read = Effect.fn("SnowflakeState.read")(function* (session: Session, desired: DesiredState) {
  const { database } = desired
  const hasDatabase = names(yield* session.query(`SHOW DATABASES LIKE '${database}'`)).has(database)
  const schemas = hasDatabase ? names(yield* session.query(`SHOW SCHEMAS IN DATABASE ${database}`)) : new Set<string>()
  const within = (what: string) =>
    hasDatabase ? session.query(`SHOW ${what} IN DATABASE ${database}`) : Effect.succeed<ReadonlyArray<Row>>([])
  const tables = new Map(
    (yield* within("TABLES")).map((row) => [
      `${cell(row, "schema_name")}.${cell(row, "name")}`,
      cell(row, "cluster_by")
    ])
  )
  const integration = desired.landing.integration?.name
  const views = (yield* within("VIEWS")).filter((row) => cell(row, "schema_name") === "MARTS")
  const roles = names(yield* session.query("SHOW ROLES LIKE 'NORTHSTAR%'"))
  return {
    hasDatabase,
    schemas,
    roles,
    warehouses: byName(yield* session.query("SHOW WAREHOUSES LIKE 'NORTHSTAR%'")),
    monitors: byName(yield* session.query("SHOW RESOURCE MONITORS LIKE 'NORTHSTAR%'")),
    integrations: integration === undefined ? new Map() : yield* describedIntegration(session, integration),
    stages: byName((yield* within("STAGES")).filter((row) => cell(row, "schema_name") === "NORTHSTAR")),
    formats: names((yield* within("FILE FORMATS")).filter((row) => cell(row, "schema_name") === "NORTHSTAR")),
    policies: yield* policyBodies(session, database, yield* within("MASKING POLICIES")),
    tables,
    views: new Map(views.map((row) => [cell(row, "name"), cell(row, "text")])),
    masks: yield* masksOf(session, desired, tables),
    grants: yield* grantsOf(session, desired, roles, tables)
  } satisfies CurrentState
})

const describedIntegration = Effect.fnUntraced(function* (session: Session, name: string) {
  const found = names(yield* session.query(`SHOW STORAGE INTEGRATIONS LIKE '${name}'`))
  if (!found.has(name)) return new Map<string, ReadonlyMap<string, string>>()
  const rows = yield* session.query(`DESCRIBE STORAGE INTEGRATION ${name}`)
  return new Map([[name, new Map(rows.map((row) => [cell(row, "property"), cell(row, "property_value")]))]])
})

const policyBodies = Effect.fnUntraced(function* (session: Session, database: string, shown: ReadonlyArray<Row>) {
  const bodies = new Map<string, string>()
  for (const row of shown) {
    const name = `${database}.${cell(row, "schema_name")}.${cell(row, "name")}`
    const [described] = yield* session.query(`DESCRIBE MASKING POLICY ${name}`)
    bodies.set(name, cell(described, "body"))
  }
  return bodies
})

const masksOf = Effect.fnUntraced(function* (
  session: Session,
  { database, tables }: DesiredState,
  existing: ReadonlyMap<string, string>
) {
  const masks = new Map<string, ReadonlyMap<string, string>>()
  for (const { schema, name, masks: wanted } of tables) {
    const key = `${schema}.${name}`
    if (wanted.size === 0 || !existing.has(key)) continue
    const rows = yield* session.query(`DESCRIBE TABLE ${database}.${schema}.${name}`)
    masks.set(key, new Map(rows.map((row) => [cell(row, "name"), cell(row, "policy name")])))
  }
  return masks
})

const held = (row: Row): readonly [key: string, held: Held] => {
  const found = { privilege: cell(row, "privilege"), kind: cell(row, "granted_on"), name: cell(row, "name") }
  return [grantKey(found), found]
}

const grantsOf = (
  session: Session,
  { database, roles, tables }: DesiredState,
  existing: ReadonlySet<string>,
  existingTables: ReadonlyMap<string, string>
): Effect.Effect<CurrentState["grants"], ConnectorError> =>
  Effect.gen(function* () {
    const found = new Map<string, Map<string, Held>>()
    for (const role of roles.filter((name) => existing.has(name))) {
      found.set(role, new Map((yield* session.query(`SHOW GRANTS TO ROLE ${role}`)).map(held)))
    }
    for (const { schema, name } of tables.filter((table) => existingTables.has(`${table.schema}.${table.name}`))) {
      for (const row of yield* session.query(`SHOW GRANTS ON TABLE ${database}.${schema}.${name}`)) {
        const role = cell(row, "grantee_name")
        if (!writes.has(cell(row, "privilege")) || roles.includes(role)) continue
        found.set(role, (found.get(role) ?? new Map<string, Held>()).set(...held(row)))
      }
    }
    return found
  })
