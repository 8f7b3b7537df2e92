import { existsSync } from "node:fs"
import { access, constants, statfs } from "node:fs/promises"
import { dirname, parse } from "node:path"
import { Effect, Random } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { ObjectStore } from "../landing/ObjectStore.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as Load from "./Load.ts"
import { postgresFeed, type Project, tables } from "./Project.ts"
import * as Services from "./Services.ts"
import * as SourceChecks from "./SourceChecks.ts"

/** One thing that was looked at. */
export interface Finding {
  readonly name: string
  readonly status: "ok" | "warn" | "fail"
  readonly detail: string
  /** What to do about it; empty when nothing is to be done. */
  readonly action: string
}

/** Everything that was looked at; healthy without a `fail`. */
export interface Report {
  readonly healthy: boolean
  readonly findings: ReadonlyArray<Finding>
}

/**
 * Looks at everything that a project needs, one finding each, and never fails: what fails is a finding. Writes one small
 * object to the landing store and removes it; changes nothing at the source.
 */
export const examine = Effect.fn("Doctor.examine")(function* (file: string) {
  const loaded = yield* Effect.result(Load.project(file))
  if (loaded._tag === "Failure") return report([node(), failed("configuration", loaded.failure)])
  const project = loaded.success
  const configuration = ok(
    "configuration",
    `${file}: ${project.name}, ${tables(project).length} tables of ${project.sources.map(({ name }) => name).join(", ")}`
  )
  const source = yield* postgres(file, project)
  const here = yield* Effect.all([landing(project), warehouse(project), disk(project)])
  return report([node(), configuration, ...source, ...here])
})

/** Findings about the project's database, if it has one. */
const postgres = Effect.fnUntraced(function* (file: string, project: Project) {
  if (postgresFeed(project) === undefined) return []
  const found = yield* Effect.result(Load.postgresWithUrl(file))
  return found._tag === "Failure" ? [failed("source", found.failure)] : yield* SourceChecks.examine(found.success)
})

const ok = (name: string, detail: string): Finding => ({ name, status: "ok", detail, action: "" })

const failed = (name: string, error: ConnectorError): Finding => ({
  name,
  status: "fail",
  detail: error.detail,
  action: error.action
})

const report = (findings: ReadonlyArray<Finding>): Report => ({
  healthy: findings.every(({ status }) => status !== "fail"),
  findings
})

/** The oldest Node that every dependency runs on. */
const nodeMin = [22, 19] as const

const node = (): Finding => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
  const detail = `Node ${process.versions.node}`
  if (major > nodeMin[0] || (major === nodeMin[0] && minor >= nodeMin[1])) return ok("node", detail)
  return { name: "node", status: "fail", detail, action: `Use Node ${nodeMin.join(".")} or newer.` }
}

/** Creates an object, as a commit does, creates it again, which must be refused, reads and removes it. */
const landing = (project: Project): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const config = project.landing
    const where = config.kind === "folder" ? config.folder : `s3://${config.bucket}`
    const key = `doctor/${yield* Random.nextIntBetween(0, 2 ** 48)}`
    const bytes = new TextEncoder().encode("northstar doctor")
    return yield* Effect.gen(function* () {
      const first = yield* store.create(key, bytes)
      const second = yield* store.create(key, bytes)
      const read = yield* store.get(key)
      if (first === "created" && second === "exists" && read.length === bytes.length) {
        return ok("landing", `${where} is writable and refuses to create an object twice`)
      }
      return {
        name: "landing",
        status: "fail",
        detail: `${where} does not do conditional creates: two writers could overwrite each other`,
        action: "Use AWS S3, Ceph RGW, or a folder on a local disk."
      } as const
    }).pipe(Effect.ensuring(Effect.ignore(store.remove(key))))
  }).pipe(
    Effect.provide(Services.landing(project.landing)),
    Effect.catch((error) => Effect.succeed(failed("landing", error)))
  )

const warehouse = (project: Project): Effect.Effect<Finding> => {
  const config = project.warehouse
  // Opening the file would create it.
  return config.kind === "duckdb" && !existsSync(config.file) ? newFile(config.file) : opened(project)
}

const newFile = (file: string): Effect.Effect<Finding> => {
  const folder = existing(dirname(file))
  return Effect.tryPromise(() => access(folder, constants.W_OK)).pipe(
    Effect.as(ok("warehouse", `duckdb: ${file} is not there yet: northstar ingest creates it`)),
    Effect.catch(() =>
      Effect.succeed<Finding>({
        name: "warehouse",
        status: "fail",
        detail: `no right to write ${folder}, where ${file} is to be created`,
        action: "Grant this user write on it."
      })
    )
  )
}

const opened = (project: Project): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const { dialect, session: open } = yield* Warehouse
    const session = yield* open
    // A Snowflake account must have been set up; counting the rows of a whole table starts no warehouse there.
    yield* session.query(
      project.warehouse.kind === "duckdb" ? "SELECT 1 AS one" : "SELECT count(*) AS n FROM northstar.watermarks"
    )
    return ok(
      "warehouse",
      `${dialect.name}: ${project.warehouse.kind === "duckdb" ? project.warehouse.file : project.warehouse.account} opens`
    )
  }).pipe(
    Effect.scoped,
    Effect.provide(Services.warehouse(project.warehouse)),
    Effect.catch((error) => Effect.succeed(failed("warehouse", error)))
  )

/** Free bytes below which to warn, and below which the next batches may already fail. */
const freeBytes = { warn: 5 * 1024 ** 3, fail: 256 * 1024 ** 2 }

const disk = (project: Project): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const folders = [
      project.landing.kind === "folder" ? project.landing.folder : project.landing.spool,
      ...(project.warehouse.kind === "duckdb" ? [dirname(project.warehouse.file)] : [])
    ]
    const free = yield* Effect.forEach(folders, (folder) =>
      Effect.promise(async () => {
        const { bavail, bsize } = await statfs(existing(folder))
        return bavail * bsize
      })
    )
    const least = Math.min(...free)
    const detail = `${(least / 1024 ** 3).toFixed(1)} GiB free for landing and warehouse`
    if (least >= freeBytes.warn) return ok("disk", detail)
    const status = least < freeBytes.fail ? "fail" : "warn"
    return { name: "disk", status, detail, action: `Free space at ${folders.join(" and ")}.` }
  })

const existing = (folder: string): string =>
  existsSync(folder) || folder === parse(folder).root ? folder : existing(dirname(folder))
