import { randomUUID } from "node:crypto"
import { assert, type Vitest } from "@effect/vitest"
import { Arbitrary, Cause, Effect, Exit, Option, Ref, Schema, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import { sequence } from "@northstar/core/Position"
import { FaultInjector, SinkLaws, SourceLaws } from "@northstar/core/testing"
import type { Block, ProtectedBlock } from "../../src/landing/Block.ts"
import * as CommitLog from "../../src/landing/CommitLog.ts"
import * as LandingLog from "../../src/landing/LandingLog.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import * as Retention from "../../src/landing/Retention.ts"
import { block, guarded, relation } from "./Blocks.ts"
import { contents, type DuckDb, keys, newest } from "./Stores.ts"

type It = Vitest.MethodsNonLive<ObjectStore | DuckDb>

const key = { pipeline: "test", stream: "test" }
const position = sequence("test/position")
const orders = relation("public.orders", ["id", "note"])
const lines = relation("public.order lines", ["id", "line", "sku"])

/** A stream that no other test uses. */
export const freshStream = Effect.sync(() => `shop-${randomUUID()}`)

/** One block of orders. */
export const ordersBlock = (...ids: ReadonlyArray<string>): Block =>
  block(
    orders,
    ids.map((id) => ({ values: [id, null] }))
  )

/** A batch of the n-th step. */
export const batch = (n: number, ...blocks: ReadonlyArray<Block>) =>
  Batch.make(
    { after: n === 1 ? Option.none<bigint>() : Option.some(BigInt(n - 1)), through: BigInt(n) },
    blocks.map(guarded),
    {
      committedAtMs: 1_000 * n
    }
  )

/** A writer of a stream. */
export const open = (stream: string) => LandingLog.sink({ stream, revision: 1 }).open(key, position)

/** Commits batches 1 to `count`, each of one order. */
export const fill = Effect.fnUntraced(function* (stream: string, count: number) {
  const writer = yield* open(stream)
  for (let n = 1; n <= count; n++) yield* writer.commit(batch(n, ordersBlock(String(n))))
  return writer
})

const readAll = (stream: string, after: bigint, through: bigint) =>
  Effect.gen(function* () {
    const reader = yield* LandingLog.source({ stream }).open
    return yield* Stream.runCollect(reader.read({ after: Option.some(after), through: Option.some(through) }))
  }).pipe(Effect.scoped)

const bytes = (text: string) => new TextEncoder().encode(text)

/** What every object store must do, and the landing log on it. */
export const suite = (it: It, name: string, runs: number): void => {
  storeLaws(it)
  sinkLaws(it, name, runs)
  sourceLaws(it, name)
  logLaws(it)
  retentionLaws(it)
}

const storeLaws = (it: It): void => {
  it.effect("of racing creators of one key exactly one wins, and its bytes stay", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      for (let round = 0; round < 10; round++) {
        const path = `${yield* freshStream}/key`
        const outcomes = yield* Effect.forEach(
          Array.from({ length: 24 }, (_, racer) => racer),
          (racer) => store.create(path, bytes(String(racer))),
          { concurrency: "unbounded" }
        )
        const winners = outcomes.flatMap((outcome, racer) => (outcome === "created" ? [racer] : []))
        assert.strictEqual(winners.length, 1)
        assert.deepStrictEqual(yield* store.get(path), bytes(String(winners[0])))
      }
    })
  )

  it.effect("keys are listed in byte order, by prefix, after a key, over pages", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      const names = [
        "a.b",
        "a/x",
        "a/y/z",
        "a-b",
        "b",
        ...Array.from({ length: 1_010 }, (_, n) => `many/${String(n).padStart(4, "0")}`)
      ]
      yield* Effect.forEach(names, (part) => store.put(`${stream}/${part}`, bytes(part)), { concurrency: 16 })
      const sorted = names.map((part) => `${stream}/${part}`).toSorted()
      assert.deepStrictEqual(yield* keys(`${stream}/`), sorted)
      assert.deepStrictEqual(
        yield* keys(`${stream}/a`),
        sorted.filter((path) => path.startsWith(`${stream}/a`))
      )
      for (const after of ["a", "a/x", "a/y", "a/y/z", "many/0999", "z"].map((part) => `${stream}/${part}`)) {
        assert.deepStrictEqual(
          yield* keys(`${stream}/`, after),
          sorted.filter((path) => path > after)
        )
      }
    })
  )

  it.effect("a removed object is absent, and removing it again succeeds", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const path = `${yield* freshStream}/deep/key`
      yield* store.put(path, bytes("x"))
      yield* store.remove(path)
      yield* store.remove(path)
      const error = yield* Effect.flip(store.get(path))
      assert.strictEqual(error.reason._tag, "InvalidData")
      assert.include(error.message, path)
    })
  )

  it.effect("a key that leaves its folder is refused", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      for (const path of ["../x", "a/../../x", "/etc/x", "a//b", "", ".temporary/x", "a/é", "a\0"]) {
        const local = Effect.scoped(store.local({ path, sha256: "" }))
        const writes = [store.put(path, bytes("x")), Effect.asVoid(store.create(path, bytes("x"))), store.remove(path)]
        for (const use of [...writes, Effect.asVoid(store.get(path)), Effect.asVoid(local)]) {
          assert.strictEqual((yield* Effect.flip(use)).reason._tag, "Misconfigured")
        }
      }
    })
  )
}

