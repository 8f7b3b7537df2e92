import { once } from "node:events"
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as Connection from "@northstar/connectors/postgres/Connection"
import * as Output from "../src/Output.ts"
import { folder, northstar, start } from "./Project.ts"

const schema = `
  CREATE TABLE public.orders (id bigint PRIMARY KEY, "Customer" text, amount numeric(12,2));
  CREATE TABLE public.no_key (a int);
  INSERT INTO public.orders SELECT i, 'c' || i, i * 1.5 FROM generate_series(1, 500) i`

const sql = (url: string, text: string) =>
  Effect.scoped(Effect.flatMap(Connection.open({ url }), ({ query }) => query(text)))

/** A project made by `init`, and the tool to run in it. */
const initialised = Effect.gen(function* () {
  const server = yield* Postgres.start()
  yield* sql(server.url, schema)
  const home = yield* folder
  const env = { NORTHSTAR_POSTGRES_URL: server.url }
  const run = (...args: ReadonlyArray<string>) => northstar(home, args, env)
  /** Runs a command with `--json`, checks its output against its schema, and returns it. */
  const json = <T, I>(output: Schema.Codec<T, I>, ...args: ReadonlyArray<string>): T => {
    const { status, stderr, stdout } = run(...args, "--json")
    expect([args, stderr, status]).toEqual([args, "", 0])
    return Schema.decodeUnknownSync(output)(JSON.parse(stdout), { onExcessProperty: "error" })
  }
  const done = json(Output.Init, "init")
  return { server, home, env, run, json, done }
})

it.live(
  "a database that is not ours: init, ingest, reconcile, look around, roll back and bring back",
  () =>
    Effect.gen(function* () {
      const { done, json, run, server } = yield* initialised
      expect(done.left.map(({ source }) => source)).toEqual(["public.no_key"])
      const { findings } = json(Output.Doctor, "doctor")
      expect(findings.filter(({ status }) => status === "fail")).toEqual([])
      expect(findings.find(({ name }) => name === "warehouse")?.detail).toContain("northstar ingest creates it")
      expect(json(Output.SourcePlan, "source", "plan", "--owner-url", server.url).steps).toEqual([])

      expect(json(Output.Ingest, "ingest", "--until-caught-up").sources[0]?.loaded.batches).toBeGreaterThan(0)
      expect(json(Output.Reconcile, "reconcile", "--full").agree).toBe(true)
      const rows = json(
        Output.Query,
        "query",
        `select id, amount, "Customer" from curated.orders order by id`,
        "--max-rows",
        "2"
      )
      expect(rows).toEqual({
        columns: ["id", "amount", "Customer"],
        rows: [
          { id: "1", amount: "1.50", Customer: "c1" },
          { id: "2", amount: "3.00", Customer: "c2" }
        ],
        truncated: true
      })
      const batch = json(Output.Status, "status").batches.at(-1)?.batch ?? ""
      expect(json(Output.Rollback, "rollback", batch).applied).toBe(false)
      const back = json(Output.Rollback, "rollback", batch, "--apply")
      expect(back.lines).toEqual([{ table: "orders", changes: 500, keys: 500, quarantined: 0 }])
      const differing = run("reconcile", "--full", "--json")
      expect(differing.status).toBe(3)
      expect(json(Output.Backfill, "backfill").done).toBeNull()
      const backfill = json(
        Output.Backfill,
        "backfill",
        "--after",
        back.after ?? "0",
        "--through",
        back.through,
        "--apply"
      )
      expect(backfill.done?.summary.batches).toBeGreaterThan(0)
      expect(json(Output.Reconcile, "reconcile", "--full").agree).toBe(true)

      const runs = json(Output.RunsList, "runs", "list").runs
      expect(runs.map(({ program }) => program)).toContain("backfill")
      expect(json(Output.RunsShow, "runs", "show", runs[0]?.run ?? "").facts.length).toBeGreaterThan(0)
      expect(json(Output.QuarantineList, "quarantine", "list").changes).toEqual([])
      for (const args of [["status"], ["runs", "list"], ["quarantine", "list"], ["reconcile", "--full"]]) {
        const { status, stdout } = run(...args)
        expect([args, status, stdout === ""]).toEqual([args, 0, false])
      }
    }),
  180_000
)

it.live(
  "while ingest runs, other commands work; SIGTERM ends it cleanly with code 143",
  () =>
    Effect.gen(function* () {
      const { env, home, json, run, server } = yield* initialised
      expect(run("ingest", "--until-caught-up").status).toBe(0)
      const ingest = yield* start(home, ["ingest"], env)
      const said: Array<string> = []
      ingest.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()))
      const ended = once(ingest, "exit")
      yield* sql(server.url, "INSERT INTO public.orders SELECT i, 'd', 1 FROM generate_series(501, 600) i")
      const count = () => json(Output.Query, "query", "select count(*)::int as n from curated.orders").rows[0]?.["n"]
      yield* Effect.repeat(Effect.sync(count), { until: (n) => n === 600, times: 20 })
      expect([count(), said]).toEqual([600, said])
      expect(json(Output.Status, "status").tables[0]?.rows).toBe(600)
      ingest.kill("SIGTERM")
      const [code] = yield* Effect.promise(() => ended)
      expect(code).toBe(143)
      expect(said.join("")).toMatch(/Stopped as asked; nothing was lost/)
      expect(said.join("")).not.toContain("error:")
      expect(json(Output.Reconcile, "reconcile", "--full").agree).toBe(true)
    }),
  180_000
)

it.live(
  "failures end with their code, as text and as JSON, and say what to do",
  () =>
    Effect.gen(function* () {
      const { home, run, server } = yield* initialised
      const failing = (env: NodeJS.ProcessEnv, ...args: ReadonlyArray<string>) => {
        const { status, stdout } = northstar(home, [...args, "--json"], env)
        const { error } = Schema.decodeUnknownSync(Output.Failed)(JSON.parse(stdout))
        expect(error.code).toBe(status)
        expect(stdout).not.toContain("secret")
        return error
      }
      const wrong = new URL(server.url)
      wrong.password = "secret"
      expect(failing({}, "ingest").action).toContain("export NORTHSTAR_POSTGRES_URL")
      expect(failing({}, "status").message).toContain("nothing was ingested")
      expect(failing({ NORTHSTAR_POSTGRES_URL: wrong.href }, "reconcile").name).toBe("misconfigured")
      expect(run("ingest", "--until-caught-up").status).toBe(0)
      expect(failing({}, "query", "drop table curated.orders").name).toBe("usage")
      expect(failing({}, "query", "select * from curated.nowhere").name).toBe("usage")
      expect(failing({}, "runs", "show", "nope").action).toContain("runs list")
      expect(failing({ NORTHSTAR_POSTGRES_URL: server.url }, "init").action).toContain("--force")
      const text = run("init")
      expect(text.stderr).toMatch(/^error: project: init: .* exists\nnext: {2}Use --force/)
      yield* server.stop
      expect(failing({ NORTHSTAR_POSTGRES_URL: server.url }, "reconcile").name).toBe("unavailable")
    }),
  180_000
)
