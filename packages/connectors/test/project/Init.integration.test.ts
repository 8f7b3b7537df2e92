import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Doctor from "@northstar/connectors/project/Doctor"
import * as Init from "@northstar/connectors/project/Init"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import { folder, load } from "./Configuration.ts"

const schema = `
  CREATE TABLE public.orders (id bigint PRIMARY KEY, number text NOT NULL, amount numeric(12,2), tags text[], big numeric);
  CREATE TABLE public."Order Items" ("Order" bigint, "lineNo" int, "select" text, "a""b" text, "it's" text, "__proto__" int,
    PRIMARY KEY ("lineNo", "Order"));
  CREATE SCHEMA "Sales Dept";
  CREATE TABLE "Sales Dept"."Class" (id uuid PRIMARY KEY, total int GENERATED ALWAYS AS (1 + 1) STORED);
  CREATE TABLE public.no_key (a int);
  CREATE ROLE reader LOGIN REPLICATION PASSWORD 'reader'`

const started = Effect.gen(function* () {
  const server = yield* Postgres.start()
  const sql = yield* Connection.open({ url: server.url })
  yield* sql.query(schema)
  const home = yield* folder
  const file = join(home, "northstar.config.ts")
  const init = (url: string, more: Partial<Init.InitOptions> = {}) =>
    Init.init({ url: Redacted.make(url), file, force: false, apply: undefined, ...more })
  return { server, sql, file, init }
})

it.live("an owner's init writes every table with a key, names the others, and prepares the source", () =>
  Effect.gen(function* () {
    const { file, init, server, sql } = yield* started
    const done = yield* init(server.url)
    expect(done.tables.map(({ name, source }) => [name, source])).toEqual([
      ["sales_dept_class", "Sales Dept.Class"],
      ["order_items", "public.Order Items"],
      ["orders", "public.orders"]
    ])
    expect(done.left.map(({ source }) => source)).toEqual(["public.no_key"])
    expect(done.left[0]?.action).toContain("ADD PRIMARY KEY")
    expect(done.setup).toBe("applied")
    const written = readFileSync(file, "utf8")
    expect(written).toContain("public.no_key is left out")
    expect(written).not.toContain(new URL(server.url).host)
    const loaded = load(file).project
    expect(loaded?.sources[0]?.tables.find(({ name }) => name === "order_items")?.key).toEqual(["lineNo", "Order"])
    expect(
      Object.keys(loaded?.sources[0]?.tables.find(({ name }) => name === "sales_dept_class")?.columns ?? {})
    ).toEqual(["id"])
    expect(yield* sql.query("SELECT slot_name FROM pg_replication_slots")).toEqual([["northstar_postgres"]])
    expect((yield* init(server.url, { force: true })).setup).toBe("nothing")
  })
)

it.live("a role that owns nothing gets the configuration, and the SQL for the owner", () =>
  Effect.gen(function* () {
    const { file, init, server, sql } = yield* started
    const url = new URL(server.url)
    url.username = "reader"
    url.password = "reader"
    const done = yield* init(url.href)
    expect(done.setup).toBe("pending")
    expect(done.sql).toContain("CREATE PUBLICATION")
    expect(existsSync(file)).toBe(true)
    for (const statement of done.sql.split(";\n")) yield* sql.query(statement)
    expect((yield* init(url.href, { force: true })).setup).toBe("nothing")
  })
)

it.live("an existing configuration is kept, and a database without tables is refused", () =>
  Effect.gen(function* () {
    const { file, init, server, sql } = yield* started
    writeFileSync(file, "mine")
    expect((yield* Effect.flip(init(server.url))).action).toContain("--force")
    yield* sql.query("CREATE DATABASE empty")
    const url = new URL(server.url)
    url.pathname = "/empty"
    expect((yield* Effect.flip(init(url.href, { force: true }))).detail).toContain("it has none")
    expect(readFileSync(file, "utf8")).toBe("mine")
  })
)

it.live("doctor finds what is wrong with the configuration and goes on where it can", () =>
  Effect.gen(function* () {
    const home = yield* folder
    const missing = yield* Doctor.examine(join(home, "northstar.config.ts"))
    expect(missing.healthy).toBe(false)
    expect(missing.findings.find(({ status }) => status === "fail")?.action).toContain("northstar init")
  })
)
