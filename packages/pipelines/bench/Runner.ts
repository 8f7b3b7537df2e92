import { Effect } from "effect"
import { spawn } from "node:child_process"
import { constants, cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Measurement, Options } from "./Worker.ts"

/** What every measurement shares. */
export interface Runner {
  readonly url: string
  /** Holds landing logs and warehouses. */
  readonly folder: string
}

/** Landing log and warehouse as they are before a measurement. */
export const template = ({ folder }: Runner): string => join(folder, "template")

/** Copies the template to a folder of this name. */
const copyTemplate = (runner: Runner, name: string): Effect.Effect<string> =>
  Effect.sync(() => {
    const to = join(runner.folder, name)
    cpSync(template(runner), to, {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (path) => !path.endsWith(".sock")
    })
    return to
  })

/** Uses a copy of the template, and removes it. */
export const onCopy = <A, E, R>(
  runner: Runner,
  use: (folder: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(copyTemplate(runner, "copy"), use, (folder) =>
    Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const worker = fileURLToPath(new URL("Worker.ts", import.meta.url))

/** Runs one measurement in a process of its own. A process that fails is a defect of the bench. */
export const run = (runner: Runner, measurement: Measurement, options: Partial<Options>): Effect.Effect<unknown> =>
  Effect.callback((resume) => {
    const args = [...process.execArgv, worker, measurement, JSON.stringify({ url: runner.url, ...options })]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
    let out = ""
    child.stdout.on("data", (chunk) => {
      out += String(chunk)
    })
    child.once("close", (code) => {
      const last = out.trimEnd().split("\n").at(-1) ?? ""
      resume(
        code === 0
          ? Effect.sync(() => JSON.parse(last) as unknown)
          : Effect.die(`${measurement} ended with ${code}: ${out}`)
      )
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
