import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import type { Table } from "@northstar/core/Table"
import { Effect, type Scope } from "effect"
import { Client } from "pg"
import * as Fold from "./Fold.ts"
import * as SnowflakeReader from "./SnowflakeReader.ts"
import { landing, type Stand, warehouse } from "./Stand.ts"

/** What the oracle saw. */
export interface Verdict {
  /** Rows compared, of all tables. */
  readonly rows: number
  /** Changes in the histories. */
  readonly changes: number
  /** What is wrong, in words; empty when source and warehouse agree in everything. Lists at most a few keys of each kind. */
  readonly problems: ReadonlyArray<string>
}

/** Values as texts, one array a row. */
type Rows = ReadonlyArray<ReadonlyArray<string | null>>

/** Reads rows of an SQL statement. */
type Reader = (sql: string) => Effect.Effect<Rows>

/**
 * Compares a source at rest with its warehouse, when nothing runs, value by value; shares no code with what is proved:
 * plain drivers, texts, and a fold of its own. Also checks that no key is there twice, that the curated rows are the
 * fold of their history, that every change is accounted for once, and that no row refers to one that is not there.
 */
export const judge = (stand: Stand, tables: ReadonlyArray<Table>): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const source = yield* openSource(stand.url)
    const curated = yield* openWarehouse(stand)
    const verdicts = yield* Effect.forEach(tables, (table) => judgeTable(stand, source, curated, table))
    const books = yield* accounting(curated, stand, tables)
    return {
      rows: verdicts.reduce((sum, { rows }) => sum + rows, 0),
      changes: verdicts.reduce((sum, { changes }) => sum + changes, 0),
      problems: [...verdicts.flatMap(({ problems }) => problems), ...books]
    }
  }).pipe(Effect.scoped)

/** References between the shop's tables that hold at every commit of the source, as a query that counts those that do not. */
export const orphansSql = `SELECT
  (SELECT count(*) FROM curated.order_lines l ANTI JOIN curated.orders o ON o.id = l.order_id)
  + (SELECT count(*) FROM curated.order_lines l ANTI JOIN curated.products p ON p.code = l.product_code)
  + (SELECT count(*) FROM (SELECT * FROM curated.orders WHERE customer_id IS NOT NULL) o ANTI JOIN curated.customers c ON c.id = o.customer_id)`

const judgeTable = (stand: Stand, source: Reader, curated: Reader, table: Table): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const texts = textsOf(stand, table)
    const right = yield* source(`select ${texts.source} from ${table.source}`)
    const rows = yield* curated(`SELECT ${texts.curated} FROM curated.${table.name}`)
    const history = yield* curated(
      `SELECT _version::VARCHAR, _op::VARCHAR, _unchanged, _moved_from, ${texts.curated} FROM curated.${table.name}__history ORDER BY _version`
    )
    const ofTable = `table_name = '${table.name}'`
    const floors = yield* curated(`SELECT version::VARCHAR FROM northstar.floors WHERE ${ofTable}`)
    const held = yield* curated(`SELECT row_key FROM northstar.held WHERE ${ofTable}`)
    const setAside = yield* curated(
      `SELECT count(*)::VARCHAR FROM northstar.quarantine WHERE ${ofTable} GROUP BY row_key, version HAVING count(*) > 1`
    )
    const fold = Fold.fold(table, history, floors)
    return {
      rows: right.length,
      changes: history.length,
      problems: [
        ...differences(`${table.name}, source and curated`, keyed(table, right), keyed(table, rows)),
        ...differences(`${table.name}, fold of history and curated`, fold.rows, keyed(table, rows)),
        ...unless(keyed(table, rows).size === rows.length, `${table.name}: a key is there twice`),
        ...unless(fold.repeats === 0, `${table.name}: ${fold.repeats} changes are in the history twice`),
        ...unless(fold.incomplete === held.length, `${table.name}: ${held.length} held, ${fold.incomplete} incomplete`),
        ...unless(setAside.length === 0, `${table.name}: ${setAside.length} changes are in quarantine twice`)
      ]
    }
  })

/** Columns as texts that are equal for equal values. DuckDB prints instants as PostgreSQL does, Snowflake does not. */
const textsOf = ({ snowflake }: Stand, table: Table): { readonly source: string; readonly curated: string } => {
  const columns = Object.entries(table.columns)
  const isInstant = (kind: string) => snowflake !== undefined && kind === "timestamptz"
  const source = columns.map(([name, { type }]) =>
    isInstant(type.kind) ? `(extract(epoch from ${name}) * 1000000)::bigint` : name
  )
  const curated = columns.map(([name, { type }]) =>
    isInstant(type.kind) ? `DATE_PART(EPOCH_MICROSECOND, ${name})::VARCHAR` : `${name}::VARCHAR`
  )
  return { source: source.join(", "), curated: curated.join(", ") }
}

const unless = (holds: boolean, problem: string): ReadonlyArray<string> => (holds ? [] : [problem])

