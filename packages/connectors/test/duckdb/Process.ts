import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

/** A folder of its own that goes with the scope. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-duckdb-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A process that runs one program of `Program.ts`. */
export interface Process {
  readonly pid: number
  /** Waits until it has said `line` (or something that starts with it) `times` times. */
  readonly said: (line: string, times?: number) => Effect.Effect<void>
  readonly kill: Effect.Effect<void>
  /** Its exit code. */
  readonly ended: Effect.Effect<number | null>
}

/** Starts another process on the file; it is killed with the scope. */
export const start = (program: string, file: string, argument = ""): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, arguments_(program, file, argument), { stdio: ["ignore", "pipe", "inherit"] })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    return watch(child)
  })

const arguments_ = (program: string, file: string, argument: string): Array<string> => [
  "--conditions=northstar-source",
  join(import.meta.dirname, "Program.ts"),
  program,
  file,
  argument
]

const watch = (child: ChildProcess): Process => {
  let output = ""
  let wake = new Set<() => void>()
  const woken = () => {
    const all = wake
    wake = new Set()
    for (const each of all) each()
  }
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8")
    woken()
  })
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve))
  return {
    pid: child.pid ?? 0,
    said: (line, times = 1) =>
      Effect.callback((resume) => {
        const look = () => {
          if (output.split("\n").filter((each) => each.startsWith(line)).length >= times) resume(Effect.void)
          else wake.add(look)
        }
        look()
      }),
    kill: Effect.andThen(
      Effect.sync(() => child.kill("SIGKILL")),
      Effect.promise(() => closed)
    ),
    ended: Effect.promise(() => closed)
  }
}
