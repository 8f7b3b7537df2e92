import { reservedWords } from "./ReservedWords.ts"
import { Effect } from "effect"
import {
  type Migration,
  nothingThere,
  plan as planTables,
  planControl,
  registrations,
  safe
} from "../warehouse/Migrate.ts"
import type { Session } from "../warehouse/Warehouse.ts"
import { landingMigrations, monitorMigrations, warehouseMigrations } from "./SnowflakeAccountPlan.ts"
import { type DesiredState, warehouseName } from "./SnowflakeObjects.ts"
import { type CurrentState, grantKey, type Held, read } from "./SnowflakeState.ts"

/** Statements that bring the account to the desired state, in order; empty when it is there. Reads and changes nothing else. */
export const plan = Effect.fn("SnowflakePlan.plan")(function* (session: Session, desired: DesiredState) {
  const current = yield* read(session, desired)
  yield* stand(session, desired, current)
  // Where there is no schema yet, planning needs no warehouse.
  const within = (schema: string) => (current.schemas.has(schema) ? session : nothingThere)
  const curated = yield* planTables(within("CURATED"), desired.dialect, desired.models)
  const control = yield* planControl(within("NORTHSTAR"), desired.dialect)
  return [
    ...monitorMigrations(desired, current),
    ...warehouseMigrations(desired, current),
    ...containers(desired, current),
    ...landingMigrations(desired, current),
    ...control,
    ...registrations(desired.models, curated),
    ...curated,
    ...clusterings(desired, current),
    ...policyMigrations(desired, current),
    ...maskMigrations(desired, current),
    ...martMigrations(desired, current),
    ...grantMigrations(desired, current)
  ]
})

/** Names of the contracts are qualified by schema alone; reading columns needs a warehouse where one is there. */
const stand = Effect.fnUntraced(function* (session: Session, desired: DesiredState, current: CurrentState) {
  const load = warehouseName("load")
  if (current.warehouses.has(load)) yield* session.execute(`USE WAREHOUSE ${load}`)
  if (current.hasDatabase) yield* session.execute(`USE DATABASE ${desired.database}`)
})

const containers = ({ database, schemas, roles }: DesiredState, current: CurrentState): ReadonlyArray<Migration> => [
  ...(current.hasDatabase ? [] : [safe(`create database ${database}`, `CREATE DATABASE ${database}`)]),
  ...schemas
    .filter((schema) => !current.schemas.has(schema))
    .map((schema) => safe(`create schema ${schema}`, `CREATE SCHEMA ${database}.${schema}`)),
  ...roles.filter((role) => !current.roles.has(role)).map((role) => safe(`create role ${role}`, `CREATE ROLE ${role}`))
]

const clusterings = ({ database, tables }: DesiredState, current: CurrentState): ReadonlyArray<Migration> =>
  tables.flatMap(({ schema, name, clusterBy }) => {
    const key = `${schema}.${name}`
    const wanted = clusterBy.join(", ")
    const found = plainCluster(current.tables.get(key) ?? "")
    if (clusterBy.length === 0 || found === plainCluster(wanted)) return []
    return [
      safe(
        `cluster ${key} by ${wanted}`,
        `ALTER TABLE ${database}.${key} CLUSTER BY (${clusterBy.map(asStored).join(", ")})`
      )
    ]
  })

