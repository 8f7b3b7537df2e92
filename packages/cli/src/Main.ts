import { fileURLToPath } from "node:url"
import { Errors, flush, run } from "@oclif/core"

/** Runs the command that `args` name and sets the exit code. Loads no more than the command itself needs. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  try {
    await run([...args], { root: fileURLToPath(new URL("..", import.meta.url)) })
  } catch (error) {
    // oclif ends help and version requests by throwing.
    if (error instanceof Errors.ExitError) process.exitCode = error.oclif.exit ?? 0
    // Commands report their own failures; what comes here belongs to none, such as an unknown command.
    else await report(args, error)
  }
  await flush()
}

const report = async (args: ReadonlyArray<string>, error: unknown): Promise<void> => {
  const Failure = await import("./Failure.ts")
  const failure = Failure.fromError(error)
  process.exitCode = failure.code
  if (args.includes("--json")) process.stdout.write(`${JSON.stringify({ error: failure }, null, 2)}\n`)
  else process.stderr.write(Failure.render(failure))
  if (args.includes("--debug") && error instanceof Error) process.stderr.write(`${error.stack}\n`)
}
