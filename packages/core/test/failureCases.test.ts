/** docs/failure-cases.md names all cases, and tests that exist. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

const rows = read("docs/failure-cases.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| # ") && !line.startsWith("| what is"))
const cases = rows.filter((row) => /^\| \d+ \|/.test(row))

/** Tests that a row names, as `path`: "title". */
const testsOf = (row: string) =>
  [...row.matchAll(/`([^`]+\.ts)`: "([^"]+)"/g)].map(([, path = "", title = ""]) => ({
    path: `packages/${path}`,
    title
  }))

/** Whether a file has the title as the whole text of a string: an argument of `it` or of a law's maker. */
const has = (path: string, title: string): boolean =>
  ['"', "'", "`"].some((quote) => read(path).includes(`${quote}${title}${quote}`))

describe("docs/failure-cases.md", () => {
  it("lists the thirty cases, each once and in order", () => {
    const numbers = cases.map((row) => Number(row.split("|")[1]))
    assert.deepStrictEqual(
      numbers,
      Array.from({ length: 30 }, (_, index) => index + 1)
    )
  })

  it("every row names a test", () => {
    for (const row of rows) assert.isNotEmpty(testsOf(row), row)
  })

  it("every named test exists", () => {
    const missing = rows
      .flatMap(testsOf)
      .filter(({ path, title }) => !existsSync(join(root, path)) || !has(path, title))
      .map(({ path, title }) => `${path}: ${title}`)
    assert.deepStrictEqual(missing, [])
  })
})