const text = Arbitrary.schema(Schema.Literals(["", "a", "é", "🛒", "null"]))
const blocks: Arbitrary.Arbitrary<ReadonlyArray<ProtectedBlock>> = Arbitrary.array(
  Arbitrary.all({
    isOrder: Arbitrary.schema(Schema.Boolean),
    texts: Arbitrary.array(text, { minLength: 1, maxLength: 4 })
  }).pipe(
    Arbitrary.map(({ isOrder, texts }) =>
      guarded(
        block(
          isOrder ? orders : lines,
          texts.map((value) => ({ values: [value, null, value] }))
        )
      )
    )
  ),
  { maxLength: 4 }
)

const sinkLaws = (it: It, name: string, runs: number): void => {
  const laws = SinkLaws.laws<ProtectedBlock, bigint, ObjectStore | DuckDb>({
    name: `landing on ${name}`,
    position,
    at: BigInt,
    batches: Arbitrary.array(blocks, { minLength: 2, maxLength: 4 }),
    make: Effect.gen(function* () {
      const services = yield* Effect.context<ObjectStore | DuckDb>()
      const stream = yield* freshStream
      return {
        open: Effect.provideContext(open(stream), services),
        contents: Effect.provideContext(contents(stream), services)
      }
    }),
    runs
  })
  for (const law of laws) it.effect(law.name, () => law.check, 120_000)

  it.effect("K4 fence: of writers in a row, each opened before the others' commits, one continues", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      const first = yield* open(stream)
      const second = yield* open(stream)
      yield* first.commit(batch(1, ordersBlock("1")))
      const other = Batch.make({ after: Option.none<bigint>(), through: 5n }, [guarded(ordersBlock("other"))])
      const exit = yield* Effect.exit(second.commit(other))
      assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes("WatermarkConflict"))
      assert.isTrue((yield* second.commit(batch(1, ordersBlock("1")))).replayed)
      assert.isFalse((yield* second.commit(batch(2, ordersBlock("2")))).replayed)
    })
  )
}

const sourceLaws = (it: It, name: string): void => {
  const laws = SourceLaws.laws({
    name: `landing on ${name}`,
    live: false,
    make: Effect.gen(function* () {
      const stream = yield* freshStream
      const writer = yield* fill(stream, 3)
      yield* writer.commit(batch(4))
      yield* writer.commit(batch(5, ordersBlock("a"), block(lines, [{ values: ["1", "2", null] }])))
      return LandingLog.source({ stream })
    }).pipe(Effect.catchIf((error) => error._tag !== "ConnectorError", Effect.die))
  })
  for (const law of laws) it.effect(law.name, () => law.check)
}

