import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { Effect, Schedule, type Scope } from "effect"
import type { Stand } from "./Stand.ts"
import type { Task } from "./Task.ts"

/** How a process ended. */
export interface Ended {
  /** `undefined`: it was killed. */
  readonly code: number | undefined
  /** Names of the failpoints that it passed, if it ended well and had no fault. */
  readonly passed: ReadonlyArray<string>
  /** The end of what it said. */
  readonly said: string
  /** All of its output. */
  readonly output: string
}

/** A process of its own that runs a task. */
export interface Process {
  /** Kills it by SIGKILL and waits until it is gone. */
  readonly kill: Effect.Effect<Ended>
  readonly ended: Effect.Effect<Ended>
  /** Waits for the first batch of an ingest that became durable (`capture`) or visible (`load`), or for the end. */
  readonly firstBatch: (stage: "capture" | "load") => Effect.Effect<void>
}

/** A fault: the process kills itself at the n-th passing of a failpoint. */
export interface Fault {
  readonly step: string
  readonly nth: number
}

/** Starts a task, with at most one fault or in a world that is out of joint; it is killed with the scope. */
export const start = (
  stand: Stand,
  run: Task["run"],
  fault?: Fault,
  world?: Task["world"]
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => launch({ stand, run, ...(world === undefined ? {} : { world }) }, fault)),
    ({ kill }) => kill
  )

/** Runs a task to its end. */
export const run = (stand: Stand, task: Task["run"], fault?: Fault): Effect.Effect<Ended> =>
  Effect.scoped(Effect.flatMap(start(stand, task, fault), ({ ended }) => ended))

/** Runs a task to its end, which must be a good one. */
export const succeed = (stand: Stand, task: Task["run"]): Effect.Effect<Ended> =>
  Effect.flatMap(run(stand, task), (ended) =>
    ended.code === 0 ? Effect.succeed(ended) : Effect.die(new Error(`${task.program} failed: ${ended.said}`))
  )

/** Ingests to the head of the source. */
export const catchUp = (stand: Stand): Effect.Effect<Ended> =>
  succeed(stand, { program: "ingest", untilCaughtUp: true })

const saidMax = 8192

/** Starts a program of this folder with its task in `NORTHSTAR_PROOF`, as JSON. It outlives every scope. */
export const launch = (task: unknown, fault: Fault | undefined, program = "Program.ts"): Process => {
  const { NORTHSTAR_FAILPOINT: _, ...inherited } = process.env
  const child = spawn(process.execPath, ["--conditions=northstar-source", join(import.meta.dirname, program)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...inherited,
      NORTHSTAR_PROOF: JSON.stringify(task),
      ...(fault === undefined ? {} : { NORTHSTAR_FAILPOINT: `${fault.step}:${fault.nth}` })
    }
  })
  return watch(child)
}

const watch = (child: ChildProcess): Process => {
  let output = ""
  let said = ""
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString("utf8")
  })
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-saidMax)
  })
  const closed = new Promise<Ended>((resolve) => {
    child.on("close", (code) => {
      const line = output.split("\n").find((text) => text.startsWith("passed "))
      resolve({
        code: code ?? undefined,
        // Sound: `Program.ts` writes a list of names.
        passed: line === undefined ? [] : (JSON.parse(line.slice("passed ".length)) as ReadonlyArray<string>),
        said: said === "" ? output.slice(-saidMax) : said,
        output
      })
    })
  })
  const ended = Effect.promise(() => closed)
  return {
    ended,
    kill: Effect.andThen(
      Effect.sync(() => child.kill("SIGKILL")),
      ended
    ),
    firstBatch: (stage) =>
      Effect.suspend(() => Effect.succeed(output.includes(`batch ${stage}`))).pipe(
        Effect.repeat({ until: (isThere) => isThere, schedule: Schedule.spaced("20 millis") }),
        Effect.raceFirst(ended),
        Effect.asVoid
      )
  }
}
