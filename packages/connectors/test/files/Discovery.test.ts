import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Option, Result, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import { unbounded } from "@northstar/core/Position"
import { FaultInjector } from "@northstar/core/testing"
import * as Discovery from "../../src/files/Discovery.ts"
import * as DropFolder from "../../src/files/DropFolder.ts"
import * as FilesSource from "../../src/files/FilesSource.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import { Dice } from "../fuzz/Dice.ts"
import { at, contract, header, inWorld, readAll, source } from "./Drops.ts"

const stream = "shop/partner"
const file = (content: string) => `${header}\n${content};sent;23.11.2026 10:00;1;\n`

const lookAt = (path: string, settle = 0) =>
  Effect.map(DropFolder.folder({ path, settle }), (drop) => ({
    drop,
    contracts: [contract()],
    maskName: (name: string) => name
  }))

/** Keys and contents of the log, in order. */
const log = Effect.map(
  Effect.flatMap(Discovery.open(stream), ({ sequence }) =>
    Effect.forEach(
      Array.from({ length: Number(sequence) }, (_, n) => BigInt(n + 1)),
      (at) => Discovery.entry(stream, at)
    )
  ),
  (entries) => entries.map((entry) => Option.getOrThrow(entry).key)
)

it.effect("content that changes and changes back is three deliveries, content that stays is none", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const found: Array<string> = []
      for (const [n, content] of ["A", "A", "B", "B", "A", "A"].entries()) {
        put("in/x.csv", file(content), n)
        const all = yield* readAll(source(path, [contract()]), BigInt(found.length))
        found.push(...all.map(({ rows }) => rows[0]?.values["shipment_no"] ?? ""))
      }
      assert.deepStrictEqual(found, ["A", "B", "A"])
    })
  )
)

it.effect("what shares its second with a known file, or is older, is found when it becomes visible", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const look = yield* lookAt(path)
      const known = yield* Discovery.open(stream)
      put("in/b.csv", file("B"), 5)
      yield* Discovery.look(known, look)
      put("in/a.csv", file("A"), 5)
      put("in/c.csv", file("C"), 1)
      put("in/sub/d.csv", file("D"), 1)
      put("other/e.csv", file("E"), 1)
      yield* Discovery.look(known, look)
      assert.deepStrictEqual(yield* log, ["in/b.csv", "in/c.csv", "in/a.csv"])
    })
  )
)

it.effect("a file that is still written, or was just now, is left for a later look", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const look = yield* lookAt(path, 5_000)
      const known = yield* Discovery.open(stream)
      yield* TestClock.setTime(1_795_428_000_000)
      put("in/a.csv", file("A"), -6)
      put("in/b.csv", file("B"), -4)
      yield* Discovery.look(known, look)
      assert.deepStrictEqual(yield* log, ["in/a.csv"])
      yield* TestClock.adjust("2 seconds")
      yield* Discovery.look(known, look)
      assert.deepStrictEqual(yield* log, ["in/a.csv", "in/b.csv"])
    })
  )
)

it.effect("any number of discoverers find each delivery once", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      for (let n = 0; n < 30; n++) put(`in/${String(n).padStart(2, "0")}.csv`, file(`S${n}`), n % 3)
      const look = yield* lookAt(path)
      yield* Effect.all(
        Array.from({ length: 5 }, () =>
          Effect.flatMap(Discovery.open(stream), (known) =>
            Effect.andThen(Effect.yieldNow, Discovery.look(known, look))
          )
        ),
        { concurrency: "unbounded" }
      )
      const keys = yield* log
      assert.strictEqual(keys.length, 30)
      assert.strictEqual(new Set(keys).size, 30)
    })
  )
)

it.effect("P1 crash: a discoverer that is cut off at any step leaves a log that the next one goes on with", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const injector = yield* FaultInjector.make
      const look = yield* lookAt(path)
      const kinds = ["fail", "die", "interrupt"] as const
      for (let n = 0; n < 12; n++) {
        put(`in/${n}.csv`, file(`S${n}`), n)
        yield* injector.arm({ step: "*", nth: 1 + (n % 6), kind: kinds[n % 3] ?? "fail" })
        yield* Effect.exit(
          injector.provide(Effect.flatMap(Discovery.open(stream), (known) => Discovery.look(known, look)))
        )
      }
      yield* Effect.flatMap(Discovery.open(stream), (known) => Discovery.look(known, look))
      assert.deepStrictEqual((yield* log).toSorted(), Array.from({ length: 12 }, (_, n) => `in/${n}.csv`).toSorted())
    })
  )
)

it.effect("an entry whose answer was lost is recognised", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      put("in/a.csv", file("A"))
      put("in/b.csv", file("B"), 1)
      const store = yield* ObjectStore
      let lost = 0
      const lossy = ObjectStore.of({
        ...store,
        create: (key, bytes) =>
          Effect.flatMap(store.create(key, bytes), (outcome) =>
            outcome === "created" && lost++ < 2 ? Effect.fail(answerLost) : Effect.succeed(outcome)
          )
      })
      const look = yield* lookAt(path)
      yield* Effect.flatMap(Discovery.open(stream), (known) => Discovery.look(known, look)).pipe(
        Effect.provideService(ObjectStore, lossy)
      )
      assert.deepStrictEqual(yield* log, ["in/a.csv", "in/b.csv"])
    })
  )
)

