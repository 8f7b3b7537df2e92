import { Effect, Option, Schema } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { catalogSql } from "./CatalogQuery.ts"
import type { Connection } from "./Connection.ts"
import type { Relation } from "../landing/Block.ts"
import { invalid } from "./Failure.ts"
import { columnType, fits, isOrderedAlike } from "./Types.ts"

const CatalogColumn = Schema.Struct({
  name: Schema.String,
  /** As `format_type` prints it; of a domain its base type. */
  type: Schema.String,
  /** As `format_type` prints it, of a domain the domain: what the stream's relations say too. */
  declared: Schema.String,
  nullable: Schema.Boolean,
  /** Computed by the server. Never replicated before PostgreSQL 18, hence in no contract. */
  generated: Schema.Boolean,
  /** Texts are compared by their UTF-8 bytes. */
  byteOrder: Schema.Boolean,
  /** The type comes from an extension, and with it its comparison operators (`citext`). */
  extension: Schema.Boolean
})
export type CatalogColumn = typeof CatalogColumn.Type

const CatalogTable = Schema.Struct({
  /** `schema.name`: the name that contracts and relations use. */
  source: Schema.String,
  schema: Schema.String,
  name: Schema.String,
  partitioned: Schema.Boolean,
  columns: Schema.Array(CatalogColumn),
  /** Primary key columns in key order; empty without a key. */
  key: Schema.Array(Schema.String),
  /** What an UPDATE or DELETE writes of the old row; the weakest of the table and its partitions. */
  replicaIdentity: Schema.Literals(["default", "full", "index", "nothing"]),
  /** Written to WAL: neither temporary nor unlogged. */
  logged: Schema.Boolean,
  /** A role without BYPASSRLS may not see all rows. */
  rowSecurity: Schema.Boolean,
  /** The planner's estimate; `null` before the first ANALYZE. */
  rowsEstimate: Schema.NullOr(Schema.Int),
  /** Leaf partitions, as `schema.name`. */
  partitions: Schema.Array(Schema.String)
})
export type CatalogTable = typeof CatalogTable.Type

/** The tables of a database, by source name in ascending order. */
export interface Catalog {
  readonly tables: ReadonlyArray<CatalogTable>
}

/**
 * Reads the tables (ordinary ones and roots of partitioned ones) of the given schemas, by default of all but the
 * system's. Needs no rights beyond CONNECT; takes no lock on the tables.
 */
export const read = Effect.fn("Catalog.read")(function* (connection: Connection, schemas?: ReadonlyArray<string>) {
  const rows = yield* connection.query(catalogSql(schemas))
  return yield* decodeTables(rows.map((row) => row[0])).pipe(
    Effect.map((tables): Catalog => ({ tables })),
    Effect.mapError(() => invalid("read the catalogue", "the description of the tables is not of a known form"))
  )
})

/** The table of that source name, such as `public.orders`. */
export const find = (catalog: Catalog, source: string): CatalogTable | undefined =>
  catalog.tables.find((table) => table.source === source)

/**
 * The contract of a table as it stands: all columns but generated ones. `public.orders` is called `orders`, tables of
 * other schemas `schema_table`, in lower case with `_` for every other character. `none` without a primary key.
 */
export const contract = (table: CatalogTable, name: string = contractName(table)): Option.Option<Table.Table> => {
  const [first, ...rest] = table.key
  if (first === undefined) return Option.none()
  const columns = Object.fromEntries(
    table.columns.filter((column) => !column.generated).map((column) => [column.name, contractColumn(column)])
  )
  return Option.some(Table.make(name, { source: table.source, columns, key: [first, ...rest] }))
}

/** Contracts of every table that can be captured; names that would coincide are numbered. */
export const contracts = (catalog: Catalog): ReadonlyArray<Table.Table> => {
  const taken = new Set<string>()
  return catalog.tables
    .filter((table) => unpublishable(table) === undefined)
    .flatMap((table) => {
      const base = contractName(table)
      let name = base
      for (let number = 2; taken.has(name); number++) name = `${base}_${number}`
      taken.add(name)
      return Option.toArray(contract(table, name))
    })
}

/** Tables without a primary key, each with the sentence that names the fix. */
export const withoutKey = (
  catalog: Catalog
): ReadonlyArray<{ readonly table: CatalogTable; readonly message: string }> =>
  catalog.tables.flatMap((table) => {
    const problem = table.key.length > 0 ? undefined : unpublishable(table)
    return problem === undefined ? [] : [{ table, message: `${problem.detail}. ${problem.action}` }]
  })

