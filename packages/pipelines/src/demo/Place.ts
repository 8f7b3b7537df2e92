import { generateKeyPairSync } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { duckdb } from "@northstar/connectors/duckdb/DuckDbDialect"
import * as LocalSnowflake from "@northstar/connectors/local/snowflake/LocalSnowflake"
import type { Project } from "@northstar/connectors/project/Project"
import * as WarehouseSetup from "@northstar/connectors/project/WarehouseSetup"
import { snowflake } from "@northstar/connectors/snowflake/SnowflakeDialect"
import type { Dialect } from "@northstar/connectors/warehouse/Dialect"
import { ConnectorError, StorageFull } from "@northstar/core/ConnectorError"
import { Effect, Redacted, type Scope } from "effect"
import { count, span, type Story } from "./Story.ts"

/** Engines that a demo's warehouse can be in. */
export const engines = ["duckdb", "snowflake-local"] as const
export type Engine = (typeof engines)[number]

/** The warehouse that a demo plays on. */
export interface Place {
  readonly dialect: Dialect
  /** The expression that stands behind `warehouse:` in the configuration. */
  readonly configText: string
  /** Makes what must be there before any program runs, and tells it. */
  readonly prepare: (project: Project, story: Story) => Effect.Effect<void, ConnectorError>
  /** The project as those use it who read marts. */
  readonly readBy: (project: Project) => Project
  /** What becomes of a transaction that a killed process leaves open. */
  readonly afterKill: string
}

/** Starts what the engine needs; files of its own go into `folder`. */
export const open = (engine: Engine, folder: string): Effect.Effect<Place, ConnectorError, Scope.Scope> =>
  engine === "duckdb" ? Effect.succeed(embedded) : account(folder)

const embedded: Place = {
  dialect: duckdb,
  configText: `Project.duckdb("warehouse.duckdb")`,
  prepare: () => Effect.void,
  readBy: (project) => project,
  afterKill: "Nobody cleans up."
}

/** Snowflake's own patience is five minutes: the demo is over by then. */
const idleAbortMs = 3000

/** User of the programs and of those who read marts; a program is the publisher. */
const user = "DEMO"
const publisher = "NORTHSTAR_PUBLISHER"
const reader = { role: "NORTHSTAR_AUDITOR", warehouse: "NORTHSTAR_BI" } as const

const account = Effect.fn("Place.account")(function* (folder: string) {
  const local = yield* LocalSnowflake.start({ behaviour: { idleAbortMs } })
  const file = join(folder, "snowflake-key.pem")
  const publicKey = yield* writeKey(file)
  const config = {
    account: local.account,
    accessUrl: local.accessUrl,
    user,
    privateKey: { file },
    cadenceSeconds: 1
  }
  return {
    dialect: snowflake,
    configText: `Project.snowflake(${JSON.stringify(config)})`,
    prepare: (project, story) => prepare(local, publicKey, project, story),
    readBy: (project) =>
      project.warehouse.kind === "snowflake" ? { ...project, warehouse: { ...project.warehouse, ...reader } } : project,
    afterKill: `Nobody cleans up: a transaction that was open keeps its locks. Snowflake rolls it back when it has been idle for 5 minutes and somebody waits for it, this one after ${span(idleAbortMs)}.`
  } satisfies Place
})

const prepare = Effect.fnUntraced(function* (
  local: LocalSnowflake.LocalSnowflake,
  publicKey: string,
  project: Project,
  story: Story
) {
  const administrator = {
    user: local.admin.user,
    role: "ACCOUNTADMIN",
    privateKey: Redacted.make(local.admin.privateKey)
  }
  const { applied } = yield* WarehouseSetup.apply(project, administrator, { destructive: false })
  yield* local.execute(`CREATE USER ${user} RSA_PUBLIC_KEY = '${publicKey}' DEFAULT_ROLE = ${publisher}`)
  for (const role of [publisher, reader.role]) yield* local.execute(`GRANT ROLE ${role} TO USER ${user}`)
  yield* story.step(
    "plain",
    `a local Snowflake runs on port ${new URL(local.accessUrl).port}; northstar warehouse apply makes its tables, roles, grants and warehouses in ${count(applied.length)} steps`,
    `The unmodified driver connects to it. Programs work as ${publisher}, marts are read as ${reader.role} on a warehouse of its own.`
  )
})

/** Writes a new private key that only its owner may read, and returns the public one as PEM. */
const writeKey = (file: string) =>
  Effect.try({
    try: () => {
      const { privateKey, publicKey } = generateKeyPairSync("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" }
      })
      writeFileSync(file, privateKey, { mode: 0o600 })
      return publicKey
    },
    catch: (cause) =>
      new ConnectorError({
        connector: "demo",
        operation: "prepare its folder",
        detail: `${file} cannot be written`,
        action: "Check its rights and the free space.",
        reason: new StorageFull({ cause })
      })
  })
