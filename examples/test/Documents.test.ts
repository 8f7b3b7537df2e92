/** The documents are true of the code, as far as a machine can tell. */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { exitCodes } from "../../packages/cli/src/ExitCode.ts"

const root = join(import.meta.dirname, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

const documents = globSync(["*.md", "docs/**/*.md", "examples/*/*.md"], { cwd: root }).toSorted()

/** Fenced blocks with what stands behind the fence: a language, and for TypeScript the file that it is an excerpt of. */
const blocks = (text: string) =>
  [...text.matchAll(/^```(\S*)[ ]?(.*)\n([\s\S]*?)^```$/gm)].map(([, language = "", about = "", code = ""]) => ({
    language,
    about,
    code
  }))

/** All code as one text, with strings that are joined over lines put together. */
const code = globSync("packages/*/src/**/*.ts", { cwd: root })
  .map(read)
  .join("\n")
  .replaceAll(/["`']\s*\+\s*(?:\/\/.*\s*)?["`']/g, "")

/** Files of commands by what a person types. */
const commands = new Map(
  globSync("packages/cli/src/commands/**/*.ts", { cwd: root }).map((path) => [
    path.replace("packages/cli/src/commands/", "").replace(".ts", "").replaceAll("/", " "),
    read(path)
  ])
)

const flagsOfAll = new Set(["config", "no-color", "debug", "json", "help"])

/** What is wrong with a `northstar …` line, if anything. */
const misuse = (line: string): string | undefined => {
  const words = line.split(/\s+/)
  const name = [words.slice(0, 2).join(" "), words[0] ?? ""].find((words) => commands.has(words))
  if (name === undefined) return line.startsWith("-") ? undefined : `no such command: ${line}`
  const source = commands.get(name) ?? ""
  const unknown = [...line.matchAll(/(?:^|\s)--([a-z-]+)/g)]
    .map(([, flag = ""]) => flag.replace(/^no-(?=apply)/, ""))
    .filter((flag) => !flagsOfAll.has(flag) && !new RegExp(`(?:^|[{,])\\s*"?${flag}"?: `, "m").test(source))
  return unknown.length === 0 ? undefined : `northstar ${name} has no flag ${unknown.join(", ")}`
}

describe("documents", () => {
  for (const path of documents) {
    const text = read(path)

    it(`${path}: every link leads somewhere`, () => {
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)].map(([, link = ""]) => link)
      const broken = links.filter((link) => !existsSync(join(root, dirname(path), link)))
      assert.deepStrictEqual(broken, [])
    })

    it(`${path}: TypeScript is an excerpt of a file that is checked and run`, () => {
      for (const { about, code, language } of blocks(text)) {
        if (language !== "ts") continue
        assert.isTrue(existsSync(join(root, about)), `${about} does not exist:\n${code}`)
        assert.include(read(about), code.trimEnd(), `not in ${about}`)
      }
    })

    it(`${path}: every northstar command exists, with its flags`, () => {
      const typed = [
        ...blocks(text).flatMap(({ code, language }) => (language === "sh" ? code.split("\n") : [])),
        ...[...text.matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span)
      ].flatMap((line) => /(?:^|\s)northstar (?:-- )?([a-z-].*)$/.exec(line.replace(/#.*$/, ""))?.[1] ?? [])
      assert.deepStrictEqual(
        typed.flatMap((line) => misuse(line.trim()) ?? []),
        []
      )
    })
  }
})

describe("docs/RUNBOOK.md", () => {
  const runbook = read("docs/RUNBOOK.md")

  it("lists every exit code with its meaning", () => {
    const rows = [...runbook.matchAll(/^\| (\d+) \| `(\w+)` \| ([^|]+) \|/gm)].map(([, code, name, meaning = ""]) => ({
      code: Number(code),
      name,
      meaning: meaning.trim()
    }))
    assert.deepStrictEqual(rows, [...exitCodes])
  })

  it("quotes messages as the code says them", () => {
    const lines = [...runbook.matchAll(/^\s*> (.+)$/gm)].map(([, line = ""]) => line)
    const cells = [...runbook.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(
      ([, cell = ""]) => cell.match(/(?<=`)[^`,]+…[^`]*(?=`)/g) ?? []
    )
    const parts = [...lines, ...cells]
      .flatMap((quote) => quote.split("…"))
      .map((part) => part.trim())
      .filter((part) => part.length > 3)
    assert.isAbove(parts.length, 40)
    assert.deepStrictEqual(
      parts.filter((part) => !code.includes(part)),
      []
    )
  })
})
