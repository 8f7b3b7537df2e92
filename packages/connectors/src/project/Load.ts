import { existsSync, readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { basename, dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Cause, Effect, Option, Predicate, Redacted, Schema } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { feeds, postgresFeed, type Project, tables } from "./Project.ts"

/** The file that a project is described in. */
export const fileName = "northstar.config.ts"

/** Whether there is such a file at all. */
export const exists = (file: string): boolean => existsSync(resolve(file))

/**
 * The project that `file` exports by default. Node itself runs the file, so types are stripped and not checked. Relative
 * paths in it are relative to its folder. A missing, broken or mistyped file is `Misconfigured` and says where.
 */
export const project = Effect.fn("Load.project")(function* (file: string) {
  const path = resolve(file)
  if (!existsSync(path)) {
    return yield* refuse(
      `${file} does not exist`,
      `Run "northstar init --postgres <url>" to write one, or name another file with --config.`
    )
  }
  const exported = yield* Effect.tryPromise({
    try: async (): Promise<unknown> => {
      findSdkFromHere()
      return import(pathToFileURL(path).href)
    },
    catch: (cause) => unreadable(path, cause)
  })
  if (!Predicate.hasProperty(exported, "default")) {
    return yield* refuse(`${file} has no default export`, `End it with "export default Project.define({ … })".`)
  }
  return absolute(yield* checked(file, exported.default), dirname(path))
})

/** The project's PostgreSQL source; its URL may not be set. */
export const postgres = Effect.fn("Load.postgres")(function* (file: string) {
  const feed = postgresFeed(yield* project(file))
  return feed ?? (yield* refuse(`${file} has no PostgreSQL source`, "Add one: Project.postgres({ … })."))
})

/**
 * The project's PostgreSQL source, for programs that read it: also fails when its URL is not set, and names the
 * environment variable that the file takes it from, where it can be seen.
 */
export const postgresWithUrl = Effect.fn("Load.postgresWithUrl")(function* (file: string) {
  const feed = yield* postgres(file)
  if (feed.source.url !== undefined) return feed
  const variable = urlVariable(readFileSync(resolve(file), "utf8"))
  return yield* refuse(
    `the URL of the source is not set${variable === undefined ? "" : `: the environment variable ${variable} is empty`}`,
    variable === undefined
      ? `Give the source's url a value in ${file}.`
      : `Set it: export ${variable}='postgres://user:password@host:5432/database'`
  )
})

/** The project, for a program that reads all its sources: an only source without its URL fails here, as above. */
export const ingested = Effect.fn("Load.ingested")(function* (file: string) {
  const loaded = yield* project(file)
  if (loaded.sources.length === 1 && postgresFeed(loaded) !== undefined) yield* postgresWithUrl(file)
  return loaded
})

/** The source of a name; without a name the first. */
export const feed = Effect.fn("Load.feed")(function* (file: string, name: string | undefined) {
  const all = feeds(yield* project(file))
  const found = name === undefined ? all[0] : all.find(({ source }) => source.name === name)
  if (found !== undefined) return found
  const names = all.map(({ source }) => source.name).join(", ")
  return yield* refuse(`${file} has no source called ${name}`, `Its sources are ${names}.`)
})

const Text = Schema.NonEmptyString
const Key = Schema.UndefinedOr(Schema.Unknown.check(Schema.makeFilter((value) => Redacted.isRedacted(value))))
const source = {
  name: Text.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,63}$/)),
  epoch: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  tables: Schema.Array(
    Schema.Struct({
      name: Text.check(Schema.isPattern(/^[a-z0-9_]+$/)),
      source: Text.check(Schema.isIncluding(".")),
      columns: Schema.Record(Schema.String, Schema.Struct({ type: Schema.Struct({ kind: Text }) })),
      key: Schema.NonEmptyArray(Text)
    })
  )
}
const bucket = {
  kind: Schema.Literal("s3"),
  bucket: Text,
  region: Text,
  endpoint: Schema.optionalKey(Text),
  forcePathStyle: Schema.optionalKey(Schema.Boolean)
}
const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
const Folder = Schema.Struct({ kind: Schema.Literal("folder"), folder: Text })
const Shape = Schema.Struct({
  name: Text.check(Schema.isPattern(/^[A-Za-z0-9_-]{1,63}$/)),
  sources: Schema.NonEmptyArray(
    Schema.Union([
      Schema.Struct({
        ...source,
        kind: Schema.Literal("postgres"),
        url: Key,
        slot: Text.check(Schema.isPattern(/^[a-z0-9_]{1,63}$/)),
        publication: Text,
        snapshot: Schema.Struct({ chunkRows: Schema.Int, rowsPerSecondMax: Schema.Finite }),
        heartbeatSeconds: Schema.Finite,
        guard: Schema.Struct({
          warnBytes: Schema.Finite,
          stopBytes: Schema.Finite,
          policy: Schema.Literals(["warn", "stop", "release"])
        })
      }),
      Schema.Struct({
        ...source,
        kind: Schema.Literal("stripe"),
        apiKey: Key,
        account: Schema.UndefinedOr(Text.check(Schema.isPattern(/^acct_\w{1,64}$/))),
        pollSeconds: Schema.Finite,
        overlapMinutes: Positive,
        sweep: Schema.Struct({ everyHours: Positive, daysBack: Positive }),
        endpoint: Schema.UndefinedOr(Text.check(Schema.makeFilter((url) => URL.canParse(url)))),
        from: Schema.UndefinedOr(Schema.Date),
        backfill: Schema.UndefinedOr(Schema.Struct({ id: Text, from: Schema.Date, to: Schema.Date }))
      }),
      Schema.Struct({
        ...source,
        kind: Schema.Literal("files"),
        from: Schema.Union([
          Folder,
          Schema.Struct({ ...bucket, prefix: Schema.String, queueUrl: Schema.optionalKey(Text) })
        ]),
        contracts: Schema.Array(Schema.Struct({ keys: Schema.Struct({ prefix: Schema.String, glob: Text }) })),
        pollSeconds: Schema.Finite
      })
    ])
  ),
  landing: Schema.Union([Folder, Schema.Struct({ ...bucket, spool: Text })]),
  warehouse: Schema.Union([
    Schema.Struct({ kind: Schema.Literal("duckdb"), file: Text, memoryLimit: Schema.optionalKey(Text) }),
    Schema.Struct({
      kind: Schema.Literal("snowflake"),
      account: Text,
      user: Text,
      role: Text,
      warehouse: Text,
      database: Text,
      privateKey: Schema.Unknown,
      accessUrl: Schema.optionalKey(Text),
      backfillWarehouse: Schema.optionalKey(Text),
      objects: Schema.optionalKey(Schema.Struct({ storageRoleArn: Schema.optionalKey(Text) })),
      cadenceSeconds: Schema.optionalKey(Schema.Finite)
    })
  ]),
  cardNumbers: Schema.Literals(["tokenise", "quarantine"]),
  marts: Schema.Array(Schema.Struct({ name: Text, query: Text })),
  retentionExceptions: Schema.Array(Schema.Struct({ consumer: Text, reason: Text, expiresAtMs: Schema.Finite }))
})