/** `LINEAR(A, B)` and `a,b` alike. */
const plainCluster = (text: string): string =>
  text
    .toUpperCase()
    .replace(/^LINEAR/, "")
    .replaceAll(/[\s()"]/g, "")

const policyMigrations = ({ policies }: DesiredState, current: CurrentState): ReadonlyArray<Migration> =>
  policies.flatMap(({ name, type, body }) => {
    const found = current.policies.get(name)
    if (found === undefined) {
      const sql = `CREATE MASKING POLICY ${name} AS (val ${type}) RETURNS ${type} -> ${body}`
      return [safe(`create masking policy ${name}`, sql)]
    }
    if (plainBody(found) === plainBody(body)) return []
    return [safe(`change masking policy ${name}`, `ALTER MASKING POLICY ${name} SET BODY -> ${body}`)]
  })

/** A stored name as a statement must write it. */
const asStored = (name: string): string =>
  /^[A-Z_][A-Z0-9_]*$/.test(name) && !reservedWords.has(name) ? name : `"${name.replaceAll('"', '""')}"`

const plainBody = (body: string): string => body.toUpperCase().replaceAll(/\s/g, "")

const maskMigrations = ({ database, tables }: DesiredState, current: CurrentState): ReadonlyArray<Migration> =>
  tables.flatMap(({ schema, name, masks }) =>
    [...masks].flatMap(([column, policy]) => {
      const key = `${schema}.${name}`
      if (current.masks.get(key)?.get(column) === policy) return []
      const sql = `ALTER TABLE ${database}.${key} MODIFY COLUMN ${asStored(column)} SET MASKING POLICY ${policy} FORCE`
      return [safe(`mask ${column} of ${key}`, sql)]
    })
  )

const martSql = ({ database, dialect }: DesiredState, name: string, query: string): string =>
  `CREATE OR REPLACE VIEW ${database}.MARTS.${dialect.id(name)} AS ${query}`

/** Marts whose text is not the project's; replacing a view takes the grants on it away. */
const changedMarts = (desired: DesiredState, current: CurrentState): ReadonlyMap<string, string> =>
  new Map(
    desired.marts
      .map(({ name, query }) => [name, martSql(desired, name, query)] as const)
      .filter(([name, sql]) => current.views.get(name.toUpperCase())?.trim() !== sql.trim())
  )

const martMigrations = (desired: DesiredState, current: CurrentState): ReadonlyArray<Migration> =>
  [...changedMarts(desired, current)].map(([name, sql]) => safe(`define mart ${name}`, sql))

const grantMigrations = (desired: DesiredState, current: CurrentState): ReadonlyArray<Migration> => {
  const { database, grants } = desired
  const replaced = new Set(
    [...changedMarts(desired, current).keys()].map((name) => `${database}.MARTS.${name.toUpperCase()}`)
  )
  const missing = grants.filter(
    ({ role, privilege, kind, name }) =>
      replaced.has(name) || !(current.grants.get(role)?.has(grantKey({ privilege, kind, name })) ?? false)
  )
  const groups = Map.groupBy(missing, ({ role, kind, name }) => `${kind.replace("_", " ")} ${name} TO ROLE ${role}`)
  const wanted = new Set(grants.map((grant) => `${grant.role} ${grantKey(grant)}`))
  const extra = [...current.grants].flatMap(([role, held]) =>
    [...held]
      .filter(([key, { privilege }]) => !wanted.has(`${role} ${key}`) && privilege !== "OWNERSHIP")
      .map(([, privilege]) => revocation(role, privilege))
  )
  return [
    ...[...groups].map(([target, list]) => {
      if (list[0]!.kind === "ROLE") return safe(`grant ${target.replace(" TO ROLE ", " to ")}`, `GRANT ${target}`)
      const privileges = list.map(({ privilege }) => privilege).join(", ")
      return safe(`grant ${privileges} on ${target.replace(" TO ROLE ", " to ")}`, `GRANT ${privileges} ON ${target}`)
    }),
    ...extra
  ]
}

/** Takes back what nobody granted by a plan; a role that was granted to one of ours as well. */
const revocation = (role: string, { privilege, kind, name }: Held): Migration => {
  if (kind === "ROLE") return safe(`revoke role ${name} from ${role}`, `REVOKE ROLE ${name} FROM ROLE ${role}`)
  const on = `${kind.replaceAll("_", " ")} ${name}`
  return safe(`revoke ${privilege} on ${on} from ${role}`, `REVOKE ${privilege} ON ${on} FROM ROLE ${role}`)
}
