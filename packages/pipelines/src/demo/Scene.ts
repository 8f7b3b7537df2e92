import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as LocalStripe from "@northstar/connectors/local/stripe/LocalStripe"
import * as Load from "@northstar/connectors/project/Load"
import type { PostgresFeed, Project } from "@northstar/connectors/project/Project"
import * as SourceSetup from "@northstar/connectors/project/SourceSetup"
import type { Dialect } from "@northstar/connectors/warehouse/Dialect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { Clock, Effect, Redacted } from "effect"
import * as Database from "../shop/Database.ts"
import * as OnlineRetail from "../shop/OnlineRetail.ts"
import * as Replay from "../shop/Replay.ts"
import * as Schema from "../shop/Schema.ts"
import * as Place from "./Place.ts"
import * as Process from "./Process.ts"
import type { Story } from "./Story.ts"

/** What a demo plays on: a shop's database, its Stripe account, a drop folder, its project, and the folder of everything that is written. */
export interface Scene {
  readonly folder: string
  readonly url: string
  readonly port: number
  readonly major: number
  /** The project as `config` describes it. */
  readonly project: Project
  /** The same as those use it who read marts. */
  readonly reader: Project
  /** How the warehouse's engine says what SQL leaves open. */
  readonly dialect: Dialect
  /** What becomes of a transaction that a killed process leaves open. */
  readonly afterKill: string
  /** Where the warehouse is not DuckDB: the same project with an empty DuckDB file. */
  readonly twin: Twin | undefined
  /** Its database. */
  readonly shop: PostgresFeed
  /** Its Stripe account; stands still unless it is moved. */
  readonly stripe: LocalStripe.LocalStripe
  /** Where its partners put their files. */
  readonly drop: string
  readonly config: string
  /** Starts `northstar <args> --config <config>` in a process of its own, which prints into `<log>.log`. */
  readonly northstar: (log: string, ...args: ReadonlyArray<string>) => ReturnType<typeof Process.start>
}

/** A project and the file that describes it. */
export interface Twin {
  readonly config: string
  readonly project: Project
}

/** First line of a demo's configuration: how a folder of ours is known. */
const mark = "// Written by northstar demo, which removes what stands beside this file when it runs again."

const configText = (warehouse: string) => `${mark}
import * as Project from "@northstar/connectors/project/Project"
import northstar from "@northstar/pipelines/northstar.config"
import * as Partners from "@northstar/pipelines/Partners"
import * as Payments from "@northstar/pipelines/Payments"
import * as Tables from "@northstar/pipelines/Tables"

export default Project.define({
  ...northstar,
  name: "demo",
  sources: [
    Project.postgres({ name: "shop", url: process.env["NORTHSTAR_POSTGRES_URL"], tables: Tables.all, heartbeatSeconds: 1 }),
    Project.stripe({
      apiKey: process.env["STRIPE_API_KEY"],
      endpoint: process.env["STRIPE_ENDPOINT"],
      tables: Payments.all,
      pollSeconds: 2
    }),
    Project.files({ name: "partners", from: Project.folder("drop"), contracts: Partners.all, pollSeconds: 1 })
  ],
  landing: Project.folder("landing"),
  warehouse: ${warehouse}
})
`

const twinText = `import * as Project from "@northstar/connectors/project/Project"
import demo from "./${Load.fileName}"

export default { ...demo, warehouse: Project.duckdb("warehouse.duckdb") }
`

/** A reader of the slot that is silent so long is given up: a second one need not wait longer to know that the first lives. */
const hasty = "alter role current_user set wal_sender_timeout = '6s';"

/** How long before now the Stripe account was opened. */
export const accountAgeMs = 8 * 86_400_000

