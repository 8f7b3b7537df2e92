import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"

/** The tool as users start it; runs what the last build made. */
export const bin = fileURLToPath(new URL("../bin/northstar.js", import.meta.url))

/** Outside every package, as another team's project is; gone when the scope closes. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-cli-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const environment = (env: NodeJS.ProcessEnv) => ({ PATH: process.env["PATH"], HOME: process.env["HOME"], ...env })

/** Runs the tool to its end. */
export const northstar = (
  cwd: string,
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv = {}
): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [bin, ...args], { cwd, encoding: "utf8", env: environment(env) })

/** Starts the tool and ends it with the scope. */
export const start = (cwd: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [bin, ...args], { cwd, env: environment(env) })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
