import { spawn } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as LocalSnowflake from "@northstar/connectors/local/snowflake/LocalSnowflake"
import * as Connection from "@northstar/connectors/postgres/Connection"
import * as Output from "../src/Output.ts"
import { bin, folder } from "./Project.ts"

const schema = `
  CREATE TABLE public.orders (id bigint PRIMARY KEY, amount numeric(12,2));
  INSERT INTO public.orders SELECT i, i * 1.5 FROM generate_series(1, 100) i;
  CREATE PUBLICATION northstar FOR TABLE public.orders`

const configuration = `
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Project from "@northstar/connectors/project/Project"

const amount = process.env.NEW_COLUMN === undefined ? {} : { note: Column.nullable(Column.text) }
const orders = Table.make("orders", {
  key: ["id"],
  columns: { id: Column.int64, amount: Column.decimal(12, 2), ...amount }
})
export default Project.define({
  name: "shop",
  sources: [Project.postgres({ url: process.env.NORTHSTAR_POSTGRES_URL, tables: [orders] })],
  warehouse: Project.snowflake({
    account: "LOCAL",
    accessUrl: process.env.SNOWFLAKE_URL,
    user: "ADMIN",
    role: "ACCOUNTADMIN",
    privateKey: { file: "key.p8" }
  })
})`

/** Runs the tool while this process goes on: it serves the local Snowflake. */
const northstar = (cwd: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv) =>
  Effect.callback<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd, env: { PATH: process.env["PATH"], ...env } })
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk))
    child.on("close", (status) =>
      resume(Effect.succeed({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const project = Effect.gen(function* () {
  const server = yield* Postgres.start()
  const { query } = yield* Connection.open({ url: server.url })
  yield* query(schema)
  yield* query("SELECT pg_create_logical_replication_slot('northstar', 'pgoutput')")
  const local = yield* LocalSnowflake.start()
  const home = yield* folder
  writeFileSync(join(home, "key.p8"), local.admin.privateKey)
  writeFileSync(join(home, "northstar.config.ts"), configuration)
  const program = { NORTHSTAR_POSTGRES_URL: server.url, SNOWFLAKE_URL: local.accessUrl }
  const administrator = {
    ...program,
    NORTHSTAR_SNOWFLAKE_ADMIN_USER: "ADMIN",
    NORTHSTAR_SNOWFLAKE_ADMIN_KEY_FILE: "key.p8"
  }
  const run = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = program) => northstar(home, args, env)
  /** Runs a command with `--json`, checks its output against its schema, and returns it. */
  const json = <T, I>(output: Schema.Codec<T, I>, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = program) =>
    Effect.map(run([...args, "--json"], env), ({ status, stderr, stdout }): T => {
      expect([args, stderr, status, status === 0 ? "" : stdout]).toEqual([args, "", 0, ""])
      return Schema.decodeUnknownSync(output)(JSON.parse(stdout), { onExcessProperty: "error" })
    })
  return { administrator, json, program, run }
})

it.live(
  "a Snowflake account: planned and applied by its administrator, then ingested, looked at and costed",
  () =>
    Effect.gen(function* () {
      const { administrator, json, program, run } = yield* project
      const unnamed = yield* run(["warehouse", "plan"])
      expect([unnamed.status, unnamed.stderr]).toEqual([4, expect.stringContaining("--admin-user")])
      const unhealthy = yield* run(["doctor"])
      expect([unhealthy.status, unhealthy.stdout]).toEqual([4, expect.stringContaining("northstar warehouse apply")])

      const plan = yield* json(Output.WarehousePlan, ["warehouse", "plan"], administrator)
      const text = yield* run(["warehouse", "plan"], administrator)
      expect(text.stdout).toContain("(nothing has been changed)")
      expect((yield* run(["warehouse", "plan", "--sql"], administrator)).stdout.trim()).toBe(plan.sql.trim())
      const done = yield* json(Output.WarehouseApply, ["warehouse", "apply"], administrator)
      expect([done.applied, done.left]).toEqual([plan.steps, []])
      expect((yield* json(Output.WarehousePlan, ["warehouse", "plan"], administrator)).steps).toEqual([])
      const more = yield* json(Output.WarehousePlan, ["warehouse", "plan"], { ...administrator, NEW_COLUMN: "1" })
      expect(more.steps.map(({ description }) => description)).toEqual([
        "add column note to orders",
        "add column note to orders__history"
      ])

      expect((yield* json(Output.Doctor, ["doctor"])).healthy).toBe(true)
      yield* json(Output.Ingest, ["ingest", "--until-caught-up"])
      expect((yield* json(Output.Status, ["status"])).tables[0]?.rows).toBe(100)
      expect((yield* json(Output.Reconcile, ["reconcile", "--full"])).agree).toBe(true)
      const { rows } = yield* json(Output.Query, ["query", "select sum(amount) as total from curated.orders"])
      expect(rows).toEqual([{ total: "7575.00" }])
      const writing = yield* run(["query", "delete from curated.orders"])
      expect([writing.status, writing.stderr]).toEqual([2, expect.stringContaining("nothing that could write")])
      expect((yield* json(Output.RunsList, ["runs", "list"])).runs.length).toBeGreaterThan(0)
      expect((yield* json(Output.QuarantineList, ["quarantine", "list"])).changes).toEqual([])

      const cost = yield* json(Output.Cost, ["cost"])
      expect(cost.warehouses.map(({ warehouse }) => warehouse)).toEqual(["NORTHSTAR_LOAD"])
      const unreachable = yield* json(Output.Cost, ["cost"], { ...program, SNOWFLAKE_URL: "http://127.0.0.1:9" })
      expect(unreachable.basis).toMatch(/^Nothing was measured/)
      expect(unreachable.lines).toEqual(cost.lines)
    }),
  240_000
)

it.live("the projected cost is the sum of its lines, also without a project; a budget is only compared", () =>
  Effect.gen(function* () {
    const home = yield* folder
    const { status, stdout } = yield* northstar(home, ["cost", "--json", "--budget", "5000"], {})
    expect(status).toBe(0)
    const cost = Schema.decodeUnknownSync(Output.Cost)(JSON.parse(stdout), { onExcessProperty: "error" })
    expect(cost.lines.reduce((sum, { monthlyUsd }) => sum + monthlyUsd, 0)).toBeCloseTo(cost.projectedMonthlyUsd, 2)
    expect([cost.withinBudget, cost.budgetUsd]).toEqual([false, 5000])
    const text = yield* northstar(home, ["cost"], {})
    for (const part of ["Snowflake", "AWS", "Nothing was measured", "within budget"])
      expect(text.stdout).toContain(part)
    expect((yield* northstar(home, ["cost", "--config", "nowhere.ts"], {})).status).toBe(4)
  })
)
