/* Runs the suites that DuckDB and the local Snowflake pass on the Snowflake account that the environment describes, if it does. */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { describe, isWanted } from "../test/warehouse/RealAccount.ts"

/** Laws, fence truth table, equal results (D1). Each empties the one database, so they run one after the other. */
const suites = ["laws", "fence", "dialects"].map((name) => `test/warehouse/${name}.test.ts`)

const account = describe(process.env)
if (typeof account === "string") {
  console.log(`Skipped: ${account}. docs/RUNBOOK.md says how to prepare an account for the tests.`)
} else {
  console.log(`On account ${account.config.account}, database ${account.config.database}, bucket ${account.bucket}`)
  const options = ["--config", "vitest.workspace.ts", "--project", "connectors", "--no-file-parallelism"]
  const { status } = spawnSync("vitest", ["run", ...options, "-t", "Snowflake", "--testTimeout=3600000", ...suites], {
    cwd: fileURLToPath(new URL("../../..", import.meta.url)),
    env: { ...process.env, [isWanted]: "1" },
    stdio: "inherit"
  })
  process.exitCode = status ?? 1
}
