import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { assert, it, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, Option, Ref, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Batch from "@northstar/core/Batch"
import { unbounded } from "@northstar/core/Position"
import { FaultInjector } from "@northstar/core/testing"
import * as CommitLog from "../../src/landing/CommitLog.ts"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import * as LandingLog from "../../src/landing/LandingLog.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as Retention from "../../src/landing/Retention.ts"
import { block, guarded, relation } from "./Blocks.ts"
import { batch, fill, freshStream, open, ordersBlock, suite } from "./LandingSuite.ts"
import { DuckDb, folderLayer, keys, newest, temporaryFolder } from "./Stores.ts"

layer(Layer.merge(folderLayer, DuckDb.layer))("landing on a folder", (it) => {
  suite(it, "a folder", 4)

  it.effect("a reader that follows the log sees a commit of this process without waiting", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      const writer = yield* fill(stream, 1)
      const seen = yield* Ref.make<ReadonlyArray<bigint>>([])
      const begun = yield* Deferred.make<void>()
      const reader = yield* LandingLog.source({ stream }).open
      const reading = yield* reader.read(unbounded).pipe(
        Stream.tap(({ through }) => Ref.update(seen, (all) => [...all, through])),
        Stream.tap(() => Deferred.succeed(begun, undefined)),
        // What is there already when the reader looks is one batch.
        Stream.takeUntil(({ through }) => through === 3n),
        Stream.runDrain,
        Effect.forkChild
      )
      yield* Deferred.await(begun)
      yield* writer.commit(batch(2))
      yield* writer.commit(batch(3))
      // The test's clock stands still: only the notification can have woken the reader.
      yield* Fiber.join(reading)
      assert.deepStrictEqual([(yield* Ref.get(seen))[0], (yield* Ref.get(seen)).at(-1)], [1n, 3n])
    })
  )

  it.effect("a consumer with a cadence is woken by rows, and by records without rows once an hour", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      const writer = yield* fill(stream, 1)
      yield* writer.commit(batch(2))
      yield* writer.commit(batch(3))
      const reader = yield* LandingLog.source({ stream, cadence: "5 minutes" }).open
      const read = (after: bigint, through: bigint) =>
        reader.read({ after: Option.some(after), through: Option.some(through) }).pipe(
          Stream.map((found) => [found.after, found.through]),
          Stream.runCollect
        )
      assert.deepStrictEqual(yield* read(1n, 3n), [])
      yield* writer.commit(batch(4, ordersBlock("4")))
      assert.deepStrictEqual(yield* read(1n, 4n), [[Option.some(1n), 4n]])
      yield* writer.commit(batch(5))
      yield* TestClock.adjust("61 minutes")
      yield* writer.commit(batch(6))
      assert.deepStrictEqual(yield* read(4n, 6n), [[Option.some(4n), 6n]])
    })
  )

  it.effect("small blocks of one shape become one segment, and a batch of any size is written while it comes", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      const writer = yield* open(stream)
      const shape = relation("public.big", ["id", "text"])
      const piece = guarded(
        block(
          shape,
          Array.from({ length: 1_000 }, (_, n) => ({ values: [String(n), "x".repeat(20)] }))
        )
      )
      const stored = yield* Ref.make(0)
      const chunks = Stream.fromIterable(Array.from({ length: 220 }, (_, n) => n)).pipe(
        Stream.mapEffect((n) =>
          n < 219
            ? Effect.succeed([piece])
            : Effect.gen(function* () {
                yield* Ref.set(stored, (yield* keys(`${stream}/data/`)).length)
                return [piece]
              })
        )
      )
      const services = yield* Effect.context<ObjectStore>()
      const big = { ...batch(1), chunks: Stream.provideContext(chunks, services) }
      assert.strictEqual((yield* writer.commit(big)).rows, 220_000)
      assert.deepStrictEqual(
        (yield* newest(stream)).files.map(({ rows }) => rows),
        [50_000, 50_000, 50_000, 50_000, 20_000]
      )
      assert.isAtLeast(yield* Ref.get(stored), 2)
    })
  )

  it.effect(
    "P0 durable order: segments are durable before the record is named, and the record before the commit ends",
    () =>
      Effect.gen(function* () {
        const injector = yield* FaultInjector.make
        const writer = yield* open(yield* freshStream)
        yield* injector.arm()
        yield* injector.provide(writer.commit(batch(1, ordersBlock("1"))))
        assert.deepStrictEqual(yield* injector.trace, [
          "landing.segment.encoded",
          "folder.temporary.synced",
          "folder.object.named",
          "folder.object.synced",
          "landing.segment.stored",
          "landing.record.ready",
          "folder.temporary.synced",
          "folder.object.named",
          "folder.object.synced",
          "landing.record.created"
        ])
      })
  )
})

