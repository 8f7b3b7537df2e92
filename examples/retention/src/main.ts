import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import { clean, plan } from "./Cleaning.ts"

const [file = "northstar.config.ts", flag] = process.argv.slice(2)

const { due, orphans } = await Load.project(file).pipe(
  Effect.flatMap(flag === "--apply" ? clean : plan),
  Effect.runPromise
)
const megabytes = ((due.bytes + orphans.bytes) / 1_000_000).toFixed(1)
process.stdout.write(`${due.records} records are due, ${orphans.keys.length} files are orphans: ${megabytes} MB\n`)
for (const { consumer, oldest, state } of due.holds) {
  process.stdout.write(`${state}: ${consumer} has not read record ${oldest} and those after it\n`)
}
