import { readFileSync } from "node:fs"
import * as Project from "@northstar/connectors/project/Project"
import * as Marts from "./Marts.ts"
import * as Tables from "./Tables.ts"

/** Northstar Retail's own project: the shop's orders, and the marts over them. */
export default Project.define({
  name: "northstar",
  source: Project.postgres({ url: process.env["NORTHSTAR_POSTGRES_URL"] }),
  tables: Tables.all,
  marts: Marts.all.map(({ file, name }) => ({ name, query: readFileSync(file, "utf8") }))
})
