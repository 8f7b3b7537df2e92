import { Effect } from "effect"
import type { Dialect } from "./Dialect.ts"
import { controlTables, curatedColumns, historyColumns, type Model, registerTable } from "./Model.ts"
import type { Session } from "./Warehouse.ts"

/** A statement that brings the warehouse to what the contracts say, and what it does in words. */
export interface Migration {
  readonly description: string
  readonly sql: string
  /** Loses or rewrites what is stored: applied only on request. */
  readonly destructive: boolean
}

/**
 * What the warehouse lacks of what the contracts describe: tables are created, columns added (NULL in rows that were
 * published before). A column whose type the contract changed is destructive; a column the contract dropped stays.
 */
export const plan = Effect.fn("Migrate.plan")(function* (
  session: Session,
  dialect: Dialect,
  models: ReadonlyArray<Model>
) {
  const found = yield* session.query(dialect.columnsOf("curated"))
  const existing = Map.groupBy(found, (row) => String(row["t"]))
  return models.flatMap((model) => [
    ...tableMigrations(model, model.name, model.curated, curatedColumns(dialect, model), existing.get(model.name)),
    ...tableMigrations(
      model,
      `${model.name}__history`,
      model.history,
      historyColumns(dialect, model),
      existing.get(`${model.name}__history`)
    )
  ])
})

const tableMigrations = (
  model: Model,
  name: string,
  sqlName: string,
  columns: ReadonlyArray<readonly [sql: string, type: string]>,
  existing: ReadonlyArray<Readonly<Record<string, unknown>>> | undefined
): ReadonlyArray<Migration> => {
  if (existing === undefined) {
    const list = columns.map(([sql, type]) => `${sql} ${type}`).join(", ")
    return [{ description: `create ${name}`, sql: `CREATE TABLE ${sqlName} (${list})`, destructive: false }]
  }
  const types = new Map(existing.map((row) => [String(row["c"]), String(row["d"])]))
  return columns.flatMap(([sql, type]): ReadonlyArray<Migration> => {
    const column = model.columns.find((candidate) => candidate.sql === sql)?.name ?? sql
    const stands = types.get(column)
    if (stands === undefined) {
      const before = model.table.columns[column]?.aliases.find((alias) => types.has(alias))
      if (before !== undefined && model.table.columns[before] === undefined) {
        const rename = `ALTER TABLE ${sqlName} RENAME COLUMN "${before}" TO ${sql}`
        return [{ description: `rename column ${before} of ${name} to ${column}`, sql: rename, destructive: false }]
      }
      const add = `ALTER TABLE ${sqlName} ADD COLUMN ${sql} ${type}`
      return [{ description: `add column ${column} to ${name}`, sql: add, destructive: false }]
    }
    if (canonicalType(stands) === canonicalType(type)) return []
    return [
      {
        description: `change column ${column} of ${name} from ${stands} to ${type}`,
        sql: `ALTER TABLE ${sqlName} ALTER COLUMN ${sql} SET DATA TYPE ${type}`,
        destructive: true
      }
    ]
  })
}

const canonicalType = (type: string): string =>
  type.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").replaceAll(" ", "").toUpperCase()

/** Creates the control tables and applies what is not destructive; returns what it did and what it left. */
export const apply = Effect.fn("Migrate.apply")(function* (
  session: Session,
  dialect: Dialect,
  models: ReadonlyArray<Model>,
  options: { readonly destructive: boolean } = { destructive: false }
) {
  for (const statement of controlTables(dialect)) yield* session.execute(statement)
  const migrations = yield* plan(session, dialect, models)
  const applied = migrations.filter((migration) => options.destructive || !migration.destructive)
  for (const { sql } of applied) yield* session.execute(sql)
  for (const model of models) yield* session.execute(registerTable(model))
  return { applied, left: migrations.filter((migration) => !applied.includes(migration)) }
})

/** Renders the marts' queries as views. */
export const applyMarts = Effect.fn("Migrate.applyMarts")(function* (
  session: Session,
  dialect: Dialect,
  marts: ReadonlyArray<{ readonly name: string; readonly query: string }>
) {
  for (const { name, query } of marts) {
    yield* session.execute(`CREATE OR REPLACE VIEW marts.${dialect.id(name)} AS ${query}`)
  }
})
