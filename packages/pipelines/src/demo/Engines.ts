import type { Project } from "@northstar/connectors/project/Project"
import { feeds, tables as tablesOf } from "@northstar/connectors/project/Project"
import * as Services from "@northstar/connectors/project/Services"
import { load, loadKey } from "@northstar/connectors/project/Streams"
import type { Dialect } from "@northstar/connectors/warehouse/Dialect"
import { literal } from "@northstar/connectors/warehouse/Dialect"
import { metadata } from "@northstar/connectors/warehouse/Model"
import { type Session, Warehouse } from "@northstar/connectors/warehouse/Warehouse"
import type { ColumnType } from "@northstar/core/Column"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import { Effect } from "effect"
import type { Play } from "./Acts.ts"
import type { Twin } from "./Scene.ts"
import { count } from "./Story.ts"

/** The warehouse against DuckDB with the same landing logs. */
export interface Engines {
  readonly tables: number
  readonly marts: number
  /** Rows that were compared. */
  readonly rows: number
  /** Tables and marts that are not equal, with the rows that only one engine has. */
  readonly differing: ReadonlyArray<{ readonly name: string; readonly rows: number }>
}

/** Whether both hold the same values everywhere. */
export const areEqual = ({ differing, rows }: Engines): boolean => rows > 0 && differing.length === 0

/** A sentence for people. */
export const text = ({ differing, marts, rows, tables }: Engines): string =>
  `${count(tables)} curated tables and ${count(marts)} marts, ${count(rows)} rows: ` +
  (differing.length === 0
    ? "every value is equal in Snowflake and DuckDB"
    : `NOT equal in Snowflake and DuckDB: ${differing.map(({ name, rows }) => `${name} (${count(rows)} rows)`).join(", ")}`)

/** A table or mart with the columns that must agree. */
interface Subject {
  readonly schema: "curated" | "marts"
  readonly name: string
  readonly columns: ReadonlyArray<readonly [name: string, type: ColumnType | "version"]>
}

/** What depends on when a row was loaded and in which batch: engines load at their own pace. */
const ofLoading = new Set(["_batch", "_recorded_at", "newer_at", "_superseded_at"])

/** Rows of one table at most. */
const rowsMax = 500_000

/** Loads the landing logs into an empty DuckDB, as far as the warehouse has them, and compares all values. Nobody loads meanwhile. */
export const compare = Effect.fn("Engines.compare")(function* ({ scene, story }: Play, twin: Twin) {
  yield* story.chapter("The same logs in DuckDB")
  const found = yield* Effect.gen(function* () {
    yield* Effect.forEach(feeds(twin.project), (feed) =>
      Effect.flatMap(loadedThrough(scene.project, feed.source.name), (through) =>
        Pipeline.run(load(feed, loadKey(feed)), { program: "load", through })
      )
    )
    const { dialect, session } = yield* Warehouse
    const here = { dialect, session: yield* session }
    const subjects = [...curated(twin.project), ...(yield* marts(here))]
    const compared = yield* Effect.forEach(subjects, (subject) =>
      Effect.gen(function* () {
        const theirs = yield* inSnowflake(subject.schema === "marts" ? scene.reader : scene.project, (there) =>
          rows(there, subject)
        )
        const ours = yield* rows(here, subject)
        return { ...subject, rows: ours.length, apart: apart(ours, theirs) }
      })
    )
    const of = (schema: Subject["schema"]) => subjects.filter((subject) => subject.schema === schema).length
    return {
      tables: of("curated"),
      marts: of("marts"),
      rows: compared.reduce((sum, each) => sum + each.rows, 0),
      differing: compared.flatMap(({ apart, name, schema }) =>
        apart === 0 ? [] : [{ name: `${schema}.${name}`, rows: apart }]
      )
    } satisfies Engines
  }).pipe(Effect.scoped, Effect.provide(Services.layer(twin.project)))
  yield* story.step(
    areEqual(found) ? "good" : "bad",
    text(found),
    "The landing logs were loaded once more, into an empty DuckDB file: the same pipelines, another line in the configuration."
  )
  return found
})

