/** docs/LAWS.md and the tests agree, in both directions. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** A test registered under a name that starts with an id, however it is registered and wrapped over lines. */
const testName = /\b(?:it|test)(?:\.\w+)*(?:\([^"'`]*?\))?\(\s*["'`]([A-Z]\d+) /g
/** A law of the suites, or of a test that makes its own: the first argument of `example` and `property`, or of a helper. */
const lawName = /\b(?:example|property|converging)\(\s*["'`]([A-Z]\d+) /g

const idsOf = (path: string): ReadonlyArray<string> => {
  const text = read(path)
  return [...text.matchAll(testName), ...text.matchAll(lawName)].flatMap(([, id = ""]) => id)
}

const files = globSync(["packages/*/test/**/*.ts", "packages/core/src/testing/*.ts"], { cwd: root })
const tested = new Map(files.map((path) => [path, idsOf(path)]))
const testedIds = new Set(files.flatMap(idsOf))

const laws = read("docs/LAWS.md")
  .split(/^### /m)
  .slice(1)
  .map((section) => {
    const enforcement = /\*\*Enforcement:\*\*([^#]*)/.exec(section)?.[1] ?? ""
    return {
      id: section.slice(0, section.indexOf(" ")),
      isPlanned: enforcement.trim().startsWith("planned"),
      enforcedBy: [...enforcement.matchAll(/`([^`]+)`/g)].flatMap(([, path]) => path ?? [])
    }
  })

describe("docs/LAWS.md", () => {
  it("every id names one law", () => {
    assert.isAtLeast(laws.length, 27)
    assert.strictEqual(new Set(laws.map(({ id }) => id)).size, laws.length)
    for (const { id } of laws) assert.match(id, /^[A-Z]\d$/)
  })

  for (const { id, isPlanned, enforcedBy } of laws) {
    if (isPlanned) {
      it(`law ${id} is planned and has no test yet`, () => {
        assert.isFalse(testedIds.has(id), `${id} has tests: name their files under Enforcement`)
      })
    } else {
      it(`law ${id} has tests in the files it names`, () => {
        assert.isTrue(testedIds.has(id), `no test's name starts with "${id} "`)
        assert.isNotEmpty(enforcedBy)
        for (const path of enforcedBy) assert.isTrue(existsSync(join(root, path)), `${path} does not exist`)
        assert.isTrue(
          enforcedBy.some((path) => tested.get(path)?.includes(id) === true),
          `none of its files tests ${id}`
        )
      })
    }
  }

  it("every test that is named after a law finds it in the document", () => {
    const ids = new Set(laws.map(({ id }) => id))
    const unknown = files.flatMap((path) =>
      idsOf(path)
        .filter((id) => !ids.has(id))
        .map((id) => `${id} in ${path}`)
    )
    assert.deepStrictEqual(unknown, [])
  })
})