const logLaws = (it: It): void => {
  it.effect("a record says what was committed, and the segments what its rows were", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      const sink = LandingLog.sink({ stream, revision: 7, epochOf: (through) => Number(through) + 2 })
      const writer = yield* sink.open(key, position)
      const receipt = yield* writer.commit(
        batch(1, ordersBlock("1", "2"), block(lines, [{ values: ["1", "1", "A"] }]), ordersBlock("3"))
      )
      assert.deepStrictEqual(receipt, { through: 1n, rows: 4, replayed: false })
      const record = yield* newest(stream)
      assert.deepInclude(record, {
        after: null,
        through: "00000000000000000001",
        epoch: 3,
        revision: 7,
        committedAtMs: 1_000
      })
      assert.deepStrictEqual(
        record.files.map(({ table, rows }) => [table, rows]),
        [
          ["public.orders", 3],
          ["public.order lines", 1]
        ]
      )
      assert.deepStrictEqual(yield* contents(stream), [
        "public.order lines 1|1|0|0|null|null|null|1|1|A",
        "public.orders 1|1|0|0|null|null|null|1|null",
        "public.orders 1|1|0|0|null|null|null|2|null",
        "public.orders 1|1|0|0|null|null|null|3|null"
      ])
    })
  )

  it.effect("the tail is found in a log of any length, also where its beginning is gone", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      const writer = yield* open(stream)
      for (let n = 1; n <= 20; n++) {
        yield* writer.commit(batch(n))
        assert.strictEqual((yield* newest(stream)).sequence, String(n).padStart(20, "0"))
      }
      for (let n = 1n; n < 20n; n++) {
        yield* store.remove(CommitLog.recordKey(stream, n))
        assert.strictEqual((yield* newest(stream)).sequence, "20".padStart(20, "0"))
      }
    })
  )

  it.effect("a commit whose answer was lost is a success, and one that was cut off after it is a replay", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      const lost = new ConnectorError({
        connector: "test",
        operation: "create",
        detail: "no answer",
        action: "Run again",
        reason: new Unavailable({ cause: "test" })
      })
      const answers = yield* Ref.make(0)
      const deaf = ObjectStore.of({
        ...store,
        create: (path, content) =>
          Effect.flatMap(store.create(path, content), (outcome) =>
            Effect.flatMap(
              Ref.getAndUpdate(answers, (n) => n + 1),
              (n) => (n === 0 ? Effect.fail(lost) : Effect.succeed(outcome))
            )
          )
      })
      const writer = yield* open(stream).pipe(Effect.provideService(ObjectStore, deaf))
      assert.isFalse((yield* writer.commit(batch(1, ordersBlock("1")))).replayed)
      const injector = yield* FaultInjector.make
      yield* injector.arm({ step: "landing.record.created", nth: 1, kind: "fail" })
      yield* Effect.flip(injector.provide(writer.commit(batch(2, ordersBlock("2")))))
      assert.isTrue((yield* writer.commit(batch(2, ordersBlock("2")))).replayed)
      assert.isFalse((yield* writer.commit(batch(3, ordersBlock("3")))).replayed)
      assert.strictEqual((yield* contents(stream)).length, 3)
    })
  )

  it.effect("a log of another position type is refused", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      yield* fill(stream, 1)
      const other = LandingLog.sink({ stream, revision: 1 }).open(key, sequence("other"))
      assert.strictEqual((yield* Effect.flip(other)).reason._tag, "Misconfigured")
    })
  )

  it.effect("a corrupted, a truncated and a deleted segment are InvalidData that names the file", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      yield* fill(stream, 1)
      const [file] = (yield* newest(stream)).files
      if (file === undefined) return yield* Effect.die("no segment")
      const good = yield* store.get(file.path)
      const flipped = Uint8Array.from(good, (byte, index) => (index === 9 ? byte ^ 1 : byte))
      const damage = [
        store.put(file.path, flipped),
        store.put(file.path, good.subarray(0, -1)),
        store.remove(file.path)
      ]
      yield* Effect.scoped(store.local(file))
      for (const destroy of damage) {
        yield* destroy
        const error = yield* Effect.flip(Effect.scoped(store.local(file)))
        assert.strictEqual(error.reason._tag, "InvalidData")
        assert.include(error.message, file.path)
      }
    })
  )

  it.effect("a damaged record stops readers and writers with InvalidData", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      yield* fill(stream, 2)
      const path = CommitLog.recordKey(stream, 2n)
      const good = yield* store.get(path)
      const other = new TextDecoder().decode(good).replace(/"sequence":"0+2"/, `"sequence":"${"3".padStart(20, "0")}"`)
      for (const content of [good.subarray(0, 40), bytes("{}"), bytes(""), bytes(other)]) {
        yield* store.put(path, content)
        for (const use of [Effect.asVoid(open(stream)), Effect.asVoid(readAll(stream, 0n, 2n))]) {
          const error = yield* Effect.flip(use)
          assert.strictEqual(error.reason._tag, "InvalidData")
          assert.include(error.message, path)
        }
      }
    })
  )

  it.effect("a gap is InvalidData for readers, and never a shorter log for writers", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      for (const missing of [2n, 3n, 4n, 5n, 6n]) {
        const stream = yield* freshStream
        yield* fill(stream, 7)
        yield* store.remove(CommitLog.recordKey(stream, missing))
        const read = yield* Effect.flip(readAll(stream, 0n, 7n))
        assert.strictEqual(read.reason._tag, "InvalidData")
        // A search by halves may pass over the gap; then it finds the true end.
        const opened = yield* Effect.result(LandingLog.tail(stream))
        if (opened._tag === "Failure") assert.strictEqual(opened.failure.reason._tag, "InvalidData")
        else assert.strictEqual(Option.getOrThrow(opened.success).sequence, "7".padStart(20, "0"))
      }
    })
  )

  it.effect(
    "S6 incarnation: a reader beyond the log's end, or before its beginning, is told that history is lost",
    () =>
      Effect.gen(function* () {
        const store = yield* ObjectStore
        const stream = yield* freshStream
        yield* fill(stream, 3)
        assert.strictEqual((yield* Effect.flip(readAll(stream, 4n, 5n))).reason._tag, "HistoryLost")
        yield* store.remove(CommitLog.recordKey(stream, 1n))
        yield* store.remove(CommitLog.recordKey(stream, 2n))
        assert.strictEqual((yield* Effect.flip(readAll(stream, 0n, 3n))).reason._tag, "HistoryLost")
        assert.strictEqual((yield* readAll(stream, 2n, 3n)).length, 1)
      })
  )
}

