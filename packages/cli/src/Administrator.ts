import { Flags } from "@oclif/core"
import type { Administrator } from "@northstar/connectors/project/WarehouseSetup"
import { Redacted } from "effect"

/** `--admin-user`, `--admin-key-file` and `--admin-role`: who makes a Snowflake account's objects. A DuckDB file needs none. */
export const administratorFlags = {
  user: Flags.string({
    summary: "Snowflake user who makes the objects.",
    helpValue: "<user>",
    env: "NORTHSTAR_SNOWFLAKE_ADMIN_USER",
    noCacheDefault: true,
    dependsOn: ["admin-key-file"]
  }),
  keyFile: Flags.string({
    summary: "File with that user's private key; its passphrase is NORTHSTAR_SNOWFLAKE_ADMIN_PASSPHRASE.",
    helpValue: "<file>",
    env: "NORTHSTAR_SNOWFLAKE_ADMIN_KEY_FILE",
    noCacheDefault: true,
    dependsOn: ["admin-user"]
  }),
  role: Flags.string({
    summary: "Role to make them as.",
    helpValue: "<role>",
    env: "NORTHSTAR_SNOWFLAKE_ADMIN_ROLE",
    noCacheDefault: true,
    default: "ACCOUNTADMIN"
  })
}

/** The administrator that the flags name, if they name one. */
export const administrator = (flags: {
  readonly "admin-user": string | undefined
  readonly "admin-key-file": string | undefined
  readonly "admin-role": string
}): Administrator | undefined => {
  const user = flags["admin-user"]
  const file = flags["admin-key-file"]
  if (user === undefined || file === undefined) return undefined
  // A flag would show it in the list of processes.
  const passphrase = process.env["NORTHSTAR_SNOWFLAKE_ADMIN_PASSPHRASE"]
  return {
    user,
    role: flags["admin-role"],
    privateKey: { file },
    ...(passphrase === undefined ? {} : { passphrase: Redacted.make(passphrase, { label: "passphrase" }) })
  }
}