const describeIssue = Schema.toStandardSchemaV1(Shape)["~standard"].validate

const issuesMax = 5

/** Names the fields that are wrong, never their values. */
const checked = Effect.fnUntraced(function* (file: string, value: unknown) {
  const result = yield* Effect.promise(async () => describeIssue(value))
  if (result.issues === undefined) {
    // Sound: what `Shape` leaves out (how columns decode, checks) only `Table.make` can have built.
    const found = value as Project
    const problem = twice(found) ?? keyless(found)
    if (problem === undefined) return found
    return yield* refuse(`${file}${problem.detail}`, problem.action)
  }
  const fields = result.issues.map((issue) => {
    const path = (issue.path ?? []).map((part) => String(Predicate.isObject(part) ? part.key : part))
    return path.length === 0 ? "the default export" : path.join(".")
  })
  const named = [...new Set(fields)].slice(0, issuesMax).join(", ")
  return yield* refuse(
    `${file} does not export a project: wrong or missing: ${named}`,
    `Build it with "Project.define({ name, sources: [Project.postgres({ url, tables: [ … ] })] })".`
  )
})

const twice = (found: Project) => {
  const repeated = (names: ReadonlyArray<string>) => names.find((name, at) => names.indexOf(name) !== at)
  const table = repeated(tables(found).map(({ name }) => name))
  const source = repeated(found.sources.map(({ name }) => name))
  if (table !== undefined)
    return { detail: ` has two tables called ${table}`, action: "Give one of them another name." }
  if (source === undefined) return undefined
  return { detail: ` has two sources called ${source}`, action: "Give one of them another name: name: …" }
}

