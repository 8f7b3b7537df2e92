import { generateKeyPairSync } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Clock, Duration, Effect, Option, Redacted, Schedule } from "effect"
import * as Batch from "@northstar/core/Batch"
import * as Column from "@northstar/core/Column"
import * as Pipeline from "@northstar/core/Pipeline"
import * as Table from "@northstar/core/Table"
import * as LandingLog from "../../src/landing/LandingLog.ts"
import * as LocalSnowflake from "../../src/local/snowflake/LocalSnowflake.ts"
import * as Project from "../../src/project/Project.ts"
import * as Services from "../../src/project/Services.ts"
import { load, loadKey } from "../../src/project/Streams.ts"
import * as WarehouseSetup from "../../src/project/WarehouseSetup.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { block, guarded, relation } from "../landing/Blocks.ts"
import { position } from "./Subject.ts"

/** The project's only table; nothing that lands has a `spare`. */
const orders = Table.make("orders", {
  columns: {
    id: Column.int64,
    total: Column.nullable(Column.decimal(12, 2)),
    placed: Column.nullable(Column.date),
    spare: Column.nullable(Column.text)
  },
  key: ["id"],
  event: { column: "placed" }
})
const shape = relation("public.orders", ["id", "total", "placed", "spare"])

/** A key pair as PEM texts. */
export const keyPair = () =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  })

/** What a configuration says of the warehouse that the project has in the account. */
export type Changes = Partial<Omit<Parameters<typeof Project.snowflake>[0], "privateKey">> & {
  readonly privateKey?: string
}

/** Waits of retries and timeouts a fiftieth as long. */
export const hasty = Effect.map(Clock.Clock, (clock) => {
  const sleep = (duration: Duration.Duration) => clock.sleep(Duration.times(duration, 1 / 50))
  // Sound: in everything else it is the clock that it inherits from.
  return Object.assign(Object.create(clock), { sleep }) as Clock.Clock
})

/**
 * An account that `northstar warehouse apply` has put together for a project whose landing log is a new folder, and the
 * program that loads it: a user of the publisher's role alone.
 */
export const make = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-account-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  mkdirSync(join(folder, "landing"))
  const local = yield* LocalSnowflake.start()
  const key = keyPair()
  const source = Project.postgres({ name: "shop", url: "postgres://nowhere", tables: [orders] })
  const projectWith = (changes: Changes = {}) =>
    Project.define({
      name: "account",
      sources: [source],
      landing: Project.folder(join(folder, "landing")),
      warehouse: Project.snowflake({
        account: local.account,
        accessUrl: local.accessUrl,
        user: "PROGRAM",
        privateKey: key.privateKey,
        role: "NORTHSTAR_PUBLISHER",
        warehouse: "NORTHSTAR_LOAD",
        database: "NORTHSTAR",
        ...changes
      })
    })
  const feedWith = (changes: Changes = {}) => Project.feed(projectWith(changes), source)
  const project = projectWith()
  const admin = { ...local.admin, privateKey: Redacted.make(local.admin.privateKey), role: "ACCOUNTADMIN" }
  const apply = WarehouseSetup.apply(project, admin, { destructive: false })
  yield* apply
  yield* local.execute(`CREATE USER program RSA_PUBLIC_KEY = '${key.publicKey}' DEFAULT_ROLE = NORTHSTAR_PUBLISHER`)
  yield* local.execute("GRANT ROLE NORTHSTAR_PUBLISHER TO USER program")
  /** Lands one record of orders: `[id, total, placed]`. */
  const land = Effect.fnUntraced(
    function* (n: number, rows: ReadonlyArray<readonly [string, string, string]>) {
      const writer = yield* LandingLog.sink({ stream: feedWith().log, revision: 1 }).open(
        { pipeline: "account", stream: "shop/capture" },
        position
      )
      const after = n === 1 ? Option.none<bigint>() : Option.some(BigInt(n - 1))
      const values = rows.map((row, ordinal) => ({ position: BigInt(n), ordinal, values: [...row, null] }))
      yield* writer.commit(Batch.make({ after, through: BigInt(n) }, [guarded(block(shape, values))]))
    },
    Effect.provide(Services.landing(project.landing))
  )
  /** One cycle of the load program: a process of its own that loads what has landed, without the pipeline's own retry. */
  const cycle = Effect.fnUntraced(function* (changes: Changes = {}) {
    const feed = feedWith(changes)
    const pipeline = { ...load(feed, loadKey(feed)), retry: Schedule.recurs(0) }
    return yield* Pipeline.run(pipeline, { program: "load", untilCaughtUp: true }).pipe(
      Effect.provide(Services.layer(feed.project)),
      Effect.scoped
    )
  })
  /** Rows of one query as the program sees them. */
  const ask = (sql: string) =>
    Effect.flatMap(Warehouse, ({ session }) => Effect.flatMap(session, ({ query }) => query(sql))).pipe(
      Effect.scoped,
      Effect.provide(Services.warehouse(project.warehouse))
    )
  return { local, folder: join(folder, "landing"), key, apply, land, cycle, ask }
})