/** Starts the database, the Stripe account and the warehouse, creates the shop's tables and writes the project's configuration into an emptied `folder`. */
export const open = Effect.fn("Scene.open")(function* (options: {
  readonly folder: string
  readonly engine: Place.Engine
  readonly northstar: ReadonlyArray<string>
  readonly story: Story
}) {
  const folder = resolve(options.folder)
  const config = join(folder, Load.fileName)
  yield* emptied(folder, config)
  const drop = join(folder, "drop")
  const place = yield* Place.open(options.engine, folder)
  yield* written(config, configText(place.configText))
  const { major, port, url } = yield* Postgres.start()
  const stripe = yield* LocalStripe.start({ startMs: (yield* Clock.currentTimeMillis) - accountAgeMs })
  const env = {
    NORTHSTAR_POSTGRES_URL: url,
    STRIPE_API_KEY: stripe.apiKey,
    STRIPE_ENDPOINT: `http://${stripe.host}:${stripe.port}`,
    // Nobody needs to read these tokens once the demo is over.
    NORTHSTAR_CARD_KEYS: yield* Effect.sync(() => randomBytes(32).toString("base64"))
  }
  yield* Effect.scoped(Effect.flatMap(Database.connect(url), (database) => database.script(Schema.create + hasty)))
  const project = yield* Load.project(config)
  const shop = yield* Load.postgres(config)
  yield* place.prepare(project, options.story)
  return {
    folder,
    url,
    port,
    major,
    project,
    reader: place.readBy(project),
    dialect: place.dialect,
    afterKill: place.afterKill,
    twin: options.engine === "duckdb" ? undefined : yield* twinIn(folder),
    shop: { ...shop, source: { ...shop.source, url: Redacted.make(url, { label: "postgres url" }) } },
    stripe,
    drop,
    config,
    northstar: (log, ...args) =>
      Process.start([...options.northstar, ...args, "--config", config], { log: join(folder, `${log}.log`), env })
  } satisfies Scene
})

const twinIn = Effect.fnUntraced(function* (folder: string): Effect.fn.Return<Twin, ConnectorError> {
  const config = join(folder, "duckdb.config.ts")
  yield* written(config, twinText)
  return { config, project: yield* Load.project(config) }
})

/** Fills the shop with what was ordered before `liveFromMs` and returns the plan of what happens from then on. */
export const fill = Effect.fn("Scene.fill")(function* (
  { url }: Scene,
  options: { readonly seed: string; readonly liveFromMs: number }
) {
  const orders = yield* OnlineRetail.load
  const plan = yield* Replay.plan(orders, options)
  yield* Replay.fill(url, plan.history)
  const past = orders.filter(({ placedAtMs }) => placedAtMs < options.liveFromMs)
  const lines = past.reduce((sum, order) => sum + order.lines.length, 0)
  return { orders: past.length, lines, events: plan.events, lives: plan.lives }
})

/** What `northstar source apply` does: publication, rights and slot. */
export const prepareSource = ({ shop, url }: Scene) =>
  SourceSetup.apply(shop, Redacted.make(url), { destructive: false })

const emptied = (folder: string, config: string): Effect.Effect<void, ConnectorError> =>
  Effect.gen(function* () {
    const isOurs = existsSync(config) && readFileSync(config, "utf8").startsWith(mark)
    if (existsSync(folder) && readdirSync(folder).length > 0 && !isOurs) {
      const detail = `${folder} holds files that are not of an earlier demo`
      return yield* refuse(detail, "Name another folder, or empty this one.")
    }
    yield* Effect.try({
      try: () => {
        rmSync(folder, { recursive: true, force: true })
        mkdirSync(join(folder, "drop"), { recursive: true })
        // The folder is ours from now on, whatever becomes of the demo.
        writeFileSync(config, `${mark}\n`)
      },
      catch: (cause) => unwritable(folder, cause)
    })
  })

const written = (file: string, content: string) =>
  Effect.try({ try: () => writeFileSync(file, content), catch: (cause) => unwritable(dirname(file), cause) })

const refuse = (detail: string, action: string) =>
  new ConnectorError({
    connector: "demo",
    operation: "prepare its folder",
    detail,
    action,
    reason: new Misconfigured({ detail })
  })

const unwritable = (folder: string, cause: unknown) =>
  refuse(
    `${folder} cannot be written: ${cause instanceof Error ? cause.message : "unknown reason"}`,
    "Check its rights and the free space."
  )
