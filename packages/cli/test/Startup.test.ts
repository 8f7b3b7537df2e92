import { spawnSync } from "node:child_process"
import { expect, it } from "@effect/vitest"
import { bin } from "./Project.ts"

/** Prints the address of every module that is loaded. */
const listing = `
  import { registerHooks } from "node:module"
  registerHooks({ load: (url, context, next) => (process.stderr.write("loads " + url + "\\n"), next(url, context)) })
`

const loaded = (...args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const run = spawnSync(process.execPath, [
    "--import",
    `data:text/javascript,${encodeURIComponent(listing)}`,
    bin,
    ...args
  ])
  expect(run.status).toBe(0)
  return [...run.stderr.toString().matchAll(/^loads (.*)$/gm)].map(([, url]) => url ?? "")
}

it("northstar --help loads no library: it prints what the build rendered", () => {
  const modules = loaded("--help").filter((url) => url.startsWith("file:"))
  expect(modules.some((url) => url.endsWith("start.js"))).toBe(true)
  expect(modules.filter((url) => url.includes("/node_modules/"))).toEqual([])
  expect(loaded("status", "--help").some((url) => url.includes("/node_modules/"))).toBe(true)
})