/** One engine, as far as it is read. */
interface Side {
  readonly dialect: Dialect
  readonly session: Session
}

const inSnowflake = <A>(project: Project, use: (side: Side) => Effect.Effect<A, ConnectorError>) =>
  Effect.flatMap(Warehouse, ({ dialect, session: open }) =>
    Effect.flatMap(open, (session) => use({ dialect, session }))
  ).pipe(Effect.scoped, Effect.provide(Services.warehouse(project.warehouse)))

/** Sequence of a source's landing log that the warehouse stands at. */
const loadedThrough = (project: Project, source: string) =>
  inSnowflake(project, ({ session }) =>
    Effect.map(
      session.query(
        `SELECT max(through) AS through FROM northstar.watermarks WHERE pipeline = ${literal(project.name)} AND stream = ${literal(source)}`
      ),
      ([row]) => BigInt(String(row?.["through"] ?? 0))
    )
  )

const curated = (project: Project): ReadonlyArray<Subject> =>
  tablesOf(project).map((table) => ({
    schema: "curated",
    name: table.name,
    columns: [
      ...Object.entries(table.columns).map(([name, { type }]) => [name, type] as const),
      ...metadata.filter(([name]) => !ofLoading.has(name))
    ]
  }))

/** The marts with the columns and types that DuckDB gives them. */
const marts = Effect.fnUntraced(function* ({ dialect, session }: Side) {
  const columns = new Map<string, Array<readonly [string, ColumnType]>>()
  for (const { c, d, t } of yield* session.query(dialect.columnsOf("marts"))) {
    const own = columns.get(String(t)) ?? []
    columns.set(String(t), own)
    if (!ofLoading.has(String(c))) own.push([String(c), typeOf(String(d))])
  }
  return [...columns].map(([name, columns]): Subject => ({ schema: "marts", name, columns }))
})

const types: Readonly<Record<string, ColumnType>> = {
  SMALLINT: { kind: "int16" },
  INTEGER: { kind: "int32" },
  BIGINT: { kind: "int64" },
  HUGEINT: { kind: "int64" },
  DOUBLE: { kind: "float64" },
  BOOLEAN: { kind: "boolean" },
  DATE: { kind: "date" },
  "TIMESTAMP WITH TIME ZONE": { kind: "timestamptz" }
}

/** Of whole numbers only the text counts, whatever their width. */
const typeOf = (duckdb: string): ColumnType => {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(duckdb) ?? []
  if (precision !== undefined) return { kind: "decimal", precision: Number(precision), scale: Number(scale) }
  return types[duckdb] ?? { kind: "text" }
}

/** All rows as canonical texts, the same in both engines for the same values. */
const rows = ({ dialect, session }: Side, { columns, name, schema }: Subject) => {
  const texts = columns.map(([column, type], at) => {
    const value = dialect.id(column)
    return `${type === "version" ? `CAST(${value} AS VARCHAR)` : dialect.canonical(value, type)} AS c${at}`
  })
  const sql = `SELECT ${texts.join(", ")} FROM ${schema}.${dialect.id(name)}`
  return Effect.map(session.query(sql, [], { rowsMax }), (found) =>
    found.map((row) => JSON.stringify(Object.values(row)))
  )
}

/** Rows that only one side has, repeated ones counted as often as they stand there. */
const apart = (ours: ReadonlyArray<string>, theirs: ReadonlyArray<string>): number => {
  const surplus = new Map<string, number>()
  for (const row of ours) surplus.set(row, (surplus.get(row) ?? 0) + 1)
  for (const row of theirs) surplus.set(row, (surplus.get(row) ?? 0) - 1)
  return [...surplus.values()].reduce((sum, each) => sum + Math.abs(each), 0)
}
