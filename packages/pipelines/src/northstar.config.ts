import { readFileSync } from "node:fs"
import * as Project from "@northstar/connectors/project/Project"
import * as Versions from "@northstar/connectors/warehouse/Versions"
import * as Marts from "./Marts.ts"
import * as Partners from "./Partners.ts"
import * as Payments from "./Payments.ts"
import * as Tables from "./Tables.ts"

/** Northstar Retail's own project: the shop's orders, its payments, what its partners report, and the marts over them. */
export default Project.define({
  name: "northstar",
  sources: [
    Project.postgres({ name: "shop", url: process.env["NORTHSTAR_POSTGRES_URL"], tables: Tables.all }),
    Project.stripe({
      apiKey: process.env["STRIPE_API_KEY"],
      endpoint: process.env["STRIPE_ENDPOINT"],
      tables: Payments.all
    }),
    Project.files({
      name: "partners",
      from: Project.folder(process.env["NORTHSTAR_DROP_FOLDER"] ?? ".northstar/drop"),
      contracts: Partners.all
    })
  ],
  marts: [
    ...Marts.all.map(({ file, name }) => ({ name, query: readFileSync(file, "utf8") })),
    ...[...Payments.facts, ...Partners.facts].map(Versions.view)
  ]
})
