import type { Column, ColumnType } from "@northstar/core/Column"
import type { Version } from "@northstar/core/Change"
import type { Table } from "@northstar/core/Table"
import { type Dialect, literal } from "./Dialect.ts"

/**
 * The physical tables behind a contract. `curated.<table>` holds the rows as they stand, `curated.<table>__history`
 * every accepted change; the first is a fold of the second.
 */
export interface Model {
  readonly table: Table
  /** Name for literals, such as in the watermarks. */
  readonly name: string
  readonly curated: string
  readonly history: string
  /** How columns of `curated` and `history` are qualified in statements that change them. */
  readonly curatedRef: string
  readonly historyRef: string
  /** This session's stage of the table. */
  readonly stage: string
  readonly columns: ReadonlyArray<ModelColumn>
  readonly key: ReadonlyArray<ModelColumn>
}

/** A column with its quoted name. */
export interface ModelColumn {
  readonly name: string
  readonly sql: string
  readonly type: ColumnType
  readonly column: Column
}

const text: ColumnType = { kind: "text" }
const instant: ColumnType = { kind: "timestamptz" }

/**
 * What every curated and history row says about itself: its version, the batch that published it, and the clocks of
 * the row (when the event happened, was committed at the source, was landed, was published; the business day it
 * belongs to and the day it is posted on, which is the business day until that day is closed).
 */
export const metadata: ReadonlyArray<readonly [name: string, type: ColumnType | "version"]> = [
  ["_version", "version"],
  ["_batch", text],
  ["_source_commit_at", instant],
  ["_ingested_at", instant],
  ["_recorded_at", instant],
  ["_event_at", instant],
  ["_business_date", { kind: "date" }],
  ["_business_zone", text],
  ["_posting_date", { kind: "date" }]
]

/** Names of the metadata columns. */
export const metadataNames: ReadonlyArray<string> = metadata.map(([name]) => name)

/** The physical names of a contract's tables. */
export const make = (dialect: Dialect, table: Table): Model => {
  const columns = Object.entries(table.columns).map(([name, column]) => ({
    name,
    sql: dialect.id(name),
    type: column.type,
    column
  }))
  return {
    table,
    name: table.name,
    curated: `curated.${dialect.id(table.name)}`,
    history: `curated.${dialect.id(`${table.name}__history`)}`,
    curatedRef: dialect.id(table.name),
    historyRef: dialect.id(`${table.name}__history`),
    stage: dialect.id(`stage_${table.name}`),
    columns,
    key: table.key.map((name) => columns.find((column) => column.name === name)!)
  }
}

/** Digits that each part of a version has in `_version`. */
const ordinalUnit = 1_000n
const positionUnit = 10_000_000_000n * ordinalUnit
const epochUnit = 100_000_000_000_000_000_000n * positionUnit

/** A version as one integer of 38 digits, in the same order: epoch 5, position 20, ordinal 10, revision 3 digits. */
export const versionNumber = (version: Version): bigint =>
  BigInt(version.epoch) * epochUnit +
  version.position * positionUnit +
  BigInt(version.ordinal) * ordinalUnit +
  BigInt(version.revision)

/** The parts of a version number. */
export const versionOf = (number: bigint): Version => ({
  epoch: Number(number / epochUnit),
  position: (number % epochUnit) / positionUnit,
  ordinal: Number((number % positionUnit) / ordinalUnit),
  revision: Number(number % ordinalUnit)
})

/** The version number of a segment's row, whose epoch and revision its commit record names. */
export const versionSql = (dialect: Dialect, epoch: number, revision: number): string =>
  `CAST(${BigInt(epoch) * epochUnit + BigInt(revision)} AS ${dialect.versionType})` +
  ` + CAST(_position AS ${dialect.versionType}) * ${positionUnit}` +
  ` + CAST(_ordinal AS ${dialect.versionType}) * ${ordinalUnit}`

/** Just below every revision of the change one ordinal earlier, the delete that belongs to a key move. */
export const ordinalBefore = (version: string): string => `(${version} - ${version} % ${ordinalUnit} - ${ordinalUnit})`

/** `l.k1 = r.k1 AND l.k2 = r.k2`. */
export const sameKey = (model: Model, left: string, right: string): string =>
  model.key.map(({ sql }) => `${left}.${sql} = ${right}.${sql}`).join(" AND ")

