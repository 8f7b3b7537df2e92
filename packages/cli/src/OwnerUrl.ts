import { Flags } from "@oclif/core"

/** The flag for the URL of a role that owns the tables. Its value is never cached in the manifest, nor printed. */
export const ownerUrl = Flags.custom({
  summary: "URL of the owner of the tables.",
  helpValue: "<url>",
  env: "NORTHSTAR_POSTGRES_OWNER_URL",
  noCacheDefault: true,
  required: true
})
