import { assert, describe, it } from "@effect/vitest"
import type { Change } from "@northstar/core/Change"
import { atLeast, enforce, everyRow } from "@northstar/core/Expectation"
import * as Memory from "@northstar/core/Memory"
import * as Pipeline from "@northstar/core/Pipeline"
import { sequence } from "@northstar/core/Position"
import { LedgerError, type Run, RunLedger } from "@northstar/core/RunLedger"
import * as Stage from "@northstar/core/Stage"
import { FaultInjector, Histories, Law } from "@northstar/core/testing"
import { WatermarkStore } from "@northstar/core/WatermarkStore"
import { Arbitrary, Effect, Fiber, Layer, Option, Ref, Schedule, Schema, Stream } from "effect"

type Row = Change<Histories.Row>

const key = { pipeline: "test", stream: "parcels" }
const position = sequence("memory/sequence")
const never = Schedule.recurs(0)
const services = Layer.merge(WatermarkStore.layerMemory, RunLedger.layerMemory)

/** Five commits of one row each. */
const five = Array.from({ length: 5 }, (_, index): Memory.Commit<Row, bigint> => ({
  at: BigInt(index + 1),
  committedAtMs: 1_000 * (index + 1),
  rows: [
    {
      op: "upsert",
      table: "parcels",
      key: `${index}`,
      version: { epoch: 1, position: BigInt(index + 1), ordinal: 0, revision: 1 },
      row: { id: `${index}`, amount: `${index}` },
      unchanged: []
    }
  ]
}))

const setup = Effect.fnUntraced(function* (
  commits: ReadonlyArray<Memory.Commit<Row, bigint>>,
  options: {
    readonly stage?: Stage.Stage<Row, Row, Stage.StageError, Run>
    readonly retry?: Schedule.Schedule<unknown, Pipeline.RunError>
  } = {}
) {
  const source = yield* Memory.source({ name: "parcels", position, commits })
  const sink = yield* Memory.sink<Histories.Row>("parcels")
  const stage: Stage.Stage<Row, Row, Stage.StageError, Run> = options.stage ?? Stage.identity<Row>()
  const pipeline = Pipeline.make({ key, source, sink, stage, retry: options.retry ?? never })
  const ingest = Pipeline.run(pipeline, { program: "ingest", untilCaughtUp: true })
  const watermark = Effect.flatMap(WatermarkStore, (store) => store.load(key)).pipe(
    Effect.map(Option.match({ onNone: () => 0n, onSome: ({ through }) => BigInt(through) }))
  )
  return { source, sink, pipeline, ingest, watermark }
})