/** Why a table must not enter a publication, with the fix; `undefined` when it may. */
export const unpublishable = (
  table: CatalogTable
): { readonly detail: string; readonly action: string } | undefined => {
  const alter = `ALTER TABLE ${table.source}`
  if (table.key.length === 0) {
    return {
      detail: `${table.source} has no primary key, so that publishing it would make every UPDATE and DELETE of it fail`,
      action: `Add one (${alter} ADD PRIMARY KEY (…)), or leave the table out.`
    }
  }
  const extension = table.columns.find((column) => column.extension && table.key.includes(column.name))
  if (extension !== undefined) {
    return {
      detail: `the primary key column ${extension.name} of ${table.source} is of type ${extension.type}, whose order only its extension knows, so that the table cannot be read in key ranges`,
      action: "Use a built-in type for it, or leave the table out."
    }
  }
  if (!table.logged) {
    return {
      detail: `${table.source} is not written to WAL`,
      action: `Make it permanent (${alter} SET LOGGED), or leave the table out.`
    }
  }
  if (table.replicaIdentity === "nothing" || table.replicaIdentity === "index") {
    return {
      detail: `${table.source} or a partition of it has replica identity ${table.replicaIdentity}, so that deletes do not carry its primary key`,
      action: `Use the primary key (${alter} REPLICA IDENTITY DEFAULT, also for each partition), or leave the table out.`
    }
  }
  return undefined
}

/** What a table looks like to snapshots: the contract's columns, in table order. */
export const relationColumns = (table: CatalogTable, contract: Table.Table): Relation["columns"] =>
  table.columns
    .filter((column) => !column.generated && isNamed(contract, column.name))
    .map((column) => ({ name: column.name, type: column.declared, key: table.key.includes(column.name) }))

/** Whether every engine orders the table's key as the source does; digests of key ranges need it. */
export const hasKeyOrderedAlike = (table: CatalogTable): boolean =>
  table.key.every((name) => {
    const column = table.columns.find((column) => column.name === name)
    return column !== undefined && isOrderedAlike(column.type, column.byteOrder)
  })

/** How a source table differs from its contract. Added columns are additive; everything else breaks the contract. */
export interface Drift {
  readonly added: ReadonlyArray<{ readonly name: string; readonly type: string }>
  readonly removed: ReadonlyArray<string>
  /** Columns whose source type holds values that the contract's does not. */
  readonly retyped: ReadonlyArray<{
    readonly name: string
    readonly contract: Column.ColumnType
    readonly source: string
  }>
  /** The source's primary key, when it is another. */
  readonly key: ReadonlyArray<string> | undefined
}

/** Compares a contract with the catalogue. A column found under an alias of the contract is that column. */
export const drift = (contract: Table.Table, table: CatalogTable): Drift => {
  const columns = table.columns.filter((column) => !column.generated)
  const pairs = Object.entries(contract.columns).map(([name, column]) => ({
    name,
    column,
    source: [name, ...column.aliases].flatMap((alias) => columns.find((other) => other.name === alias) ?? [])[0]
  }))
  const found = new Map(pairs.map((pair) => [pair.source?.name, pair.name]))
  const key = table.key.map((name) => found.get(name) ?? name)
  return {
    added: columns.filter((column) => !found.has(column.name)).map(({ name, type }) => ({ name, type })),
    removed: pairs.filter((pair) => pair.source === undefined && !pair.column.optional).map((pair) => pair.name),
    retyped: pairs.flatMap(({ column, name, source }) =>
      source === undefined || fits(columnType(source.type), column.type)
        ? []
        : [{ name, contract: column.type, source: source.type }]
    ),
    key: key.join("\n") === contract.key.join("\n") ? undefined : table.key
  }
}

const isNamed = (contract: Table.Table, name: string): boolean =>
  Object.entries(contract.columns).some(([own, column]) => own === name || column.aliases.includes(name))

const contractName = (table: CatalogTable): string =>
  (table.schema === "public" ? table.name : `${table.schema}_${table.name}`)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, "_")

const contractColumn = (column: CatalogColumn): Column.Column => {
  const plain = ofType(columnType(column.type))
  return column.nullable ? Column.nullable(plain) : plain
}

const ofType = (type: Column.ColumnType): Column.Column =>
  type.kind === "decimal"
    ? Column.decimal(type.precision, type.scale)
    : {
        int16: Column.int16,
        int32: Column.int32,
        int64: Column.int64,
        float32: Column.float32,
        float64: Column.float64,
        boolean: Column.boolean,
        text: Column.text,
        date: Column.date,
        time: Column.time,
        timestamp: Column.timestamp,
        timestamptz: Column.timestamptz,
        uuid: Column.uuid,
        bytes: Column.bytes,
        json: Column.json
      }[type.kind]

const decodeTables = Schema.decodeUnknownEffect(Schema.Array(Schema.fromJsonString(CatalogTable)))
