import * as Project from "@northstar/connectors/project/Project"
import type { Table } from "@northstar/core/Table"
import { join } from "node:path"
import * as Partners from "../src/Partners.ts"
import { all } from "../src/Tables.ts"
import { publication, slot } from "./Backlog.ts"

/** As fast as it goes: benches ask what can be done, not what is good for a source at work. */
const unthrottled = { rowsPerSecondMax: 1e9 }

/** The shop's pipeline as `northstar ingest` runs it, its landing log and warehouse below `folder`. */
export const shop = (
  url: string,
  folder: string,
  options: { readonly tables?: ReadonlyArray<Table>; readonly heartbeatSeconds?: number } = {}
): Project.PostgresFeed => {
  const source = Project.postgres({
    name: "shop",
    url,
    slot,
    publication,
    tables: all,
    snapshot: unthrottled,
    ...options
  })
  const project = Project.define({
    name: "bench",
    sources: [source],
    landing: Project.folder(join(folder, "landing")),
    warehouse: Project.duckdb(join(folder, "warehouse.duckdb"))
  })
  return Project.feed(project, source)
}

/** A partner's files in `<folder>/drop`, on the way that the shop's changes take. */
export const partner = (folder: string): Project.Project =>
  Project.define({
    name: "bench",
    sources: [
      Project.files({ name: "partner", from: Project.folder(join(folder, "drop")), contracts: [Partners.all[0]] })
    ],
    landing: Project.folder(join(folder, "landing")),
    warehouse: Project.duckdb(join(folder, "warehouse.duckdb"))
  })
