import { readFileSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import { Cause, Duration, Option } from "effect"
import * as Connector from "@northstar/core/ConnectorError"
import { ExpectationFailed } from "@northstar/core/ExpectationFailed"
import { LedgerError } from "@northstar/core/RunLedger"
import { WatermarkConflict } from "@northstar/core/WatermarkStore"
import { codeOf, exitCodes } from "../src/ExitCode.ts"
import * as Failure from "../src/Failure.ts"
import { bin, northstar } from "./Project.ts"

const connector = (reason: Connector.ConnectorError["reason"]) =>
  new Connector.ConnectorError({
    connector: "postgres",
    operation: "connect",
    detail: "it failed",
    action: "Do this.",
    reason
  })

const cause = new Error("below")
const cases: ReadonlyArray<readonly [error: unknown, code: number]> = [
  [connector(new Connector.Unavailable({ cause })), 7],
  [connector(new Connector.RateLimited({ retryAfter: Duration.seconds(1) })), 7],
  [connector(new Connector.Busy({ holder: "PID 1" })), 6],
  [connector(new Connector.Unauthorized({ cause })), 4],
  [connector(new Connector.Misconfigured({ detail: "x" })), 4],
  [connector(new Connector.InvalidData({ detail: "x" })), 8],
  [connector(new Connector.StorageFull({ cause })), 9],
  [connector(new Connector.HistoryLost({ after: "1" })), 5],
  [
    new WatermarkConflict({
      key: { pipeline: "p", stream: "s" },
      batchAfter: Option.none(),
      watermark: Option.some("1")
    }),
    6
  ],
  [new ExpectationFailed({ expectation: "e", failed: 1, examples: [] }), 8],
  [new LedgerError({ cause }), 7],
  [new Failure.WrongArgument({ detail: "no such table", action: "Correct it. Then run it again." }), 2],
  [new Error("bug"), 1]
]

for (const [error, code] of cases) {
  const name = error instanceof Connector.ConnectorError ? error.reason._tag : (error as Error).name
  it(`${name} ends with exit code ${code}, a message and what to do next`, () => {
    const failure = Failure.fromCause(Cause.fail(error))
    expect(failure.code).toBe(code)
    expect(failure.message).not.toBe("")
    expect(failure.action).not.toBe("")
    expect(Failure.render(failure)).not.toContain("    at ")
  })
}

it("a defect is a defect, whatever died", () => {
  expect(Failure.fromCause(Cause.die("odd")).name).toBe("defect")
})

it("no code has two meanings", () => {
  expect(new Set(exitCodes.map(({ code }) => code)).size).toBe(exitCodes.length)
})

it("the help shows every exit code", () => {
  const help = northstar(".", ["--help"]).stdout
  for (const { code, meaning } of exitCodes) expect(help).toContain(`${code}  ${meaning}`)
})

it("the runbook shows every exit code", () => {
  const text = readFileSync(new URL("../../../docs/RUNBOOK.md", import.meta.url), "utf8")
  for (const { code, meaning, name } of exitCodes) expect(text).toContain(`| ${code} | \`${name}\` | ${meaning} |`)
})

it("usage errors end with code 2, as text and as JSON", () => {
  for (const args of [["nonsense"], ["ingest", "--nonsense"], ["query"], ["backfill", "--since", "soon"]]) {
    const run = northstar(".", args)
    expect([args, run.status]).toEqual([args, codeOf("usage")])
    expect(run.stderr).toMatch(/^error: .*\n/)
    expect(run.stderr).toContain("next:  ")
    const json = JSON.parse(northstar(".", [...args, "--json"]).stdout) as { readonly error: Failure.Failure }
    expect(json.error.code).toBe(codeOf("usage"))
  }
})

it("a missing configuration ends with code 4 and a stack only with --debug", () => {
  const run = northstar(".", ["status"])
  expect(run.status).toBe(codeOf("misconfigured"))
  expect(run.stderr).toContain("northstar init")
  expect(run.stderr).not.toContain("    at ")
  expect(northstar(".", ["status", "--debug"]).stderr).toContain("    at ")
})

it("the first line of the tool is one that an old Node can read", () => {
  expect(readFileSync(bin, "utf8")).not.toMatch(/^import |^export |\?\.|\?\?|await /m)
})
