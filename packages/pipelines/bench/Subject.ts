import * as Project from "@northstar/connectors/project/Project"
import { join } from "node:path"
import { all } from "../src/Tables.ts"
import { publication, slot } from "./Backlog.ts"

/** The shop's pipeline as `northstar ingest` runs it, its landing log and warehouse below `folder`. */
export const shop = (url: string, folder: string): Project.PostgresFeed => {
  const source = Project.postgres({ name: "shop", url, slot, publication, tables: all })
  const project = Project.define({
    name: "bench",
    sources: [source],
    landing: Project.folder(join(folder, "landing")),
    warehouse: Project.duckdb(join(folder, "warehouse.duckdb"))
  })
  return Project.feed(project, source)
}
