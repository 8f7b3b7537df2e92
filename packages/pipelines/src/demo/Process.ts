import { type ChildProcess, spawn } from "node:child_process"
import { closeSync, openSync, readFileSync } from "node:fs"
import { Effect, type Scope } from "effect"

/** A `northstar` that runs beside us. */
export interface Process {
  readonly pid: number
  /** Ends it without a word, as a machine that loses power does (SIGKILL), and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /** Asks it to end (SIGTERM) and waits for its exit code. */
  readonly stop: Effect.Effect<number | null>
  /** Waits until it has ended by itself; `null` after a signal. */
  readonly ended: Effect.Effect<number | null>
  /** What it has printed so far. */
  readonly output: Effect.Effect<string>
}

/**
 * The shell's watcher holds one end of a socket pair whose other end is ours: however this process ends, the watcher
 * reads end of file and kills the child, so that none is left behind. `exec` makes the child's PID the shell's.
 */
const watched = '(read -r _ <&3; kill -KILL $$) >/dev/null 2>&1 & exec "$0" "$@" 3<&-'

/**
 * Starts a command line whose output goes to the file `log`; it is killed when the scope closes or this process ends
 * in any way. A session of its own keeps the terminal's Ctrl-C away from it.
 */
export const start = (
  command: ReadonlyArray<string>,
  options: { readonly log: string; readonly env: Readonly<Record<string, string>> }
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => launch(command, options)),
      (child) => Effect.andThen(signal(child, "SIGKILL"), ended(child))
    ),
    (child) => ({
      pid: child.pid ?? 0,
      kill: Effect.andThen(signal(child, "SIGKILL"), Effect.asVoid(ended(child))),
      stop: Effect.andThen(signal(child, "SIGTERM"), ended(child)),
      ended: ended(child),
      output: Effect.sync(() => readFileSync(options.log, "utf8"))
    })
  )

const launch = (command: ReadonlyArray<string>, { env, log }: Parameters<typeof start>[1]): ChildProcess => {
  const fd = openSync(log, "w")
  const child = spawn("/bin/sh", ["-c", watched, ...command], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ["ignore", fd, fd, "pipe"]
  })
  closeSync(fd)
  // Unheard, the event of a shell that cannot start would end this process; the exit code tells.
  child.on("error", () => {})
  child.stdio[3]?.on("error", () => {})
  child.once("exit", () => child.stdio[3]?.destroy())
  return child
}

const signal = (child: ChildProcess, name: "SIGKILL" | "SIGTERM"): Effect.Effect<void> =>
  Effect.sync(() => {
    if (!hasEnded(child)) child.kill(name)
  })

const ended = (child: ChildProcess): Effect.Effect<number | null> =>
  Effect.callback((resume) => {
    const done = () => resume(Effect.succeed(child.exitCode))
    if (hasEnded(child)) return done()
    child.once("exit", done)
    return Effect.sync(() => child.off("exit", done))
  })

/** Without a PID it never began. */
const hasEnded = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null
