import type { Dialect } from "../warehouse/Dialect.ts"
import { controlName, controlStatements, make as makeModel, type Model } from "../warehouse/Model.ts"
import type { Table } from "@northstar/core/Table"
import { type Grant, grants, type Role, roleName } from "./SnowflakeGrants.ts"

/** What runs on a warehouse of its own, so that no kind of work waits for another or hides its cost. */
export const workloads = ["load", "transform", "close", "backfill", "bi"] as const
export type Workload = (typeof workloads)[number]

/** Sizes by the name that statements take; `SHOW WAREHOUSES` prints them with a hyphen. */
export type WarehouseSize = "XSMALL" | "SMALL" | "MEDIUM" | "LARGE" | "XLARGE"

/** A virtual warehouse: suspended until a statement comes. */
export interface WarehouseObject {
  readonly name: string
  readonly size: WarehouseSize
  readonly autoSuspendSeconds: number
  readonly statementTimeoutSeconds: number
  readonly monitor: string
}

/** A limit on credits a month: a notice at three quarters, no new statement beyond it. */
export interface MonitorObject {
  readonly name: string
  readonly creditsPerMonth: number
  readonly level: "WAREHOUSE" | "ACCOUNT"
}

/** A masking policy, one for each type of column that holds personal data. */
export interface PolicyObject {
  /** `database.schema.name`, in upper case. */
  readonly name: string
  readonly type: string
  readonly body: string
}

/** A table as the account shows it. Names are in upper case. */
export interface TableObject {
  readonly schema: string
  readonly name: string
  readonly clusterBy: ReadonlyArray<string>
  /** Policies by column. */
  readonly masks: ReadonlyMap<string, string>
}

/** Where segments lie: the landing log's bucket or folder. */
export interface LandingObject {
  /** `s3://bucket/prefix/`; a local Snowflake also takes `file:///folder/`. */
  readonly url: string
  /** How the account reaches the bucket; absent for a folder. */
  readonly integration?: { readonly name: string; readonly roleArn: string }
}

/** All objects that the account should have for a project, derived from its contracts. */
export interface DesiredState {
  readonly dialect: Dialect
  readonly database: string
  readonly schemas: ReadonlyArray<string>
  readonly models: ReadonlyArray<Model>
  readonly tables: ReadonlyArray<TableObject>
  readonly marts: ReadonlyArray<{ readonly name: string; readonly query: string }>
  readonly monitors: ReadonlyArray<MonitorObject>
  readonly warehouses: ReadonlyArray<WarehouseObject>
  readonly policies: ReadonlyArray<PolicyObject>
  readonly landing: LandingObject
  readonly roles: ReadonlyArray<string>
  readonly grants: ReadonlyArray<Grant>
}

/** The default of each workload: sizes are those of the cost ADR (docs/adr/0015), quotas are one and a half to some four times its projection. */
const defaults: Readonly<
  Record<Workload, Omit<WarehouseObject, "name" | "monitor"> & { readonly creditsPerMonth: number }>
> = {
  load: { size: "SMALL", autoSuspendSeconds: 60, statementTimeoutSeconds: 1800, creditsPerMonth: 1300 },
  transform: { size: "SMALL", autoSuspendSeconds: 60, statementTimeoutSeconds: 1800, creditsPerMonth: 200 },
  close: { size: "MEDIUM", autoSuspendSeconds: 60, statementTimeoutSeconds: 3600, creditsPerMonth: 200 },
  backfill: { size: "LARGE", autoSuspendSeconds: 60, statementTimeoutSeconds: 14_400, creditsPerMonth: 200 },
  bi: { size: "SMALL", autoSuspendSeconds: 120, statementTimeoutSeconds: 600, creditsPerMonth: 600 }
}

/** The account's part of a project; only what differs from the defaults needs saying. */
export interface ObjectsOptions {
  readonly database?: string
  readonly tables: ReadonlyArray<Table>
  readonly marts?: ReadonlyArray<{ readonly name: string; readonly query: string }>
  /** Who may read a mart; by default finance, operations and the auditor. */
  readonly martReaders?: Readonly<Record<string, ReadonlyArray<Role>>>
  readonly landing: LandingObject
  readonly sizes?: Partial<Readonly<Record<Workload, WarehouseSize>>>
  /** Credits a month that the account's own monitor allows. Default 2,900: with storage and AWS below 18,000 USD. */
  readonly accountCreditsPerMonth?: number
}