const answerLost = new ConnectorError({
  connector: "test",
  operation: "create",
  detail: "the answer was lost",
  action: "",
  reason: new Unavailable({ cause: "test" })
})

it.effect("a long log is opened by its pages, and by its entries where a page is missing", () =>
  inWorld(({ path }) =>
    Effect.gen(function* () {
      const files = Array.from({ length: 1_100 }, (_, n) => ({
        key: `in/${String(n).padStart(5, "0")}.csv`,
        version: `v${n}`,
        bytes: 1,
        modifiedMs: n
      }))
      const base = yield* lookAt(path)
      const look = { ...base, drop: { ...base.drop, list: () => Stream.fromIterable(files) } }
      yield* Effect.flatMap(Discovery.open(stream), (known) => Discovery.look(known, look))
      const store = yield* ObjectStore
      const opened = Effect.gen(function* () {
        let reads = 0
        const counting = ObjectStore.of({
          ...store,
          get: (key) =>
            Effect.andThen(
              Effect.sync(() => void reads++),
              store.get(key)
            )
        })
        const known = yield* Effect.provideService(Discovery.open(stream), ObjectStore, counting)
        assert.strictEqual(known.sequence, 1_100n)
        assert.strictEqual(known.latest.size, 1_100)
        yield* Discovery.look(known, look)
        assert.strictEqual(known.sequence, 1_100n)
        return reads
      })
      assert.strictEqual(yield* opened, 2 + 76)
      yield* store.remove(`${stream}/discovered/${"512".padStart(20, "0")}.json`)
      assert.isAbove(yield* opened, 1_000)
      // It is written again on the way.
      assert.strictEqual(yield* opened, 2 + 76)
      yield* store.remove(`${stream}/discovery/${"1050".padStart(20, "0")}.json`)
      const error = yield* Effect.flip(Discovery.open(stream))
      assert.include(error.detail, "is missing although entry 1051 exists")
    })
  )
)

it.effect("a discovery log of which a byte was changed is InvalidData, wherever it lies", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      put("in/a.csv", file("A"))
      put("in/b.csv", "broken", 1)
      const replaces = contract({ redelivery: "replaces" })
      const from = source(path, [replaces])
      yield* readAll(from)
      yield* Effect.scoped(Effect.flatMap(from.open, (reader) => Effect.flatMap(at(2n), reader.release)))
      put("in/a.csv", file("C"), 2)
      const store = yield* ObjectStore
      const keys = yield* Stream.runCollect(Stream.map(store.list(`${stream}/`), ({ key }) => key))
      const kinds = new Set(keys.map((key) => key.split("/")[2]))
      assert.deepStrictEqual(kinds, new Set(["accepted", "discovery", "keys", "refused", "settled"]))
      const read = Effect.result(Effect.andThen(readAll(from, 2n), FilesSource.refused(stream)))
      const dice = new Dice(7)
      for (const key of keys.filter((name) => !name.includes("/settled/"))) {
        const good = yield* store.get(key)
        for (let n = 0; n < 6; n++) {
          const at = dice.below(good.length)
          yield* store.put(key, good.with(at, (good[at] ?? 0) ^ (1 << dice.below(8))))
          const found = yield* read
          const tag = Result.isFailure(found) && found.failure._tag === "ConnectorError" && found.failure.reason._tag
          assert.strictEqual(tag, "InvalidData", `${key} at ${at}`)
        }
        yield* store.put(key, good)
        yield* store.remove(`${stream}/accepted/${"3".padStart(20, "0")}.json`)
      }
      assert.isTrue(Result.isSuccess(yield* read))
    })
  )
)

it.effect("S6 incarnation: a log that ends before the watermark is refused", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      put("in/a.csv", file("A"))
      yield* readAll(source(path, [contract()]))
      const reader = yield* source(path, [contract()]).open
      const error = yield* Effect.flip(
        Stream.runDrain(reader.read({ ...unbounded, after: Option.some({ epoch: 1, delivery: 7n, id: "x" }) }))
      )
      assert.strictEqual(error.reason._tag, "HistoryLost")
    }).pipe(Effect.scoped)
  )
)

it.effect("an open range follows the drop folder, at its interval and at a hint", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const seen: Array<bigint> = []
      const drop = Effect.map(DropFolder.folder({ path, settle: 0 }), (folder) => ({
        ...folder,
        hint: Effect.sleep("3 seconds")
      }))
      put("in/a.csv", file("A"))
      const from = source(path, [contract()], { drop, pollInterval: "1 hour" })
      const following = yield* Effect.scoped(
        Effect.flatMap(from.open, (reader) =>
          reader.read(unbounded).pipe(
            Stream.tap(({ through }) => Effect.sync(() => seen.push(through.delivery))),
            Stream.take(3),
            Stream.runDrain
          )
        )
      ).pipe(Effect.forkChild)
      const until = (count: number) =>
        Effect.repeat(
          Effect.andThen(
            TestClock.adjust("1 second"),
            Effect.promise(() => new Promise((done) => setImmediate(done)))
          ),
          { until: () => seen.length >= count, schedule: Schedule.recurs(2_000) }
        )
      yield* until(1)
      put("in/b.csv", file("B"), 1)
      yield* until(2)
      put("in/a.csv", file("C"), 2)
      yield* until(3)
      yield* Fiber.join(following)
      assert.deepStrictEqual(seen, [1n, 2n, 3n])
    })
  )
)
