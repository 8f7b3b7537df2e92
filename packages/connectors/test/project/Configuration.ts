import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

/** A folder of its own outside every package, until the scope closes. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-project-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Writes a configuration and returns its path. */
export const write = (folder: string, text: string): string => {
  const path = join(folder, "northstar.config.ts")
  writeFileSync(path, text)
  return path
}

const program = (load: "project" | "postgresWithUrl") => `
  import { Effect } from "effect"
  import * as Load from "@northstar/connectors/project/Load"
  const result = await Effect.runPromise(Effect.result(Load.${load}(process.argv[1])))
  console.log(JSON.stringify(result._tag === "Success" ? { project: result.success.project ?? result.success } : {
    tag: result.failure.reason._tag, detail: result.failure.detail, action: result.failure.action
  }))`

/** Loads a configuration as the tool does: in Node, which vitest's own loader is not. */
export const load = (
  path: string,
  how: "project" | "postgresWithUrl" = "project",
  env: NodeJS.ProcessEnv = {}
): Loaded => {
  const args = ["--conditions=northstar-source", "--input-type=module", "--eval", program(how), path]
  const run = spawnSync(process.execPath, args, { encoding: "utf8", env: { PATH: process.env["PATH"], ...env } })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout) as Loaded
}

/** A project as JSON, or the failure. */
export interface Loaded {
  readonly project?: {
    readonly name: string
    readonly landing: { readonly folder: string }
    readonly warehouse: { readonly file: string }
    readonly sources: ReadonlyArray<{
      readonly tables: ReadonlyArray<{
        readonly name: string
        readonly source: string
        readonly key: ReadonlyArray<string>
        readonly columns: Readonly<Record<string, { readonly type: unknown; readonly nullable: boolean }>>
      }>
    }>
  }
  readonly tag?: string
  readonly detail?: string
  readonly action?: string
}
