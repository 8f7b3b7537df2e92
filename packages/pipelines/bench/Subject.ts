import * as Project from "@northstar/connectors/project/Project"
import { join } from "node:path"
import { all } from "../src/Tables.ts"
import { publication, slot } from "./Backlog.ts"

/** The stream, and the pipeline's name. */
export const name = "bench"

/** The shop's pipeline as `northstar ingest` runs it, its landing log and warehouse below `folder`. */
export const project = (url: string, folder: string): Project.Project =>
  Project.define({
    name,
    source: Project.postgres({ url, slot, publication }),
    landing: Project.folder(join(folder, "landing")),
    warehouse: Project.duckdb(join(folder, "warehouse.duckdb")),
    tables: all
  })
