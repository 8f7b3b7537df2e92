import { fileURLToPath } from "node:url"
import { flush, run } from "@oclif/core"
import { Predicate } from "effect"
import * as Failure from "./Failure.ts"

/** Runs the command that `args` name and sets the exit code. */
export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  try {
    await run([...args], { root: fileURLToPath(new URL("..", import.meta.url)) })
  } catch (error) {
    // Commands report their own failures; what comes here belongs to none, such as an unknown command.
    if (!isExit(error)) report(args, error)
  }
  await flush()
}

const report = (args: ReadonlyArray<string>, error: unknown): void => {
  const failure = Failure.fromError(error)
  process.exitCode = failure.code
  if (args.includes("--json")) process.stdout.write(`${JSON.stringify({ error: failure }, null, 2)}\n`)
  else process.stderr.write(Failure.render(failure))
  if (args.includes("--debug") && error instanceof Error) process.stderr.write(`${error.stack}\n`)
}

/** oclif ends help and version requests by throwing. */
const isExit = (error: unknown): boolean => {
  if (!Predicate.hasProperty(error, "code") || error.code !== "EEXIT") return false
  if (Predicate.hasProperty(error, "oclif") && Predicate.hasProperty(error.oclif, "exit")) {
    process.exitCode = Number(error.oclif.exit)
  }
  return true
}