it.effect("retention removes what is older than 90 days and no consumer needs, oldest first, never the newest", () =>
  Effect.gen(function* () {
    const stream = "shop"
    const writer = yield* open(stream)
    for (let n = 1; n <= 100; n++) {
      yield* writer.commit(batch(n, ordersBlock(String(n))))
      yield* TestClock.adjust(Duration.days(1))
    }
    // Record n is 101 - n days old: 1 to 10 are older than 90 days.
    const consumer = (sequence: bigint) => ({ name: "load", sequence })
    const removed = (plan: Retention.Plan) => plan.keys.filter((path) => path.includes("/log/")).length
    assert.strictEqual(removed(yield* Retention.plan({ stream, consumers: [] })), 10)
    assert.strictEqual(removed(yield* Retention.plan({ stream, consumers: [consumer(100n)] })), 10)
    assert.strictEqual(removed(yield* Retention.plan({ stream, consumers: [consumer(4n), consumer(100n)] })), 4)
    assert.deepStrictEqual((yield* Retention.plan({ stream, consumers: [consumer(0n)] })).keys, [])

    const hold = Effect.fnUntraced(function* (sequence: bigint, exceptions: ReadonlyArray<Retention.Exception> = []) {
      return (yield* Retention.plan({ stream, consumers: [consumer(sequence)], exceptions })).holds.map(
        ({ state }) => state
      )
    })
    const until = (days: number) => [
      { consumer: "load", reason: "audit", expiresAtMs: Duration.toMillis(Duration.days(days)) }
    ]
    assert.deepStrictEqual(yield* hold(100n), [])
    assert.deepStrictEqual(yield* hold(60n), [])
    assert.deepStrictEqual(yield* hold(20n), ["warning"])
    assert.deepStrictEqual(yield* hold(2n), ["overdue"])
    assert.deepStrictEqual(yield* hold(2n, until(200)), ["excepted"])
    assert.deepStrictEqual(yield* hold(2n, until(50)), ["overdue"])

    const plan = yield* Retention.plan({ stream, consumers: [consumer(100n)] })
    // After any number of removals the log can be opened and read from where consumers stand.
    for (const path of plan.keys) {
      yield* Retention.apply({ ...plan, keys: [path] })
      const reader = yield* LandingLog.source({ stream }).open
      const rest = yield* Stream.runCollect(reader.read({ after: Option.some(10n), through: Option.some(100n) }))
      const segments = yield* Effect.forEach(rest, Batch.rows)
      assert.strictEqual(segments.flat().length, 90)
    }
    assert.strictEqual((yield* keys(`${stream}/data/`)).length, 90)
    yield* TestClock.adjust(Duration.days(1_000))
    yield* Retention.apply(yield* Retention.plan({ stream, consumers: [consumer(100n)] }))
    assert.deepStrictEqual(yield* keys(`${stream}/log/`), [CommitLog.recordKey(stream, 100n)])
    assert.deepStrictEqual((yield* open(stream)).watermark, Option.some(100n))
  }).pipe(Effect.provide(folderLayer))
)

it.effect("a reader sees within the poll interval what another process commits", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const stream = "shop"
    yield* Effect.gen(function* () {
      yield* fill(stream, 1)
      const record = yield* newest(stream)
      const reader = yield* LandingLog.source({ stream, pollInterval: "5 seconds" }).open
      const reading = yield* reader
        .read({ after: Option.some(1n), through: Option.some(2n) })
        .pipe(Stream.runCollect, Effect.forkChild)
      const next = { ...record, sequence: "2".padStart(20, "0"), after: record.through, files: [], relations: {} }
      const store = yield* ObjectStore
      yield* store.create(
        CommitLog.recordKey(stream, 2n),
        new TextEncoder().encode(CommitLog.seal(JSON.stringify(next)))
      )
      while (reading.pollUnsafe() === undefined) {
        yield* TestClock.adjust("5 seconds")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      assert.strictEqual((yield* Fiber.join(reading)).length, 1)
    }).pipe(Effect.provide(FolderStore.layer(folder)))
  })
)

it.effect("what a killed process left in the temporary folder is removed, what a live one writes is not", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const temporary = join(folder, ".temporary")
    mkdirSync(temporary)
    const names = [`${hostname()}.999999999.a`, `${hostname()}.${process.pid}.b`, "elsewhere.999999999.c"]
    for (const name of names) writeFileSync(join(temporary, name), "")
    yield* Effect.void.pipe(Effect.provide(FolderStore.layer(folder)))
    assert.deepStrictEqual(readdirSync(temporary).toSorted(), names.slice(1).toSorted())
    assert.isTrue(existsSync(folder))
  })
)

it.effect("a landing folder that is a file is refused with what to do", () =>
  Effect.gen(function* () {
    const path = join(yield* temporaryFolder, "file")
    writeFileSync(path, "")
    const error = yield* Effect.flip(Effect.void.pipe(Effect.provide(FolderStore.layer(join(path, "log")))))
    assert.strictEqual(error.reason._tag, "Misconfigured")
  })
)
