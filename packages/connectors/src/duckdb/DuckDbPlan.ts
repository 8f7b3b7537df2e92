import { Effect } from "effect"
import {
  type Migration,
  nothingThere,
  plan as planTables,
  planControl,
  type Reader,
  registrations,
  safe
} from "../warehouse/Migrate.ts"
import type { Model } from "../warehouse/Model.ts"
import type { Session } from "../warehouse/Warehouse.ts"
import { duckdb as dialect } from "./DuckDbDialect.ts"

/** A view for people, as the project describes it. */
interface Mart {
  readonly name: string
  readonly query: string
}

/**
 * Statements that bring a DuckDB file to what the project describes, in order; empty when it is there. Changes nothing.
 * Without a session the file does not exist.
 */
export const plan = Effect.fn("DuckDbPlan.plan")(function* (
  session: Session | undefined,
  models: ReadonlyArray<Model>,
  marts: ReadonlyArray<Mart>
) {
  const reader = session ?? nothingThere
  const curated = yield* planTables(reader, dialect, models)
  return [
    ...(yield* schemas(reader)),
    ...(yield* planControl(reader, dialect)),
    ...registrations(models, curated),
    ...curated,
    // DuckDB refuses to read a view whose tables have changed below it.
    ...(session === undefined || curated.length > 0 ? marts.map(define) : yield* changedMarts(session, marts))
  ]
})

const schemas = Effect.fnUntraced(function* (session: Reader) {
  const rows = yield* session.query(
    "SELECT schema_name AS s FROM information_schema.schemata WHERE catalog_name = current_database()"
  )
  const existing = new Set(rows.map((row) => row["s"]))
  return ["northstar", "curated", "marts"]
    .filter((schema) => !existing.has(schema))
    .map((schema) => safe(`create schema ${schema}`, `CREATE SCHEMA ${schema}`))
})

const define = ({ name, query }: Mart): Migration =>
  safe(`define mart ${name}`, `CREATE OR REPLACE VIEW marts.${dialect.id(name)} AS ${query}`)

const texts = "SELECT view_name AS n, sql AS q FROM duckdb_views() WHERE schema_name"

/** Marts whose query is not the project's. DuckDB keeps its own wording of a query, so that a temporary view tells it. */
const changedMarts = Effect.fnUntraced(function* (session: Session, marts: ReadonlyArray<Mart>) {
  const standing = new Map(
    (yield* session.query(`${texts} = 'marts'`)).map((row) => [String(row["n"]), queryOf(String(row["q"]))])
  )
  const changed: Array<Migration> = []
  for (const mart of marts) {
    const wording = yield* session.execute(`CREATE OR REPLACE TEMP VIEW northstar_plan AS ${mart.query}`).pipe(
      Effect.andThen(session.query(`${texts} = 'main' AND view_name = 'northstar_plan'`)),
      Effect.ensuring(Effect.ignore(session.execute("DROP VIEW IF EXISTS northstar_plan"))),
      Effect.map(([row]) => queryOf(String(row?.["q"])))
    )
    if (standing.get(mart.name) !== wording) changed.push(define(mart))
  }
  return changed
})

const queryOf = (sql: string): string => sql.slice(sql.indexOf(" AS "))
