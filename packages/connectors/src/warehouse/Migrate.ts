import { Effect, Schedule } from "effect"
import { type Dialect, literal } from "./Dialect.ts"
import {
  controlName,
  controlStatements,
  controlTables,
  curatedColumns,
  historyColumns,
  type Model,
  registerTable
} from "./Model.ts"
import { isConflict, isMistake, type Session, type SqlValue } from "./Warehouse.ts"

/** A statement that brings the warehouse to what the contracts say, and what it does in words. */
export interface Migration {
  readonly description: string
  readonly sql: string
  /** Loses or rewrites what is stored: applied only on request. */
  readonly destructive: boolean
}

/** Planning only reads. */
export type Reader = Pick<Session, "query">

/** The session of a warehouse that does not exist yet. */
export const nothingThere: Reader = { query: () => Effect.succeed([]) }

/**
 * What the warehouse lacks of what the contracts describe: tables are created, columns added (NULL in rows that were
 * published before). A column whose type the contract changed is destructive; a column the contract dropped stays.
 */
export const plan = Effect.fn("Migrate.plan")(function* (
  session: Reader,
  dialect: Dialect,
  models: ReadonlyArray<Model>
) {
  const found = yield* session.query(dialect.columnsOf("curated"))
  const existing = Map.groupBy(found, (row) => String(row["t"]))
  return models.flatMap((model) => [
    ...tableMigrations(
      dialect,
      model,
      model.name,
      model.curated,
      curatedColumns(dialect, model),
      existing.get(model.name)
    ),
    ...tableMigrations(
      dialect,
      model,
      `${model.name}__history`,
      model.history,
      historyColumns(dialect, model),
      existing.get(`${model.name}__history`)
    )
  ])
})

const tableMigrations = (
  dialect: Dialect,
  model: Model,
  name: string,
  sqlName: string,
  columns: ReadonlyArray<readonly [sql: string, type: string]>,
  existing: ReadonlyArray<Readonly<Record<string, unknown>>> | undefined
): ReadonlyArray<Migration> => {
  if (existing === undefined) {
    const list = columns.map(([sql, type]) => `${sql} ${type}`).join(", ")
    return [{ description: `create ${name}`, sql: `${create} ${sqlName} (${list})`, destructive: false }]
  }
  const types = new Map(existing.map((row) => [String(row["c"]), String(row["d"])]))
  return columns.flatMap(([sql, type]): ReadonlyArray<Migration> => {
    const column = model.columns.find((candidate) => candidate.sql === sql)?.name ?? sql
    // Snowflake does not tell a name of upper-case letters from one of lower-case letters, and gives it in the latter.
    const stands = types.get(column) ?? (column === column.toUpperCase() ? types.get(column.toLowerCase()) : undefined)
    if (stands === undefined) {
      const before = model.table.columns[column]?.aliases.find((alias) => types.has(alias))
      if (before !== undefined && model.table.columns[before] === undefined) {
        const rename = `ALTER TABLE ${sqlName} RENAME COLUMN ${dialect.id(before)} TO ${sql}`
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

/** Another task may create it first. */
const create = "CREATE TABLE IF NOT EXISTS"

const canonicalType = (type: string): string =>
  type.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").replaceAll(" ", "").toUpperCase()

/** What the control tables lack: they are created whole and gain the columns that newer versions add. */
export const planControl = Effect.fn("Migrate.planControl")(function* (session: Reader, dialect: Dialect) {
  const rows = yield* session.query(dialect.columnsOf("northstar"))
  const columns = Map.groupBy(rows, (row) => String(row["t"]).toLowerCase())
  return controlStatements(dialect).flatMap((statement): ReadonlyArray<Migration> => {
    const name = controlName(statement)
    const found = columns.get(name)
    if (found === undefined) return [safe(`create control table ${name}`, statement)]
    const existing = new Set(found.map((row) => String(row["c"]).toLowerCase()))
    return controlColumns(statement)
      .filter((column) => !existing.has(column.slice(0, column.indexOf(" "))))
      .map((column) =>
        safe(`add column ${column} to control table ${name}`, `ALTER TABLE northstar.${name} ADD COLUMN ${column}`)
      )
  })
})

/** `name type` of each column of a control statement; types may hold commas without a blank. */
const controlColumns = (statement: string): ReadonlyArray<string> =>
  statement.slice(statement.indexOf("(") + 1, statement.lastIndexOf(")")).split(/,\s+(?=[a-z_]+ )/)

/**
 * Registers the tables that `planned` creates. The row that publishers lock comes before its table, so that a plan cut off
 * in between finds the table missing again.
 */
export const registrations = (
  models: ReadonlyArray<Model>,
  planned: ReadonlyArray<Migration>
): ReadonlyArray<Migration> =>
  models
    .filter((model) => planned.some(({ sql }) => sql.startsWith(`${create} ${model.curated} `)))
    .map((model) => safe(`register table ${model.name}`, registerTable(model)))

/** A migration that loses and rewrites nothing. */
export const safe = (description: string, sql: string): Migration => ({ description, sql, destructive: false })

/** Runs planned statements in order, those that lose or rewrite data only on request; returns what it did and what it left. */
export const execute = Effect.fn("Migrate.execute")(function* (
  session: Session,
  migrations: ReadonlyArray<Migration>,
  options: { readonly destructive: boolean } = { destructive: false }
) {
  const applied = migrations.filter((migration) => options.destructive || !migration.destructive)
  for (const { sql } of applied) yield* session.execute(sql)
  return { applied, left: migrations.filter((migration) => !applied.includes(migration)) }
})

/**
 * Creates the control tables and applies what is not destructive; returns what it did and what it left. Where another task
 * does the same at once it is planned again: a statement is in conflict with the other's, or wrong after it.
 */
export const apply = Effect.fn("Migrate.apply")(
  function* (
    session: Session,
    dialect: Dialect,
    models: ReadonlyArray<Model>,
    options: { readonly destructive: boolean } = { destructive: false }
  ) {
    for (const statement of controlTables(dialect)) yield* session.execute(statement)
    const done = yield* execute(session, yield* plan(session, dialect, models), options)
    for (const model of models) yield* session.execute(registerTable(model))
    yield* oneRowEach(session)
    return done
  },
  Effect.retry({
    schedule: Schedule.spaced("50 millis").pipe(Schedule.jittered, Schedule.upTo({ times: 40 })),
    while: (error) => isConflict(error) || isMistake(error)
  })
)

/**
 * Two tasks that registered a table at once each saw none and left a row: whoever comes last sees both. Publishers lock and
 * update both alike.
 */
const oneRowEach = Effect.fnUntraced(function* (session: Session) {
  const twice = yield* session.query(
    "SELECT table_name AS t FROM northstar.tables GROUP BY table_name HAVING count(*) > 1"
  )
  for (const { t } of twice) {
    const where = `WHERE table_name = ${literal(String(t))}`
    const collapse = Effect.gen(function* () {
      const [row] = yield* session.query(
        `SELECT CAST(max(locks) AS VARCHAR) AS l, CAST(max(high_version) AS VARCHAR) AS v, max(relation) AS r, max(contract) AS c FROM northstar.tables ${where}`
      )
      const text = (value: SqlValue | undefined) => (typeof value === "string" ? literal(value) : "NULL")
      yield* session.execute(`DELETE FROM northstar.tables ${where}`)
      yield* session.execute(
        `INSERT INTO northstar.tables SELECT ${literal(String(t))}, ${String(row?.["l"])}, ${String(row?.["v"])}, ${text(row?.["r"])}, ${text(row?.["c"])}`
      )
    })
    yield* session.transaction(collapse)
  }
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
