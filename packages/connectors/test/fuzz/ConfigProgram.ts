import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit } from "effect"
import { ConnectorError } from "@northstar/core/ConnectorError"
import * as Load from "../../src/project/Load.ts"

/**
 * Loads every configuration of a list of texts (JSON, on standard input) as the tool does, and prints for each what
 * came of it: `loaded`, the tag of the typed error, or what else happened. In a process of its own: Node itself runs
 * configurations, which a test runner's loader would not.
 */
const texts = JSON.parse(await new Response(process.stdin as never).text()) as ReadonlyArray<string>
const root = mkdtempSync(join(tmpdir(), "northstar-fuzz-"))
const outcomes: Array<string> = []
for (const [index, text] of texts.entries()) {
  const folder = join(root, String(index))
  mkdirSync(folder)
  const file = join(folder, Load.fileName)
  writeFileSync(file, text)
  const exit = await Effect.runPromiseExit(Load.project(file))
  const reason = Exit.isSuccess(exit) ? undefined : exit.cause.reasons[0]
  if (reason === undefined) outcomes.push("loaded")
  else if (reason._tag === "Fail" && reason.error instanceof ConnectorError) outcomes.push(reason.error.reason._tag)
  else outcomes.push(`untyped: ${String(reason._tag === "Die" ? reason.defect : reason._tag)}`)
}
rmSync(root, { recursive: true, force: true })
process.stdout.write(JSON.stringify(outcomes))
