import { assert, it } from "@effect/vitest"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit } from "effect"
import * as Pipeline from "@northstar/core/Pipeline"
import * as Capture from "../../src/project/Capture.ts"
import * as Files from "../../src/project/Files.ts"
import * as Project from "../../src/project/Project.ts"
import * as Query from "../../src/project/Query.ts"
import * as Services from "../../src/project/Services.ts"
import { load, loadKey } from "../../src/project/Streams.ts"
import { contract, folders, header } from "./Drops.ts"

const line = (id: string, status: string) => `${id};${status};23.11.2026 10:00;1;\n`

/** A project over a drop folder of its own: capture and load under an epoch, and what curated and history hold. */
const shop = Effect.gen(function* () {
  const given = yield* folders
  const project = (epoch: number) =>
    Project.define({
      name: "shop",
      sources: [Project.files({ name: "partner", from: Project.folder(given.path), contracts: [contract()], epoch })],
      landing: Project.folder(join(given.root, "landing")),
      warehouse: Project.duckdb(join(given.root, "warehouse.duckdb"))
    })
  const run = (epoch: number) =>
    Effect.gen(function* () {
      for (const feed of Project.feeds(project(epoch))) {
        yield* Capture.run(feed, { untilCaughtUp: true, onCommit: () => Effect.void })
        yield* Pipeline.run(load(feed, loadKey(feed)), { program: "ingest", untilCaughtUp: true })
      }
    }).pipe(Effect.scoped, Effect.provide(Services.layer(project(epoch))))
  const ask = (sql: string) =>
    Effect.map(Query.query(project(1), sql, { rowsMax: 100 }), ({ rows }) =>
      rows.map((row) => Object.values(row).map(String).join(" "))
    )
  const log = join(given.root, "landing", "shop", "partner")
  return { ...given, project, run, ask, log }
})

const facts = "SELECT shipment_no, status FROM curated.shipments ORDER BY 1"

it.live("a raised epoch over an empty drop folder is caught up at once, and takes what comes later", () =>
  Effect.gen(function* () {
    const { ask, log, put, remove, run } = yield* shop
    put("in/a.csv", `${header}\n${line("A", "sent")}`, 1)
    yield* run(1)
    rmSync(join(log, "discovery"), { recursive: true })
    remove("in/a.csv")
    yield* run(2)
    assert.deepStrictEqual(yield* ask(facts), ["A sent"])
    put("in/b.csv", `${header}\n${line("A", "back")}`, 2)
    yield* run(2)
    assert.deepStrictEqual(yield* ask(facts), ["A back"])
  })
)

it.live(
  "S6 incarnation: a raised epoch recovers from a lost discovery log: every file anew, every fact once",
  () =>
    Effect.gen(function* () {
      const { ask, log, project, put, remove, run } = yield* shop
      put("in/a.csv", `${header}\n${line("A", "sent")}${line("B", "sent")}`, 1)
      put("in/b.csv", "what is this", 2)
      put("in/c.csv", `${header}\n${line("C", "sent")}`, 3)
      yield* run(1)
      const before = ["A sent", "B sent", "C sent"]
      assert.deepStrictEqual(yield* ask(facts), before)
      rmSync(join(log, "discovery"), { recursive: true })
      // As many files as before: by its length the log that is made anew would pass for the lost one.
      remove("in/c.csv")
      put("in/0.csv", `${header}\n${line("D", "sent")}`, 0)
      const lost = yield* Effect.flip(run(1))
      assert.strictEqual(lost._tag === "ConnectorError" ? lost.reason._tag : lost._tag, "HistoryLost")
      assert.include(lost.message, "epoch")
      assert.deepStrictEqual(yield* ask(facts), before)
      put("in/a.csv", `${header}\n${line("A", "sent")}${line("B", "back")}`, 4)
      yield* run(2)
      // What no file holds any more stays as it was captured.
      const after = ["A sent", "B back", "C sent", "D sent"]
      assert.deepStrictEqual(yield* ask(facts), after)
      const [refused] = yield* Files.refused(project(2))
      assert.strictEqual(refused?.key, "in/b.csv")
      // From here on as ever: what is known is left alone, what is new is read.
      put("in/d.csv", `${header}\n${line("C", "back")}`, 5)
      yield* run(2)
      yield* run(2)
      assert.deepStrictEqual(yield* ask(facts), ["A sent", "B back", "C back", "D sent"])
      const versions = "SELECT shipment_no, count(*) FROM curated.shipments__history GROUP BY ALL ORDER BY 1"
      assert.deepStrictEqual(yield* ask(versions), ["A 2", "B 2", "C 2", "D 1"])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(run(1))), "an epoch cannot be lowered")
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "a damaged discovery log is InvalidData, and a raised epoch needs nothing of it",
  () =>
    Effect.gen(function* () {
      const { ask, log, put, run } = yield* shop
      put("in/a.csv", `${header}\n${line("A", "sent")}`, 1)
      yield* run(1)
      const folder = join(log, "discovery")
      for (const name of readdirSync(folder)) {
        const path = join(folder, name)
        writeFileSync(path, readFileSync(path, "utf8").replace('"bytes":', '"bytes":1'))
      }
      const error = yield* Effect.flip(run(1))
      assert.strictEqual(error._tag === "ConnectorError" ? error.reason._tag : error._tag, "InvalidData")
      yield* run(2)
      assert.deepStrictEqual(yield* ask(facts), ["A sent"])
    }).pipe(Effect.scoped),
  60_000
)