/** Statements that create the schemas and control tables, in order; each does nothing where the object exists. */
export const controlTables = (dialect: Dialect): ReadonlyArray<string> => {
  const t = dialect.type(text)
  const at = dialect.type(instant)
  const int = dialect.type({ kind: "int64" })
  const v = dialect.versionType
  const create = (name: string, columns: string) => `CREATE TABLE IF NOT EXISTS northstar.${name} (${columns})`
  return [
    "CREATE SCHEMA IF NOT EXISTS northstar",
    "CREATE SCHEMA IF NOT EXISTS curated",
    "CREATE SCHEMA IF NOT EXISTS marts",
    // One row a table: `locks` is what publishers take first; `high_version` the greatest version ever published.
    create("tables", `table_name ${t}, locks ${int}, high_version ${v}, relation ${t}, contract ${t}`),
    create(
      "watermarks",
      `pipeline ${t}, stream ${t}, table_name ${t}, position_type ${t}, through ${t}, committed_at ${at}, complete_through ${at}, parked_reason ${t}, parked_contract ${t}, moved_at ${at}`
    ),
    create(
      "batches",
      `batch ${t}, pipeline ${t}, stream ${t}, table_name ${t}, after_position ${t}, through_position ${t}, rows_in ${int}, published ${int}, superseded ${int}, quarantined ${int}, held ${int}, money ${t}, committed_at ${at}, recorded_at ${at}, taken_back_at ${at}`
    ),
    create(
      "quarantine",
      `table_name ${t}, row_key ${t}, version ${v}, op ${int}, reason ${t}, batch ${t}, segment ${t}, source_commit_at ${at}, ingested_at ${at}, recorded_at ${at}, unchanged ${t}, moved_from ${t}, source_values ${t}, resolved_at ${at}, resolution ${t}`
    ),
    create("floors", `table_name ${t}, version ${v}, batch ${t}`),
    create("held", `table_name ${t}, row_key ${t}, version ${v}, missing ${t}, batch ${t}`),
    create("findings", `batch ${t}, table_name ${t}, name ${t}, severity ${t}, failed ${int}, recorded_at ${at}`),
    create(
      "runs",
      `run ${t}, pipeline ${t}, stream ${t}, recorded_at ${at}, kind ${t}, batches ${int}, rows_in ${int}, fact ${t}`
    ),
    // One row a load cycle: what it took on the warehouse.
    create(
      "costs",
      `batch ${t}, pipeline ${t}, stream ${t}, warehouse ${t}, warehouse_size ${t}, statements ${int}, warehouse_ms ${int}, bytes_scanned ${int}, changes ${int}, recorded_at ${at}`
    )
  ]
}

/** Those of `controlTables` that create a table. */
export const controlStatements = (dialect: Dialect): ReadonlyArray<string> =>
  controlTables(dialect).filter((statement) => statement.startsWith("CREATE TABLE"))

/** The table that a control statement creates. */
export const controlName = (statement: string): string => /northstar\.(\w+)/.exec(statement)![1]!

/** Columns of a history table, with types, in order: the contract's, the metadata, and what only a change has. */
export const historyColumns = (dialect: Dialect, model: Model): ReadonlyArray<readonly [sql: string, type: string]> => [
  ...curatedColumns(dialect, model),
  ["_op", dialect.type({ kind: "int16" })],
  ["_unchanged", dialect.type(text)],
  ["_moved_from", dialect.type(text)]
]

/** Columns of a curated table, with types, in order. */
export const curatedColumns = (dialect: Dialect, model: Model): ReadonlyArray<readonly [sql: string, type: string]> => [
  ...model.columns.map(({ sql, type }) => [sql, dialect.type(type)] as const),
  ...metadata.map(([name, type]) => [name, type === "version" ? dialect.versionType : dialect.type(type)] as const)
]

/** The row of `northstar.tables` that a table starts with. */
export const registerTable = (model: Model): string =>
  `INSERT INTO northstar.tables SELECT ${literal(model.name)}, 0, 0, NULL, NULL ` +
  `WHERE NOT EXISTS (SELECT 1 FROM northstar.tables WHERE table_name = ${literal(model.name)})`