const retentionLaws = (it: It): void => {
  it.effect("the sweeper removes what lost, and nothing that a slow writer may still commit", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const stream = yield* freshStream
      const writer = yield* fill(stream, 2)
      yield* store.put(`${CommitLog.dataFolder(stream, 2n)}loser/0-orders.parquet`, bytes("lost"))
      const slow = `${CommitLog.dataFolder(stream, 3n)}slow/0-orders.parquet`
      yield* store.put(slow, bytes("at work"))
      const before = yield* contents(stream)
      const plan = yield* Retention.sweep({ stream })
      assert.deepStrictEqual(plan.keys, [`${CommitLog.dataFolder(stream, 2n)}loser/0-orders.parquet`])
      yield* Retention.apply(plan)
      assert.deepStrictEqual(yield* contents(stream), before)
      assert.deepStrictEqual(yield* keys(slow), [slow])
      yield* writer.commit(batch(3, ordersBlock("3")))
      assert.deepStrictEqual((yield* Retention.sweep({ stream })).keys, [slow])
      assert.deepStrictEqual((yield* Retention.sweep({ stream, after: 3n })).keys, [])
    })
  )

  it.effect("everything that is stored is named by some record or found by the sweeper", () =>
    Effect.gen(function* () {
      const stream = yield* freshStream
      yield* fill(stream, 3)
      const plan = yield* Retention.sweep({ stream })
      assert.deepStrictEqual(plan.keys, [])
    })
  )
}
