import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { Effect, type Redacted } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Catalog from "../postgres/Catalog.ts"
import * as Connection from "../postgres/Connection.ts"
import * as Plan from "../postgres/Plan.ts"
import * as ConfigText from "./ConfigText.ts"
import * as Project from "./Project.ts"
import * as SourceSetup from "./SourceSetup.ts"

/** The environment variable that written configurations take the source's URL from. */
export const urlVariable = "NORTHSTAR_POSTGRES_URL"

/** What `init` did. */
export interface Initialised {
  readonly file: string
  readonly project: string
  readonly tables: ReadonlyArray<{ readonly name: string; readonly source: string; readonly columns: number }>
  /** Tables that cannot be captured as they are, with the fix. */
  readonly left: ReadonlyArray<{ readonly source: string; readonly problem: string; readonly action: string }>
  /** What the source needs: `applied`, `nothing` to do, or `pending` until an owner runs `sql`. */
  readonly setup: "applied" | "nothing" | "pending"
  readonly sql: string
}

/** How to write a configuration. */
export interface InitOptions {
  readonly url: Redacted.Redacted
  /** The file to write. */
  readonly file: string
  /** Replaces an existing file. */
  readonly force: boolean
  /** Prepares the source too; `undefined` does so when the role may. */
  readonly apply: boolean | undefined
}

/**
 * Reads a database's catalogue and writes a configuration that captures every table that can be captured. Then prepares
 * the source (publication, slot, rights) or says what its owner has to run. Writes nothing when the server cannot be
 * captured from or no table can.
 */
export const init = Effect.fn("Init.init")(function* (options: InitOptions) {
  const file = resolve(options.file)
  if (existsSync(file) && !options.force) {
    return yield* refuse(`${options.file} exists`, "Use --force to replace it, or --config to write another file.")
  }
  return yield* Effect.gen(function* () {
    const connection = yield* Connection.open({ url: options.url })
    const catalog = yield* Catalog.read(connection)
    const tables = Catalog.contracts(catalog)
    const left = catalog.tables.flatMap((table) => {
      const problem = Catalog.unpublishable(table)
      return problem === undefined ? [] : [{ source: table.source, problem: problem.detail, action: problem.action }]
    })
    if (tables.length === 0) {
      const why = left.length === 0 ? "it has none" : `it has ${left.length}, none with a primary key`
      return yield* refuse(
        `the database has no table that can be captured: ${why}`,
        left[0]?.action ?? "Create the tables first, or name another database in the URL."
      )
    }
    const name = slug(yield* databaseOf(connection))
    const setup = { slot: `northstar_${name}`, publication: `northstar_${name}` }
    const source = Project.postgres({ url: undefined, tables, ...setup })
    const project = Project.define({ name, sources: [source] })
    const feed = Project.feed(project, source)
    yield* Plan.checkServer(connection, source.slot)
    yield* write(file, ConfigText.render({ feed, left, urlVariable }))
    const prepared = yield* prepare(connection, feed, options.apply)
    return {
      file: options.file,
      project: name,
      tables: tables.map((table) => ({
        name: table.name,
        source: table.source,
        columns: Object.keys(table.columns).length
      })),
      left,
      ...prepared
    } satisfies Initialised
  }).pipe(Effect.scoped)
})

const prepare = Effect.fnUntraced(function* (
  connection: Connection.Connection,
  feed: Project.PostgresFeed,
  apply: boolean | undefined
) {
  const role = yield* SourceSetup.currentRole(connection)
  const steps = yield* SourceSetup.steps(connection, feed, role)
  const sql = SourceSetup.render(steps)
  if (steps.length === 0) return { setup: "nothing", sql } as const
  const mayApply = apply ?? (yield* SourceSetup.isOwner(connection, feed))
  if (!mayApply) return { setup: "pending", sql } as const
  yield* Plan.apply(connection, steps)
  return { setup: "applied", sql } as const
})

const databaseOf = Effect.fnUntraced(function* (connection: Connection.Connection) {
  const [row] = yield* connection.query("SELECT current_database()")
  return row?.[0] ?? ""
})

/** A name for slots and watermarks: lower-case letters, digits and `_`, short enough for a prefix. */
const slug = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, "_")
    .slice(0, 50) || "project"

const write = (file: string, text: string): Effect.Effect<void, ConnectorError> =>
  Effect.tryPromise({
    try: () => writeFile(file, text),
    catch: (cause) => {
      const why = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : ""
      return misconfigured(
        `${file} could not be written${why}`,
        `Check that ${dirname(file)} exists and that this user may write there.`
      )
    }
  })

const misconfigured = (detail: string, action: string): ConnectorError =>
  new ConnectorError({ connector: "project", operation: "init", detail, action, reason: new Misconfigured({ detail }) })

const refuse = (detail: string, action: string) => Effect.fail(misconfigured(detail, action))
