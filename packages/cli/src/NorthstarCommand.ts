import { Command, Flags } from "@oclif/core"
import { maskText } from "@northstar/connectors/cards/Tripwire"
import { Cause, Effect, Exit, Fiber, Logger, References, Schema } from "effect"
import { codeOf, type ExitName } from "./ExitCode.ts"
import * as Failure from "./Failure.ts"
import * as Progress from "./Progress.ts"

/** What a command's effect ended with, when it did not succeed. */
class Ended extends Error {
  readonly failure: Failure.Failure
  constructor(failure: Failure.Failure, cause: unknown) {
    super(failure.message, { cause })
    this.failure = failure
  }
}

/** A task that is told to stop has 120 s on ECS; what has not ended by then is cut off, which loses nothing either. */
const graceMs = 110_000

const signals = { SIGINT: "interrupted", SIGTERM: "terminated" } as const satisfies Record<string, ExitName>

/**
 * The frame of every command: global flags, one effect run to its end with progress and signals, data back for `--json`,
 * failures as text or JSON with a documented exit code.
 */
export abstract class NorthstarCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags = {
    config: Flags.string({
      char: "c",
      helpGroup: "GLOBAL",
      summary: "The project's configuration.",
      helpValue: "<file>",
      default: "northstar.config.ts"
    }),
    "no-color": Flags.boolean({ helpGroup: "GLOBAL", summary: "No colours; NO_COLOR does the same." }),
    debug: Flags.boolean({ helpGroup: "GLOBAL", summary: "More log, and stack traces of failures." })
  }

  /** Of this command, on the error stream: the output stream holds only results. */
  protected readonly progress = Progress.make(process.stderr, this.jsonEnabled())

  /** Runs an effect to its end, prints its result with `render` and gives it in the form that `--json` prints. */
  protected async present<T, I, A extends T>(
    output: Schema.Codec<T, I>,
    effect: Effect.Effect<A, unknown>,
    render: (value: A) => string
  ): Promise<I> {
    const value = await this.execute(effect)
    if (!this.jsonEnabled()) process.stdout.write(`${render(value)}\n`)
    return Schema.encodeSync(output)(value)
  }

  /** Lets the process end with another code than 0 although the command did its work. */
  protected endWith(name: ExitName): void {
    process.exitCode = codeOf(name)
  }

  override async catch(error: unknown): Promise<void> {
    const failure = error instanceof Ended ? error.failure : Failure.fromError(error)
    process.exitCode = failure.code
    if (this.jsonEnabled()) this.logJson({ error: failure })
    else process.stderr.write(Failure.render(failure))
    if (this.argv.includes("--debug")) process.stderr.write(`${details(error)}\n`)
  }

  override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json, null, 2)}\n`)
  }

  /** An interrupted effect finishes or abandons its batch; a second signal ends the process at once. */
  private async execute<A>(effect: Effect.Effect<A, unknown>): Promise<A> {
    const fiber = Effect.runFork(
      effect.pipe(
        Effect.ensuring(this.progress.end),
        Effect.provide(this.logger()),
        Effect.provideService(References.MinimumLogLevel, this.argv.includes("--debug") ? "Debug" : "Info")
      )
    )
    let stoppedBy: (typeof signals)[keyof typeof signals] | undefined
    const stop = (signal: keyof typeof signals) => {
      if (stoppedBy !== undefined) process.exit(codeOf(stoppedBy))
      stoppedBy = signals[signal]
      this.progress.note(`${signal}: finishing or abandoning the current batch; once more to stop at once`)
      setTimeout(() => process.exit(codeOf(signals[signal])), graceMs).unref()
      fiber.interruptUnsafe()
    }
    process.on("SIGINT", stop).on("SIGTERM", stop)
    const exit = await Effect.runPromise(Fiber.await(fiber))
    process.off("SIGINT", stop).off("SIGTERM", stop)
    if (Exit.isSuccess(exit)) return exit.value
    const failure = stoppedBy === undefined ? Failure.fromCause(exit.cause) : Failure.stopped(stoppedBy)
    throw new Ended(failure, exit.cause)
  }

  /** The log goes to the error stream, a line an entry. */
  private logger() {
    const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
      const words = Array.isArray(message) ? message.map(String).join(" ") : String(message)
      this.progress.note(`${labels[logLevel] ?? ""}${maskText(words)}`)
    })
    return Logger.layer([logger])
  }
}

const labels: Readonly<Record<string, string>> = { Warn: "warning: ", Error: "error: ", Fatal: "error: " }

const details = (error: unknown): string => {
  if (error instanceof Ended && Cause.isCause(error.cause)) return Cause.pretty(error.cause)
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