const keyed = (table: Table, rows: Rows): ReadonlyMap<string, string> => {
  const key = table.key.map((name) => Object.keys(table.columns).indexOf(name))
  return new Map(rows.map((row) => [JSON.stringify(key.map((index) => row[index])), JSON.stringify(row)]))
}

const examplesMax = 3

const differences = (
  what: string,
  left: ReadonlyMap<string, string>,
  right: ReadonlyMap<string, string>
): ReadonlyArray<string> => {
  const missing = [...left.keys()].filter((key) => !right.has(key))
  const extra = [...right.keys()].filter((key) => !left.has(key))
  const different = [...left].filter(([key, row]) => right.has(key) && right.get(key) !== row).map(([key]) => key)
  return Object.entries({ missing, extra, different }).flatMap(([kind, keys]) =>
    keys.length === 0 ? [] : [`${what}: ${keys.length} ${kind}, such as ${keys.slice(0, examplesMax).join(" ")}`]
  )
}

/** Every ledger line adds up, is there once, and together they are what the log recorded. */
const accounting = (curated: Reader, stand: Stand, tables: ReadonlyArray<Table>) =>
  Effect.gen(function* () {
    const wrong = yield* curated(
      "SELECT batch FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held"
    )
    const twice = yield* curated("SELECT batch FROM northstar.batches GROUP BY batch, table_name HAVING count(*) > 1")
    const ledger = yield* curated(
      "SELECT table_name, sum(rows_in)::BIGINT::VARCHAR FROM northstar.batches WHERE stream NOT LIKE '%/%' GROUP BY 1"
    )
    const loaded = new Map(ledger.map(([name, rows]) => [name ?? "", Number(rows)]))
    const landed = landedRows(stand)
    // Retention has removed records that the ledger still counts.
    const isCut = landed === undefined
    return [
      ...unless(wrong.length === 0, `${wrong.length} ledger lines do not add up`),
      ...unless(twice.length === 0, `${twice.length} ledger lines are there twice`),
      ...tables.flatMap(({ name, source }) =>
        unless(
          isCut || (landed.get(source) ?? 0) === (loaded.get(name) ?? 0),
          `${name}: ${landed?.get(source) ?? 0} changes landed, ${loaded.get(name) ?? 0} in the ledger`
        )
      )
    ]
  })

/** What a commit record says, as far as the oracle reads it. */
interface LogRecord {
  readonly sequence: string
  readonly through: string
  readonly files: ReadonlyArray<{ readonly table: string; readonly rows: number }>
}

/** The records of a stand's landing log, which holds one stream, oldest first. */
export const logRecords = (stand: Stand): ReadonlyArray<LogRecord> =>
  globSync("*/*/log/*.json", { cwd: landing(stand) })
    .toSorted()
    .map((name) => JSON.parse(readFileSync(join(landing(stand), name), "utf8")) as LogRecord)

const landedRows = (stand: Stand): ReadonlyMap<string, number> | undefined => {
  const records = logRecords(stand)
  if (records[0] !== undefined && BigInt(records[0].sequence) > 1n) return undefined
  const total = new Map<string, number>()
  for (const { files } of records) {
    for (const { table, rows } of files) total.set(table, (total.get(table) ?? 0) + rows)
  }
  return total
}

/** Values as the server writes them. */
const openSource = (url: string): Effect.Effect<Reader, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ connectionString: url })
      await client.connect()
      await client.query("set timezone = 'UTC'")
      return client
    }),
    (client) => Effect.promise(() => client.end())
  ).pipe(
    Effect.map(
      (client) => (sql: string) =>
        Effect.promise(async () => {
          const asText = { getTypeParser: () => (text: string) => text }
          // Sound: every value is the driver's text or NULL.
          return (await client.query({ text: sql, rowMode: "array", types: asText })).rows as Rows
        })
    )
  )

/** The statements select texts only. */
const openWarehouse = (stand: Stand): Effect.Effect<Reader, never, Scope.Scope> =>
  stand.snowflake === undefined ? openDuckDb(warehouse(stand)) : SnowflakeReader.open(stand.snowflake)

const openDuckDb = (file: string): Effect.Effect<Reader, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const instance = await DuckDBInstance.create(file)
      const connection = await instance.connect()
      await connection.run("SET TimeZone = 'UTC'")
      return { instance, connection }
    }),
    ({ instance, connection }) =>
      Effect.sync(() => {
        connection.closeSync()
        instance.closeSync()
      })
  ).pipe(
    Effect.map(
      ({ connection }) =>
        (sql: string) =>
          // Sound: the statements select texts only.
          Effect.promise(async () => (await connection.runAndReadAll(sql)).getRows() as Rows)
    )
  )

/** Rows of one statement on a warehouse that nobody runs on; it selects texts only. */
export const readWarehouse = (stand: Stand, sql: string): Effect.Effect<Rows> =>
  Effect.scoped(Effect.flatMap(openWarehouse(stand), (read) => read(sql)))
