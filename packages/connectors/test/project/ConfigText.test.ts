import { spawnSync } from "node:child_process"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as ConfigText from "../../src/project/ConfigText.ts"
import * as Project from "../../src/project/Project.ts"
import { folder, load, write } from "./Configuration.ts"

const helpers: ReadonlyArray<Column.Column> = [
  Column.int16,
  Column.int64,
  Column.decimal(38, 0),
  Column.decimal(12, 2),
  Column.float64,
  Column.boolean,
  Column.text,
  Column.timestamptz,
  Column.bytes,
  Column.json
]

const awkward = [
  "__proto__",
  "constructor",
  "class",
  "1",
  "a b",
  "it's",
  'a"b',
  `'"`,
  "naïve",
  "a\nb",
  "a\\b",
  "${x}",
  "*/",
  "\u2028"
]

/** PostgreSQL takes any text without a zero byte as a name. */
const name = fc.oneof(fc.constantFrom(...awkward), fc.string({ unit: "grapheme", minLength: 1, maxLength: 63 }))

const table = fc
  .tuple(
    name,
    fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.constantFrom(...helpers), fc.boolean()), { minLength: 8, maxLength: 8 }),
    fc.nat(7)
  )
  .map(([source, names, types, keys]): Table.Table => {
    const columns = names.map((name, at): [string, Column.Column] => {
      const [type, nullable] = types[at] ?? [Column.text, false]
      return [name, nullable ? Column.nullable(type) : type]
    })
    const [first = "", ...rest] = names.slice(0, keys + 1)
    return Table.make("t", { source: `public.${source}`, columns: Object.fromEntries(columns), key: [first, ...rest] })
  })

const render = (tables: ReadonlyArray<Table.Table>) => {
  const source = Project.postgres({
    url: undefined,
    tables: tables.map((table, at) => ({ ...table, name: `t${at}` }))
  })
  return ConfigText.render({
    feed: Project.feed(Project.define({ name: "shop", sources: [source] }), source),
    left: [{ source: "public.a\nb", problem: "no\u2028key", action: "add\rone" }],
    urlVariable: "URL"
  })
}

const said = (table: Pick<Table.Table, "source" | "key" | "columns">) => ({
  source: table.source,
  key: table.key,
  columns: Object.entries(table.columns)
    .map(([name, { nullable, type }]) => [name, type, nullable])
    .toSorted()
})

const seed = Number(process.env["NORTHSTAR_SEED"] ?? 20_261_123)

it.live(`tables and columns of any name are written so that they load as the same contracts (seed ${seed})`, () =>
  Effect.gen(function* () {
    const tables = fc.sample(table, { numRuns: 300, seed })
    const loaded = load(write(yield* folder, render(tables)))
    expect(loaded.detail).toBeUndefined()
    // Sound: `said` reads only what survives as JSON, which is all that another process can hand over.
    expect(loaded.project?.sources[0]?.tables.map((table) => said(table as unknown as Table.Table))).toEqual(
      tables.map(said)
    )
  })
)

it.live("a written configuration is formatted as the formatter would", () =>
  Effect.gen(function* () {
    const columns = Object.fromEntries(awkward.map((name): [string, Column.Column] => [name, Column.text]))
    const many = Array.from({ length: 12 }, (_, at) => `a_long_key_column_${at}`)
    const text = render([
      Table.make("plain", {
        columns: { id: Column.int64, amount: Column.nullable(Column.decimal(12, 2)) },
        key: ["id"]
      }),
      Table.make("odd", { source: "public.it's", columns, key: ["it's", 'a"b'] }),
      Table.make("wide", {
        columns: Object.fromEntries(many.map((name): [string, Column.Column] => [name, Column.text])),
        key: ["a_long_key_column_0", ...many.slice(1)]
      })
    ])
    const formatted = spawnSync("oxfmt", ["--config", ".oxfmtrc.json", "--stdin-filepath", "northstar.config.ts"], {
      cwd: new URL("../../../..", import.meta.url),
      input: text,
      encoding: "utf8",
      env: { ...process.env, PATH: `node_modules/.bin:${process.env["PATH"]}` }
    })
    expect(formatted.stderr).toBe("")
    expect(formatted.stdout).toBe(text)
  })
)
