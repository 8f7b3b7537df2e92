import { existsSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { Effect, type Redacted } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { isLocal, type SnowflakeConfig } from "../snowflake/SnowflakeConfig.ts"
import type { LandingObject } from "../snowflake/SnowflakeObjects.ts"
import { execute, type Migration } from "../warehouse/Migrate.ts"
import { make as makeModel } from "../warehouse/Model.ts"
import { type Session, Warehouse } from "../warehouse/Warehouse.ts"
import { type Project, tables, type WarehouseConfig } from "./Project.ts"
import * as Services from "./Services.ts"

/** As whom a Snowflake account's objects are made. Creating warehouses and monitors takes ACCOUNTADMIN. */
export interface Administrator {
  readonly user: string
  readonly role: string
  readonly privateKey: SnowflakeConfig["privateKey"]
  readonly passphrase?: Redacted.Redacted
}

/** What the warehouse lacks for this project. */
export interface SetupPlan {
  readonly engine: WarehouseConfig["kind"]
  /** The DuckDB file, or `<account>/<database>`. */
  readonly warehouse: string
  readonly steps: ReadonlyArray<Migration>
  /** All steps as one script. */
  readonly sql: string
}

/** What was done of a plan, and what was left since it rewrites data. */
export interface Setup extends Pick<SetupPlan, "engine" | "warehouse"> {
  readonly applied: ReadonlyArray<Migration>
  readonly left: ReadonlyArray<Migration>
}

/** Reads the warehouse and says what is missing or differs; changes nothing. */
export const plan = Effect.fn("WarehouseSetup.plan")(function* (
  project: Project,
  administrator: Administrator | undefined
) {
  const { warehouse } = project
  // Opening the file would create it.
  const isNew = warehouse.kind === "duckdb" && !existsSync(warehouse.file)
  const steps = isNew
    ? yield* stepsIn(project, undefined)
    : yield* withSession(project, administrator, (session) => stepsIn(project, session))
  return { ...subject(warehouse), steps, sql: render(steps) } satisfies SetupPlan
})

/** Plans again and does what it finds; steps that lose or rewrite data only when `destructive`. */
export const apply = Effect.fn("WarehouseSetup.apply")(function* (
  project: Project,
  administrator: Administrator | undefined,
  options: { readonly destructive: boolean }
) {
  const done = yield* withSession(project, administrator, (session) =>
    Effect.flatMap(stepsIn(project, session), (steps) => execute(session, steps, options))
  )
  return { ...subject(project.warehouse), ...done } satisfies Setup
})

const subject = (config: WarehouseConfig): Pick<SetupPlan, "engine" | "warehouse"> => ({
  engine: config.kind,
  warehouse: config.kind === "duckdb" ? config.file : `${config.account}/${config.database}`
})

const render = (steps: ReadonlyArray<Migration>): string =>
  steps.map(({ description, sql }) => `-- ${description.replaceAll(/\s+/g, " ")}\n${sql};\n`).join("\n")

const withSession = <A>(
  project: Project,
  administrator: Administrator | undefined,
  use: (session: Session) => Effect.Effect<A, ConnectorError>
): Effect.Effect<A, ConnectorError> =>
  Effect.gen(function* () {
    const config = yield* administered(project.warehouse, administrator)
    return yield* Effect.flatMap(Warehouse, ({ session }) => Effect.scoped(Effect.flatMap(session, use))).pipe(
      Effect.provide(Services.warehouse(config))
    )
  })

/** The warehouse as its administrator reaches it; a DuckDB file has none. */
const administered = (
  config: WarehouseConfig,
  administrator: Administrator | undefined
): Effect.Effect<WarehouseConfig, ConnectorError> => {
  if (config.kind === "duckdb") return Effect.succeed(config)
  if (administrator === undefined) {
    return refuse(
      "a Snowflake account's objects are made by an administrator, and none is named",
      "Give --admin-user and --admin-key-file, or set NORTHSTAR_SNOWFLAKE_ADMIN_USER and NORTHSTAR_SNOWFLAKE_ADMIN_KEY_FILE."
    )
  }
  const { passphrase: _, ...rest } = config
  return Effect.succeed({ ...rest, ...administrator })
}

/** The steps of the project's engine, its part loaded only now. */
const stepsIn = Effect.fnUntraced(function* (project: Project, session: Session | undefined) {
  const { marts, warehouse } = project
  if (warehouse.kind === "duckdb" || session === undefined) {
    const { plan } = yield* Effect.promise(() => import("../duckdb/DuckDbPlan.ts"))
    const { duckdb } = yield* Effect.promise(() => import("../duckdb/DuckDbDialect.ts"))
    const models = tables(project).map((table) => makeModel(duckdb, table))
    return yield* plan(session, models, marts)
  }
  const { plan } = yield* Effect.promise(() => import("../snowflake/SnowflakePlan.ts"))
  const { desired } = yield* Effect.promise(() => import("../snowflake/SnowflakeObjects.ts"))
  const { snowflake } = yield* Effect.promise(() => import("../snowflake/SnowflakeDialect.ts"))
  const { storageRoleArn: _, ...objects } = warehouse.objects ?? {}
  const landing = yield* landingOf(project, warehouse)
  const { database } = warehouse
  return yield* plan(session, desired(snowflake, { ...objects, database, tables: tables(project), marts, landing }))
})

const landingOf = ({ landing }: Project, config: SnowflakeConfig): Effect.Effect<LandingObject, ConnectorError> => {
  const roleArn = config.objects?.storageRoleArn
  if (landing.kind === "folder") {
    if (isLocal(config)) return Effect.succeed({ url: pathToFileURL(`${landing.folder}/`).href })
    return refuse(
      `a Snowflake account cannot read the folder ${landing.folder}`,
      "Let raw data land in a bucket: landing: Project.s3({ bucket, region })."
    )
  }
  const url = `s3://${landing.bucket}/`
  if (roleArn !== undefined) return Effect.succeed({ url, integration: { name: "NORTHSTAR_LANDING", roleArn } })
  if (isLocal(config)) return Effect.succeed({ url })
  return refuse(
    `the account has no role by which to read ${url}`,
    "Name one that may read the bucket: objects: { storageRoleArn } in Project.snowflake."
  )
}

const refuse = (detail: string, action: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "warehouse",
      operation: "set up",
      detail,
      action,
      reason: new Misconfigured({ detail })
    })
  )
