import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Option, Result, Stream } from "effect"
import * as Column from "@northstar/core/Column"
import { ConnectorError } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import * as Table from "@northstar/core/Table"
import * as CommitLog from "../../src/landing/CommitLog.ts"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import * as LandingLog from "../../src/landing/LandingLog.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import type { CommitRecord } from "../../src/landing/Segment.ts"
import * as Project from "../../src/project/Project.ts"
import * as Query from "../../src/project/Query.ts"
import * as Services from "../../src/project/Services.ts"
import { load, loadKey } from "../../src/project/Streams.ts"
import { batch, fill, freshStream, open, ordersBlock } from "../landing/LandingSuite.ts"
import { folderLayer, newest, temporaryFolder } from "../landing/Stores.ts"
import { Dice } from "./Dice.ts"

const first = Math.floor(Math.random() * 0x1_0000_0000)
const runs = Math.max(40, Number(process.env["NORTHSTAR_RUNS"] ?? 0))

/** Cases of a seed each, said where one fails. */
const fuzz = <E, R>(runs: number, holds: (dice: Dice) => Effect.Effect<void, E, R>) =>
  Effect.forEach(
    Array.from({ length: runs }, (_, run) => Number(process.env["NORTHSTAR_FUZZ"] ?? (first + run * 7919) >>> 0)),
    (seed) =>
      holds(new Dice(seed)).pipe(
        Effect.catchCause((cause) => Effect.die(new Error(`NORTHSTAR_FUZZ=${seed} repeats it`, { cause })))
      ),
    { discard: true }
  )

const isTyped = (result: Result.Result<unknown, unknown>): boolean =>
  Result.isFailure(result) && result.failure instanceof ConnectorError && result.failure.reason._tag === "InvalidData"

/** The log's records as a reader gets them. */
const records = (stream: string) =>
  Effect.gen(function* () {
    const reader = yield* LandingLog.source({ stream }).open
    const batches = yield* Stream.runCollect(reader.read({ after: Option.none(), through: Option.some(3n) }))
    return batches.map(({ after, through }) => ({ after, through }))
  }).pipe(Effect.scoped)

layer(folderLayer)("a damaged landing log", (it) => {
  it.effect("a commit record that is not byte for byte what was written stops readers and writers", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      yield* fill(stream, 3)
      const path = CommitLog.recordKey(stream, 2n)
      const tailPath = CommitLog.recordKey(stream, 3n)
      const [good, goodTail] = [yield* store.get(path), yield* store.get(tailPath)]
      // Found: a digit that was another was believed.
      yield* store.put(path, Buffer.from(Buffer.from(good).toString().replace('"epoch":1', '"epoch":2')))
      assert.isTrue(isTyped(yield* Effect.result(records(stream))))
      yield* store.put(path, good)
      yield* fuzz(runs, (dice) =>
        Effect.gen(function* () {
          const isTail = dice.below(3) === 0
          const whole = isTail ? goodTail : good
          const damaged = dice.damage(whole)
          if (Buffer.compare(damaged, whole) === 0) return
          yield* store.put(isTail ? tailPath : path, damaged)
          assert.isTrue(isTyped(yield* Effect.result(records(stream))))
          if (isTail) assert.isTrue(isTyped(yield* Effect.result(open(stream))))
          yield* store.put(isTail ? tailPath : path, whole)
        })
      )
      assert.strictEqual((yield* records(stream)).length, 1)
    })
  )

  it.effect("a segment that is not byte for byte what was written is never handed over", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      yield* fill(stream, 1)
      const file = (yield* newest(stream)).files[0] ?? assert.fail("no segment")
      const good = yield* store.get(file.path)
      yield* fuzz(runs, (dice) =>
        Effect.gen(function* () {
          const damaged = dice.damage(good)
          if (Buffer.compare(damaged, good) === 0) return
          yield* store.put(file.path, damaged)
          assert.isTrue(isTyped(yield* Effect.result(Effect.scoped(store.local(file)))))
        })
      )
    })
  )
})

const orders = Table.make("orders", {
  key: ["id"],
  columns: { id: Column.text, note: Column.nullable(Column.text) }
})

layer(Layer.empty, { excludeTestServices: true })("loading a damaged landing log", (it) => {
  it.effect(
    "publishes nothing of a segment with one flipped byte, and all of it once it is restored",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const source = Project.postgres({ name: "shop", url: undefined, tables: [orders] })
        const project = Project.define({
          name: "fuzz",
          sources: [source],
          landing: Project.folder(join(folder, "landing")),
          warehouse: Project.duckdb(join(folder, "warehouse.duckdb"))
        })
        const feed = Project.feed(project, source)
        const file = yield* Effect.gen(function* () {
          const writer = yield* open(feed.log)
          yield* writer.commit(batch(1, ordersBlock("1", "2", "3")))
          const record: CommitRecord = yield* newest(feed.log)
          return join(folder, "landing", record.files[0]?.path ?? "")
        }).pipe(Effect.provide(FolderStore.layer(join(folder, "landing"))))
        const good = readFileSync(file)
        const loading = Pipeline.run(load(feed, loadKey(feed)), { program: "ingest", untilCaughtUp: true }).pipe(
          Effect.scoped,
          Effect.provide(Services.layer(project))
        )
        const counted = Effect.map(
          Query.query(project, "SELECT count(*) AS n FROM curated.orders", { rowsMax: 1 }),
          ({ rows }) => String(rows[0]?.["n"])
        )
        yield* fuzz(3, (dice) =>
          Effect.gen(function* () {
            const at = dice.below(good.length)
            writeFileSync(file, good.with(at, (good[at] ?? 0) ^ (1 << dice.below(8))))
            assert.isTrue(isTyped(yield* Effect.result(loading)))
            assert.strictEqual(yield* counted, "0")
          })
        )
        writeFileSync(file, good)
        yield* loading
        assert.strictEqual(yield* counted, "3")
      }).pipe(Effect.scoped),
    60_000
  )
})
