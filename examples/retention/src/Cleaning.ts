import { Effect } from "effect"
import * as Retention from "@northstar/connectors/landing/Retention"
import type { Project } from "@northstar/connectors/project/Project"
import * as Services from "@northstar/connectors/project/Services"
import { Warehouse } from "@northstar/connectors/warehouse/Warehouse"

/** What would be removed from a project's landing log: data that is due, and what failed attempts left behind. */
export const plan = (project: Project) =>
  Effect.gen(function* () {
    const { session: open } = yield* Warehouse
    const session = yield* open
    // Parked tables count: their changes wait in the log.
    const [row] = yield* session.query(
      "SELECT min(coalesce(through, '0')) AS through FROM northstar.watermarks WHERE pipeline = ? AND stream = 'main'",
      [project.name]
    )
    const warehouse = { name: "warehouse", sequence: BigInt(String(row?.["through"] ?? "0")) }
    const due = yield* Retention.plan({ stream: project.name, consumers: [warehouse] })
    const orphans = yield* Retention.sweep({ stream: project.name })
    return { due, orphans }
  }).pipe(Effect.scoped, Effect.provide(Services.layer(project)))

/** Plans, then removes. Safe to kill and to run again. */
export const clean = (project: Project) =>
  Effect.gen(function* () {
    const { due, orphans } = yield* plan(project)
    yield* Effect.forEach([due, orphans], Retention.apply).pipe(Effect.provide(Services.landing(project.landing)))
    return { due, orphans }
  })
