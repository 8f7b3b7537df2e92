import { spawnSync } from "node:child_process"
import { expect, it } from "@effect/vitest"
import { bin } from "./Project.ts"

/** Milliseconds of the fastest of ten starts: what the machine does besides only adds. */
const fastest = (...args: ReadonlyArray<string>): number => {
  const once = () => {
    const start = process.hrtime.bigint()
    const run = spawnSync(process.execPath, args)
    expect(run.status).toBe(0)
    return Number(process.hrtime.bigint() - start) / 1e6
  }
  return Math.min(...Array.from({ length: 10 }, once))
}

it("northstar --help starts in at most 3 times the time of an empty Node", () => {
  expect(fastest(bin, "--help")).toBeLessThan(3 * fastest("--eval", "0"))
})