describe("crashes", () => {
  const Fault = Schema.Struct({
    nth: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })),
    kind: Schema.Literals(["fail", "die", "interrupt"])
  })
  const input = Arbitrary.all({
    delivery: Histories.deliveries({ partial: true, truncates: true, losses: false }),
    faults: Arbitrary.array(Arbitrary.schema(Fault), { maxLength: 8 })
  })

  /** Runs a pipeline into each fault, then to its end, and gives back all its sink was ever given. */
  const survive = Effect.fnUntraced(
    function* (commits: ReadonlyArray<Memory.Commit<Row, bigint>>, faults: ReadonlyArray<typeof Fault.Type>) {
      const { source, sink, ingest, watermark } = yield* setup(commits)
      const injector = yield* FaultInjector.make
      for (const fault of faults) {
        yield* injector.arm({ step: "*", ...fault })
        yield* Effect.exit(injector.provide(ingest))
        const released = Option.getOrElse(yield* source.released, () => 0n)
        yield* Law.ensure("what is released is durable", released <= (yield* watermark))
      }
      yield* ingest
      return { history: yield* sink.history, contents: yield* sink.contents }
    },
    Effect.provide(services, { local: true })
  )

  const crashes = Law.property(
    "P1 crash: a pipeline that fails at any steps and is run again stores what one that never failed stores",
    { input, runs: 100, size: 30 },
    Effect.fnUntraced(function* ({ delivery, faults }) {
      const commits = delivery.batches.map((rows, index) => ({ at: BigInt(index + 1), rows }))
      const crashed = yield* survive(commits, faults)
      yield* Law.same("what is stored", crashed, yield* survive(commits, []))
    })
  )
  it.effect(crashes.name, () => crashes.check)

  it.effect("P0 durable order: every release comes after the commit of its batch", () =>
    Effect.gen(function* () {
      const { ingest } = yield* setup(five)
      const injector = yield* FaultInjector.make
      yield* injector.provide(ingest)
      const order = (yield* injector.trace).filter((step) => /committed|released/.test(step))
      const expected = Array.from({ length: 5 }, () => ["memory.sink.committed", "memory.source.released"])
      assert.deepStrictEqual(order, expected.flat())
    }).pipe(Effect.provide(services))
  )

  it.effect("S5 release: a batch whose commit failed is not released", () =>
    Effect.gen(function* () {
      const { ingest, source } = yield* setup(five)
      const injector = yield* FaultInjector.make
      yield* injector.arm({ step: "memory.sink.written", nth: 3, kind: "fail" })
      yield* Effect.flip(injector.provide(ingest))
      assert.deepStrictEqual(yield* source.released, Option.some(2n))
    }).pipe(Effect.provide(services))
  )

  it.effect("a retry opens source and sink again and resumes after the last commit", () =>
    Effect.gen(function* () {
      const { ingest, sink } = yield* setup(five, { retry: Schedule.recurs(1) })
      const injector = yield* FaultInjector.make
      yield* injector.arm({ step: "memory.sink.written", nth: 3, kind: "fail" })
      const summary = yield* injector.provide(ingest)
      const trace = yield* injector.trace
      assert.strictEqual(trace.filter((step) => step === "memory.sink.opened").length, 2)
      assert.strictEqual(trace.filter((step) => step === "memory.source.opened").length, 2)
      assert.deepStrictEqual([summary.batches, summary.rows], [5, 5])
      assert.strictEqual((yield* sink.history).length, 5)
    }).pipe(Effect.provide(services))
  )

  it.effect("a retry begins anew after a commit, and ends when nothing is committed in between", () =>
    Effect.gen(function* () {
      const failing = (...nths: ReadonlyArray<number>) =>
        Effect.gen(function* () {
          const seen = yield* Ref.make(0)
          const pass = Effect.flatMap(
            Ref.updateAndGet(seen, (n) => n + 1),
            (n) => (nths.includes(n) ? Effect.fail(new LedgerError({ cause: "away" })) : Effect.void)
          )
          const stage: Stage.Stage<Row, Row, Stage.StageError> = (batches) => Stream.tap(batches, () => pass)
          return yield* (yield* setup(five, { stage, retry: Schedule.recurs(1) })).ingest
        }).pipe(Effect.provide(services))
      assert.strictEqual((yield* failing(2, 4)).batches, 5)
      assert.strictEqual((yield* Effect.flip(failing(2, 3)))._tag, "LedgerError")
    })
  )
})

