import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import type { Table } from "@northstar/core/Table"
import * as Catalog from "./Catalog.ts"
import type { Connection } from "./Connection.ts"
import * as Failure from "./Failure.ts"
import { id, literal, relation } from "./Sql.ts"
import * as State from "./SourceState.ts"

export { checkServer } from "./ServerCheck.ts"

const passed = Failpoint.declare("postgres.plan", ["ddl.committed", "slot.created"])

/** What capture needs at the source. */
export interface Desired {
  readonly publication: string
  readonly slot: string
  /** The role that capture connects as. */
  readonly role: string
  readonly tables: ReadonlyArray<Table>
  /** The slot is synchronised to standbys (PostgreSQL 17 and newer; ignored before, and for a slot that exists). */
  readonly failover: boolean
}

/** One change to the source. */
export interface Step {
  readonly description: string
  /** Statements that an owner could run by hand. */
  readonly sql: string
  /** Something that is published or granted now no longer will be. */
  readonly destructive: boolean
  /** A slot cannot be created in a transaction that has written. */
  readonly alone: boolean
}

/**
 * What would change to bring the source to `desired`, in order; empty when nothing is left to do. Changes nothing.
 * Fails with `Misconfigured` when a table is missing, lacks a contract's column or must not be published (no primary key).
 */
export const make = Effect.fn("Plan.make")(function* (connection: Connection, desired: Desired) {
  const catalog = yield* Catalog.read(connection)
  const state = yield* State.read(connection, desired)
  const tables = yield* Effect.forEach(desired.tables, (table) => wanted(catalog, table))
  return [
    ...publicationSteps(desired, tables, state),
    ...roleSteps(desired, tables, state),
    ...grantSteps(desired, tables, state),
    ...slotSteps(desired, state)
  ]
})

/**
 * Runs the steps as they were planned: all that can be in one transaction, then the slot. Needs the owner of the tables
 * with CREATE on the database and, for a new role, CREATEROLE and REPLICATION. Waits at most 5 s for a lock.
 */
export const apply = Effect.fn("Plan.apply")(function* (connection: Connection, steps: ReadonlyArray<Step>) {
  const together = steps.filter((step) => !step.alone)
  if (together.length > 0) {
    yield* connection
      .query(["BEGIN", "SET LOCAL lock_timeout = '5s'", ...together.map((step) => step.sql), "COMMIT"].join(";\n"))
      .pipe(Effect.tapError(() => Effect.ignore(connection.query("ROLLBACK"))))
    yield* passed("ddl.committed")
  }
  for (const alone of steps.filter((step) => step.alone)) {
    yield* connection.query(alone.sql)
    yield* passed("slot.created")
  }
})

/** A table to publish: with its columns when only these may be read. */
interface Wanted {
  readonly table: Catalog.CatalogTable
  readonly columns: ReadonlyArray<string> | undefined
}

const wanted = (catalog: Catalog.Catalog, contract: Table): Effect.Effect<Wanted, ConnectorError> => {
  const table = Catalog.find(catalog, contract.source)
  if (table === undefined) {
    return misconfigured(`${contract.source} does not exist`, "Create the table, or remove it from the project.")
  }
  const problem = Catalog.unpublishable(table)
  if (problem !== undefined) return misconfigured(problem.detail, problem.action)
  const missing = Catalog.drift(contract, table).removed
  if (missing.length > 0) {
    return misconfigured(
      `${contract.source} has no column ${missing.join(", ")} (dropped, renamed or generated)`,
      "Correct the contract: rename with `renamedFrom`, or remove the column."
    )
  }
  const isTagged = Object.values(contract.columns).some((column) => column.tag === "pci")
  // All of the old row is sent then, which a list of columns would forbid. Capture leaves out what is not listed.
  if (table.replicaIdentity === "full" && !isTagged) return Effect.succeed({ table, columns: undefined })
  if (table.replicaIdentity === "full") {
    return misconfigured(
      `${table.source} holds card data and has replica identity full, which does not allow publishing only some columns`,
      `Run ALTER TABLE ${relation(table.source)} REPLICA IDENTITY DEFAULT.`
    )
  }
  return Effect.succeed({ table, columns: Catalog.relationColumns(table, contract).map((column) => column.name) })
}

const publicationSteps = (
  desired: Desired,
  tables: ReadonlyArray<Wanted>,
  state: State.SourceState
): ReadonlyArray<Step> => {
  const name = id(desired.publication)
  const current = state.publication
  if (current === undefined) {
    const list = tables.length === 0 ? "" : ` FOR TABLE ${tables.map(publicationEntry).join(", ")}`
    return [
      change(
        `create publication ${desired.publication} of ${tables.length} tables`,
        `CREATE PUBLICATION ${name}${list} WITH (${options})`
      )
    ]
  }
  const published = new Map(current.tables.map((table) => [table.source, table]))
  const kept = new Set(tables.map(({ table }) => table.source))
  return [
    ...(current.complete
      ? []
      : [change(`publish every operation, partitions as their root`, `ALTER PUBLICATION ${name} SET (${options})`)]),
    ...current.schemas.map((schema) =>
      removal(
        `stop publishing every table of schema ${schema}`,
        `ALTER PUBLICATION ${name} DROP TABLES IN SCHEMA ${id(schema)}`
      )
    ),
    ...current.tables
      .filter((table) => !kept.has(table.source))
      .map((table) =>
        removal(`stop publishing ${table.source}`, `ALTER PUBLICATION ${name} DROP TABLE ${relation(table.source)}`)
      ),
    ...tables.flatMap((table) => tableSteps(name, table, published.get(table.table.source)))
  ]
}