/** Derives what the account should have. Names of account objects start with `NORTHSTAR_`. */
export const desired = (dialect: Dialect, options: ObjectsOptions): DesiredState => {
  const database = (options.database ?? "NORTHSTAR").toUpperCase()
  const models = options.tables.map((table) => makeModel(dialect, table))
  const marts = options.marts ?? []
  const policies = policiesOf(dialect, database, models)
  const tables = [
    ...models.flatMap((model) => tablesOf(dialect, database, model)),
    ...controlStatements(dialect).map((statement) => controlTable(database, statement))
  ]
  return {
    dialect,
    database,
    schemas: ["NORTHSTAR", "CURATED", "MARTS"],
    models,
    tables,
    marts,
    monitors: [
      { name: "NORTHSTAR_ACCOUNT", creditsPerMonth: options.accountCreditsPerMonth ?? 2900, level: "ACCOUNT" },
      ...workloads.map((workload) => ({
        name: warehouseName(workload),
        creditsPerMonth: defaults[workload].creditsPerMonth,
        level: "WAREHOUSE" as const
      }))
    ],
    warehouses: workloads.map((workload) => {
      const { creditsPerMonth: _, ...warehouse } = defaults[workload]
      const name = warehouseName(workload)
      return { ...warehouse, size: options.sizes?.[workload] ?? warehouse.size, name, monitor: name }
    }),
    policies,
    landing: options.landing,
    roles: roleNames,
    grants: grants({
      database,
      tables,
      marts: marts.map(({ name }) => ({
        name: stored(dialect.id(name)),
        readers: options.martReaders?.[name] ?? ["finance", "operations", "auditor"]
      }))
    })
  }
}

const roleNames = (["loader", "publisher", "finance", "operations", "support", "auditor"] as const).map(roleName)

/** The warehouse of a workload, and its monitor. */
export const warehouseName = (workload: Workload): string => `NORTHSTAR_${workload.toUpperCase()}`

/** A rendered identifier as the account keeps it. */
export const stored = (identifier: string): string =>
  identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier.toUpperCase()

/** Curated rows and their history, clustered by day and first key column: what MERGE and folds prune by. */
const tablesOf = (dialect: Dialect, database: string, model: Model): ReadonlyArray<TableObject> => {
  const key = stored(model.key[0]!.sql)
  const clusterBy = model.table.event === undefined ? [key] : ["_BUSINESS_DATE", key]
  const masks = new Map(
    model.columns
      .filter(({ column }) => column.tag === "pii")
      .map(({ sql, type }) => [stored(sql), policyName(database, dialect.type(type))])
  )
  const table = (name: string) => ({ schema: "CURATED", name: stored(dialect.id(name)), clusterBy, masks })
  return [table(model.name), table(`${model.name}__history`)]
}

/** Quarantined rows keep the source's values and keys as text: personal data may be among them. */
const controlTable = (database: string, statement: string): TableObject => {
  const name = controlName(statement).toUpperCase()
  const masked = name === "QUARANTINE" ? ["ROW_KEY", "SOURCE_VALUES", "MOVED_FROM"] : name === "HELD" ? ["ROW_KEY"] : []
  return {
    schema: "NORTHSTAR",
    name,
    clusterBy: [],
    masks: new Map(masked.map((column) => [column, policyName(database, "VARCHAR")]))
  }
}

const policyName = (database: string, type: string): string =>
  `${database}.NORTHSTAR.MASK_${type.toUpperCase().replaceAll(/\W+/g, "_").replace(/_$/, "")}`

/**
 * A publisher must see what it merges, or the masks would be written into the table. Support recognises a text by its
 * first letter; everybody else sees that there is a text, and nothing of another type.
 */
const policiesOf = (dialect: Dialect, database: string, models: ReadonlyArray<Model>): ReadonlyArray<PolicyObject> => {
  const personal = models.flatMap((model) => model.columns.filter(({ column }) => column.tag === "pii"))
  const types = new Set(["VARCHAR", ...personal.map(({ type }) => dialect.type(type))])
  return [...types].map((type) => ({ name: policyName(database, type), type, body: maskOf(type) }))
}

const maskOf = (type: string): string => {
  const publisher = `WHEN IS_ROLE_IN_SESSION('${roleName("publisher")}') THEN val`
  if (!/^(VARCHAR|TEXT|STRING)\b/i.test(type)) return `CASE ${publisher} ELSE NULL END`
  return `CASE ${publisher} WHEN IS_ROLE_IN_SESSION('${roleName("support")}') THEN LEFT(val, 1) || '***' WHEN val IS NULL THEN NULL ELSE '***' END`
}
