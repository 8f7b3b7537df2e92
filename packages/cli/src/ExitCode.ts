/** What the process says to whoever started it. */
export interface ExitCode {
  readonly code: number
  readonly name: string
  readonly meaning: string
}

/** Every exit code of every command: the one table that help, documentation and tests are made from. */
export const exitCodes = [
  { code: 0, name: "ok", meaning: "done" },
  { code: 1, name: "defect", meaning: "unexpected: please report it, with the output of --debug" },
  { code: 2, name: "usage", meaning: "wrong command, flag or argument" },
  { code: 3, name: "differences", meaning: "reconcile: source and curated tables differ, or a key stayed unresolved" },
  {
    code: 4,
    name: "misconfigured",
    meaning: "configuration, setup or rights are not as they must be, or what was asked for does not exist"
  },
  { code: 5, name: "history_lost", meaning: "the source no longer holds what comes after our position" },
  { code: 6, name: "busy", meaning: "another task holds or moved what this one needs" },
  { code: 7, name: "unavailable", meaning: "an outside system did not answer, also after retries" },
  { code: 8, name: "bad_data", meaning: "damaged data, or an expectation failed: nothing of the batch was published" },
  { code: 9, name: "storage_full", meaning: "no space left" },
  { code: 130, name: "interrupted", meaning: "stopped by SIGINT (Ctrl-C), cleanly" },
  { code: 143, name: "terminated", meaning: "stopped by SIGTERM, cleanly" }
] as const satisfies ReadonlyArray<ExitCode>

/** Names of the exit codes. */
export type ExitName = (typeof exitCodes)[number]["name"]

/** The number behind a name. */
export const codeOf = (name: ExitName): number => exitCodes.find((entry) => entry.name === name)!.code

/** The table as lines of text, for help. */
export const lines = (): ReadonlyArray<string> =>
  exitCodes.map(({ code, meaning }) => `${String(code).padStart(5)}  ${meaning}`)
