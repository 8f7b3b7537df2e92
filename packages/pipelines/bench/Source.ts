import * as Postgres from "@northstar/connectors/local/Postgres"
import * as Ingest from "@northstar/connectors/project/Ingest"
import { Effect } from "effect"
import * as Backlog from "./Backlog.ts"
import * as Check from "./Check.ts"
import { say } from "./Report.ts"
import * as Runner from "./Runner.ts"
import * as Seed from "./Seed.ts"
import { shop } from "./Subject.ts"

/** A server of our own. */
export const server = (folder: string) =>
  Effect.map(
    Postgres.start({ settings: { max_wal_size: "8GB", checkpoint_timeout: "1h" } }),
    ({ url }): Runner.Runner => ({ url, folder })
  )

/** A server with the shop's empty tables, ingested once into the template, and its curated tables filled with older rows. */
export const prepared = Effect.fnUntraced(function* (folder: string, lines: number) {
  yield* say("preparing: the shop's empty tables are ingested once, then curated is filled")
  const runner = yield* server(folder)
  yield* Backlog.tables(runner.url)
  yield* Backlog.begin(runner.url)
  yield* Ingest.ingest(shop(runner.url, Runner.template(runner)).project, { untilCaughtUp: true })
  yield* Backlog.mark(runner.url)
  const { project } = shop(runner.url, Runner.template(runner))
  // Ledger lines of the empty snapshot are none of the changes that will be counted.
  yield* Check.withSession(project, (session) => session.execute("DELETE FROM northstar.batches"))
  if (lines > 0) yield* Seed.fill(project, lines)
  return runner
})
