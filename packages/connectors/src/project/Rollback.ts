import { Effect } from "effect"
import * as WarehouseRollback from "../warehouse/Rollback.ts"
import type { Project } from "./Project.ts"
import * as Services from "./Services.ts"

/** Says what taking a batch back would change, and changes nothing. */
export const plan = (project: Project, batch: string) =>
  WarehouseRollback.plan(project.tables, batch).pipe(Effect.provide(Services.layer(project)))

/** Takes a batch back; a backfill of its range of the log brings it back. */
export const apply = (project: Project, batch: string) =>
  WarehouseRollback.apply(project.tables, batch).pipe(Effect.provide(Services.layer(project)))