describe("stages", () => {
  it.effect("a stage that drops a batch is caught by compare-and-set", () =>
    Effect.gen(function* () {
      const dropsThird: Stage.Stage<Row, Row> = (batches) =>
        batches.pipe(
          Stream.zipWithIndex,
          Stream.filter(([, index]) => index !== 2),
          Stream.map(([batch]) => batch)
        )
      const { ingest, sink, watermark } = yield* setup(five, { stage: dropsThird })
      const error = yield* Effect.flip(ingest)
      assert.strictEqual(error._tag, "WatermarkConflict")
      assert.strictEqual((yield* sink.history).length, 2)
      assert.strictEqual(yield* watermark, 2n)
    }).pipe(Effect.provide(services))
  )

  it.effect("a batch that breaks an expectation does not reach the sink, those before it do", () =>
    Effect.gen(function* () {
      const below = everyRow<Row>({
        name: "amount_below_3",
        holds: (change) => change.op !== "upsert" || Number(change.row["amount"]) < 3,
        locate: ({ table, version }) => ({ table, version })
      })
      const { ingest, sink } = yield* setup(five, { stage: enforce(below) })
      const error = yield* Effect.flip(ingest)
      assert.strictEqual(error._tag === "ExpectationFailed" ? error.examples[0] : error._tag, "parcels 1/4/0")
      assert.strictEqual((yield* sink.history).length, 3)
    }).pipe(Effect.provide(services))
  )

  it.effect("a broken expectation that only warns lets everything through and is recorded", () =>
    Effect.gen(function* () {
      const none = everyRow<Row>({
        name: "none",
        severity: "warn",
        holds: () => false,
        locate: ({ table, version }) => ({ table, version })
      })
      const { ingest, sink } = yield* setup(five, { stage: enforce(none) })
      const summary = yield* ingest
      assert.strictEqual((yield* sink.history).length, 5)
      assert.deepStrictEqual(summary.judgements, [{ _tag: "Judged", expectation: "none", rows: 5, failed: 5 }])
    }).pipe(Effect.provide(services))
  )

  it.effect("an expectation that is undecided at the end of a read is broken", () =>
    Effect.gen(function* () {
      const { ingest } = yield* setup(five, { stage: enforce<Row>(atLeast({ name: "six", rowsMin: 6 })) })
      assert.strictEqual((yield* Effect.flip(ingest))._tag, "ExpectationFailed")
    }).pipe(Effect.provide(services))
  )
})

describe("runs", () => {
  it.effect("the summary is the fold of the facts in the ledger", () =>
    Effect.gen(function* () {
      const { ingest } = yield* setup(five, { stage: enforce<Row>(atLeast({ name: "five", rowsMin: 5 })) })
      const summary = yield* ingest
      const entries = yield* Stream.runCollect(Stream.unwrap(Effect.map(RunLedger, (ledger) => ledger.entries(key))))
      const tags = entries.map(({ fact }) => fact._tag)
      assert.deepStrictEqual(tags, ["Started", ...Array.from({ length: 5 }, () => "Committed"), "Judged", "Ended"])
      assert.isTrue(entries.every(({ run }) => run === summary.run))
      assert.deepStrictEqual([summary.batches, summary.rows, summary.judgements.length], [5, 5, 1])
    }).pipe(Effect.provide(services))
  )

  it.effect("a run that is caught up reads nothing", () =>
    Effect.gen(function* () {
      const { ingest } = yield* setup(five)
      yield* ingest
      const injector = yield* FaultInjector.make
      assert.strictEqual((yield* injector.provide(ingest)).batches, 0)
      assert.notInclude(yield* injector.trace, "memory.source.batch")
    }).pipe(Effect.provide(services))
  )

  it.effect("a run without an end goes on with what arrives and records its interruption", () =>
    Effect.gen(function* () {
      const { pipeline, source, sink } = yield* setup(five)
      const times = yield* Ref.make<ReadonlyArray<number>>([])
      const run = yield* Pipeline.run(pipeline, {
        program: "ingest",
        onCommit: (_, committedAtMs) => Ref.update(times, (all) => [...all, Option.getOrThrow(committedAtMs)])
      }).pipe(Effect.forkChild)
      yield* source.append([{ at: 6n, rows: [], committedAtMs: 6_000 }])
      while ((yield* Ref.get(times)).length < 6) yield* Effect.yieldNow
      yield* Fiber.interrupt(run)
      assert.deepStrictEqual(yield* Ref.get(times), [1_000, 2_000, 3_000, 4_000, 5_000, 6_000])
      assert.strictEqual((yield* sink.history).length, 5)
      const entries = yield* Stream.runCollect(Stream.unwrap(Effect.map(RunLedger, (ledger) => ledger.entries(key))))
      const last = entries.at(-1)?.fact
      assert.strictEqual(last?._tag === "Ended" ? last.outcome : last?._tag, "interrupted")
    }).pipe(Effect.provide(services))
  )
})