const tableSteps = (
  publication: string,
  wanted: Wanted,
  current: State.PublishedTable | undefined
): ReadonlyArray<Step> => {
  const add = `ALTER PUBLICATION ${publication} ADD TABLE ${publicationEntry(wanted)}`
  const source = wanted.table.source
  if (current === undefined) return [change(`publish ${source}`, add)]
  if (!current.filtered && sameNames(current.columns, wanted.columns)) return []
  const published = current.columns ?? wanted.table.columns.map((column) => column.name)
  const lost = wanted.columns === undefined ? [] : published.filter((name) => !wanted.columns?.includes(name))
  const what = wanted.columns === undefined ? "all columns and rows" : `only ${wanted.columns.join(", ")}`
  return [
    {
      description: `publish of ${source} ${what}`,
      // Both in one transaction: no change in between is lost.
      sql: `ALTER PUBLICATION ${publication} DROP TABLE ${relation(source)};\n${add}`,
      destructive: lost.length > 0,
      alone: false
    }
  ]
}

const roleSteps = (desired: Desired, tables: ReadonlyArray<Wanted>, state: State.SourceState): ReadonlyArray<Step> => {
  const role = id(desired.role)
  const replication = state.isRds ? "" : " REPLICATION"
  const steps: Array<Step> = []
  if (state.role === undefined) {
    steps.push(
      change(
        `create role ${desired.role} without a password: give it one with \\password`,
        `CREATE ROLE ${role} LOGIN${replication}`
      )
    )
  } else if (!state.role.canLogin || (!state.role.canReplicate && !state.isRds)) {
    steps.push(change(`let role ${desired.role} log in and replicate`, `ALTER ROLE ${role} LOGIN${replication}`))
  }
  if (state.isRds && state.role?.canReplicate !== true) {
    steps.push(change(`let role ${desired.role} replicate`, `GRANT rds_replication TO ${role}`))
  }
  const secured = tables.filter(({ table }) => table.rowSecurity).map(({ table }) => table.source)
  if (secured.length > 0 && state.role?.seesAllRows !== true) {
    steps.push(change(`let role ${desired.role} see all rows of ${secured.join(", ")}`, `ALTER ROLE ${role} BYPASSRLS`))
  }
  return steps
}

const grantSteps = (desired: Desired, tables: ReadonlyArray<Wanted>, state: State.SourceState): ReadonlyArray<Step> => {
  const role = id(desired.role)
  const schemas = [...new Set(tables.map(({ table }) => table.schema))]
  const kept = new Set(tables.map(({ table }) => table.source))
  const left = (state.publication?.tables ?? []).map((table) => table.source).filter((source) => !kept.has(source))
  const granted = (source: string) => state.grants.get(source)?.direct ?? []
  const isTooWide = ({ columns, table }: Wanted) =>
    columns !== undefined && granted(table.source).some((name) => !columns.includes(name))
  const tooWide = tables.filter(isTooWide).map(({ table }) => table.source)
  return [
    ...[...left.filter((source) => granted(source).length > 0), ...tooWide].map((source) =>
      removal(`withdraw SELECT on ${source} from ${desired.role}`, `REVOKE SELECT ON ${relation(source)} FROM ${role}`)
    ),
    ...schemas
      .filter((schema) => !state.schemas.has(schema))
      .map((schema) =>
        change(`let ${desired.role} use schema ${schema}`, `GRANT USAGE ON SCHEMA ${id(schema)} TO ${role}`)
      ),
    ...tables
      .filter((wanted) => isTooWide(wanted) || !isReadable(wanted, state.grants.get(wanted.table.source)))
      .map(({ columns, table }) => {
        const list = columns === undefined ? "" : ` (${columns.map(id).join(", ")})`
        const sql = `GRANT SELECT${list} ON ${relation(table.source)} TO ${role}`
        return change(`let ${desired.role} read ${table.source}`, sql)
      })
  ]
}

const isReadable = ({ columns }: Wanted, grant: State.Grant | undefined): boolean =>
  grant !== undefined && (columns === undefined ? grant.all : columns.every((name) => grant.columns.includes(name)))

const slotSteps = (desired: Desired, state: State.SourceState): ReadonlyArray<Step> => {
  if (state.hasSlot) return []
  const failover = state.major >= 17 && desired.failover
  const call = `pg_create_logical_replication_slot(${literal(desired.slot)}, 'pgoutput'${failover ? ", failover => true" : ""})`
  const description = `create slot ${desired.slot}${failover ? ", synchronised to standbys" : ""}; from now on the source keeps WAL for it`
  return [{ description, sql: `SELECT ${call}`, destructive: false, alone: true }]
}

const options = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"

const publicationEntry = ({ columns, table }: Wanted): string =>
  columns === undefined ? relation(table.source) : `${relation(table.source)} (${columns.map(id).join(", ")})`

const change = (description: string, sql: string): Step => ({ description, sql, destructive: false, alone: false })

const removal = (description: string, sql: string): Step => ({ description, sql, destructive: true, alone: false })

const sameNames = (left: ReadonlyArray<string> | undefined, right: ReadonlyArray<string> | undefined): boolean =>
  left === undefined || right === undefined
    ? left === right
    : left.length === right.length && left.every((name) => right.includes(name))

const misconfigured = (detail: string, action: string) =>
  Effect.fail(Failure.misconfigured("plan the source", detail, action))