const keyless = (found: Project) => {
  const table = tables(found).find(({ columns, key }) => key.some((name) => columns[name] === undefined))
  if (table === undefined) return undefined
  return {
    detail: `: the key of table ${table.name} names a column that the table does not have`,
    action: "Write the key's columns as they are spelled in its columns."
  }
}

const absolute = (project: Project, folder: string): Project => ({
  ...project,
  landing:
    project.landing.kind === "folder"
      ? { ...project.landing, folder: resolve(folder, project.landing.folder) }
      : { ...project.landing, spool: resolve(folder, project.landing.spool) },
  warehouse:
    project.warehouse.kind === "duckdb"
      ? { ...project.warehouse, file: resolve(folder, project.warehouse.file) }
      : project.warehouse,
  sources: project.sources.map((source) =>
    source.kind === "files" && source.from.kind === "folder"
      ? { ...source, from: { ...source.from, folder: resolve(folder, source.from.folder) } }
      : source
  )
})

/** `process.env.NAME` or `process.env["NAME"]` on the line that sets the URL. */
const urlVariable = (text: string): string | undefined =>
  /\burl:[^\n]*process\.env(?:\.|\[["'`])([A-Za-z_][A-Za-z0-9_]*)/.exec(text)?.[1]

let isFound = false

/** A configuration outside any package still finds the packages it imports: those that run it. */
const findSdkFromHere = (): void => {
  if (isFound) return
  isFound = true
  registerHooks({
    resolve: (specifier, context, next) => {
      if (!/^(@northstar\/|effect$|effect\/)/.test(specifier)) return next(specifier, context)
      try {
        return next(specifier, context)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
      try {
        return next(specifier, { ...context, parentURL: import.meta.url })
      } catch (error) {
        if (!isNotFound(error)) throw error
        throw new Error(`it imports ${specifier}, which does not exist`, { cause: error })
      }
    }
  })
}

const isNotFound = (error: unknown): boolean =>
  Predicate.hasProperty(error, "code") && error.code === "ERR_MODULE_NOT_FOUND"

const unreadable = (path: string, cause: unknown): ConnectorError => {
  const message = cause instanceof Error ? cause.message : Cause.pretty(Cause.die(cause))
  const at = Option.getOrElse(place(cause, dirname(path)), () => basename(path))
  return misconfigured(`${at}: ${message}`, "Correct the file, then run again.")
}

/** `file:line` of a failure: the first line of a syntax error's stack, else its topmost frame in the project's folder. */
const place = (cause: unknown, folder: string): Option.Option<string> => {
  const stack = cause instanceof Error ? (cause.stack ?? "") : ""
  const syntax = /^(?:file:\/\/)?(\/.*:\d+)\n/.exec(stack)?.[1]
  const frames = [...stack.matchAll(/file:\/\/(\/[^\n)]*:\d+):\d+/g)].map((frame) => frame[1] ?? "")
  return Option.fromUndefinedOr(syntax ?? frames.find((frame) => frame.startsWith(pathToFileURL(folder).pathname)))
}

const misconfigured = (detail: string, action: string): ConnectorError =>
  new ConnectorError({
    connector: "project",
    operation: "load",
    detail,
    action,
    reason: new Misconfigured({ detail })
  })

const refuse = (detail: string, action: string) => Effect.fail(misconfigured(detail, action))
