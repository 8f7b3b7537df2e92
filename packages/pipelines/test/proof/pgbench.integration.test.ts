import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as Init from "@northstar/connectors/project/Init"
import * as Ingest from "@northstar/connectors/project/Ingest"
import { postgresFeed, type Project } from "@northstar/connectors/project/Project"
import * as Reconcile from "@northstar/connectors/project/Reconcile"
import { Effect, Fiber, Redacted } from "effect"
import { query } from "../Shop.ts"
import * as Oracle from "./Oracle.ts"
import * as Pgbench from "./Pgbench.ts"
import * as Stand from "./Stand.ts"

it.live(
  "a database that is not ours is initialised, ingested and reconciled to zero differences under its traffic",
  () =>
    Effect.gen(function* () {
      const server = yield* Postgres.start()
      const folder = yield* Stand.folder
      yield* query(server.url, "create database bank")
      const url = server.url.replace(/postgres$/, "bank")
      yield* query(url, Pgbench.schema)
      let transactions = 0
      const clients = yield* Effect.forEach([1, 2, 3], (client) =>
        Effect.forkScoped(Pgbench.traffic(url, `client ${client}`, () => (transactions += 1)))
      )

      const file = join(folder, "northstar.config.ts")
      const initialised = yield* Init.init({ url: Redacted.make(url), file, force: false, apply: undefined })
      expect(initialised.setup).toBe("applied")
      expect(initialised.tables.map(({ source }) => source).toSorted()).toEqual([
        "public.pgbench_accounts",
        "public.pgbench_branches",
        "public.pgbench_tellers"
      ])
      expect(initialised.left.map(({ source }) => source)).toEqual(["public.pgbench_history"])
      const project = yield* load(file, url, folder)
      const feed = postgresFeed(project)!

      yield* Ingest.ingest(project, { untilCaughtUp: true })
      const ingest = yield* Effect.forkScoped(Ingest.ingest(project, { untilCaughtUp: false }))
      const before = transactions
      const report = yield* Reconcile.reconcile(feed, { full: true })
      expect(transactions).toBeGreaterThan(before)
      expect(report.tables.flatMap(({ table, differences }) => differences.map((found) => ({ table, found })))).toEqual(
        []
      )
      expect(report.agree).toBe(true)
      expect(report.tables.find(({ table }) => table === "pgbench_accounts")?.sourceRows).toBe(20_000)

      yield* Effect.forEach(clients, (client) => Fiber.interrupt(client))
      yield* Fiber.interrupt(ingest)
      yield* Ingest.ingest(project, { untilCaughtUp: true })
      const { problems } = yield* Oracle.judge({ url, folder }, feed.tables)
      expect(problems).toEqual([])
    }),
  300_000
)

/** The configuration as it was written, with its landing log and warehouse in a folder of ours. */
const load = (file: string, url: string, folder: string): Effect.Effect<Project> =>
  Effect.promise(async () => {
    process.env[Init.urlVariable] = url
    // Sound: a configuration's default export is its project.
    const { default: project } = (await import(/* @vite-ignore */ file)) as { readonly default: Project }
    return project
  }).pipe(Effect.map((project) => ({ ...project, ...placesOf({ url, folder }) })))

const placesOf = (stand: Stand.Stand) => {
  const { landing, warehouse } = Stand.shop(stand).project
  return { landing, warehouse }
}
