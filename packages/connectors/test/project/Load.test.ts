import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { folder, load, write } from "./Configuration.ts"

const project = (source: string) => `
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Project from "@northstar/connectors/project/Project"

export default Project.define({
  name: "shop",
  sources: [
    Project.postgres({ ${source}, tables: [Table.make("orders", { columns: { id: Column.int64 }, key: ["id"] })] })
  ]
})`

const cases: ReadonlyArray<readonly [name: string, text: string, detail: RegExp, action: RegExp]> = [
  [
    "a syntax error",
    "export default {\n  name: ,\n}",
    /northstar\.config\.ts:2: Expression expected/,
    /Correct the file/
  ],
  [
    "TypeScript that is more than types",
    "enum A { b }\nexport default A",
    /northstar\.config\.ts:1: .*enum/,
    /Correct/
  ],
  [
    "an error while it runs",
    "const a = 1\nmissing()\nexport default a",
    /northstar\.config\.ts:2: missing is not/,
    /Correct/
  ],
  ["a module that does not exist", `import "@northstar/core/Nope"`, /it imports @northstar\/core\/Nope/, /Correct/],
  ["no default export", "export const a = 1", /has no default export/, /export default/],
  ["something else than a project", "export default 1", /wrong or missing: the default export/, /Project\.define/],
  [
    "wrong fields, which it names",
    `export default { name: "", sources: [{ kind: "postgres", tables: [{ name: "Orders" }] }] }`,
    /wrong or missing: name, sources\.0\.name, sources\.0\.epoch, sources\.0\.tables\.0\.name/,
    /Project\.define/
  ],
  [
    "two tables of one name",
    project("url: undefined").replace(/tables: \[(.*)\] \}\)/s, "tables: [$1, $1] })"),
    /two tables called orders/,
    /another name/
  ]
]

for (const [name, text, detail, action] of cases) {
  it.live(`a configuration with ${name} is misconfigured and says where`, () =>
    Effect.gen(function* () {
      const loaded = load(write(yield* folder, text))
      expect(loaded.tag).toBe("Misconfigured")
      expect(loaded.detail).toMatch(detail)
      expect(loaded.action).toMatch(action)
    })
  )
}

it.live("a missing configuration names the command that writes one", () =>
  Effect.gen(function* () {
    expect(load(join(yield* folder, "northstar.config.ts")).action).toContain("northstar init")
  })
)

it.live("a configuration outside any package finds the SDK, and its paths are relative to it", () =>
  Effect.gen(function* () {
    const home = yield* folder
    const loaded = load(write(home, project(`url: process.env["SHOP_URL"]`)))
    expect(loaded.project?.landing.folder).toBe(join(home, ".northstar/landing"))
    expect(loaded.project?.warehouse.file).toBe(join(home, ".northstar/warehouse.duckdb"))
  })
)

it.live("a source without its URL names the environment variable", () =>
  Effect.gen(function* () {
    const path = write(yield* folder, project(`url: process.env["SHOP_URL"]`))
    expect(load(path, "postgresWithUrl").action).toContain("export SHOP_URL=")
    const dotted = write(yield* folder, project("url: process.env.OTHER_URL"))
    expect(load(dotted, "postgresWithUrl").detail).toContain("OTHER_URL")
    expect(load(path, "postgresWithUrl", { SHOP_URL: "postgres://u:secret@h/d" }).project?.name).toBe("shop")
  })
)

it.live("a URL never shows when a project is printed", () =>
  Effect.gen(function* () {
    const path = write(yield* folder, project(`url: process.env["SHOP_URL"]`))
    expect(JSON.stringify(load(path, "postgresWithUrl", { SHOP_URL: "postgres://u:secret@h/d" }))).not.toContain(
      "secret"
    )
  })
)
