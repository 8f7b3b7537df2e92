import { Effect } from "effect"
import * as WarehouseRollback from "../warehouse/Rollback.ts"
import { type Project, tables } from "./Project.ts"
import { schedule, statementTries } from "./Retry.ts"
import * as Services from "./Services.ts"

/** Says what taking a batch back would change, and changes nothing. */
export const plan = (project: Project, batch: string) =>
  WarehouseRollback.plan(tables(project), batch).pipe(Effect.provide(Services.layer(project)))

/**
 * Takes a batch back; a backfill of its range of the log brings it back. Tried again when another task was in its way,
 * not after a COMMIT of unknown outcome: it would be refused for having been taken back before.
 */
export const apply = (project: Project, batch: string) =>
  WarehouseRollback.apply(tables(project), batch).pipe(
    Effect.retry({ schedule: schedule(statementTries), while: ({ operation }) => operation !== "commit" }),
    Effect.provide(Services.layer(project))
  )
