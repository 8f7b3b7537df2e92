import { Clock, Effect, Exit, Option, Random, Ref, Schedule, Stream } from "effect"
import type { Batch, BatchError } from "./Batch.ts"
import { ConnectorError, HistoryLost } from "./ConnectorError.ts"
import { encode, orderOption, type PositionType, type StreamKey } from "./Position.ts"
import { Run, type RunFact, RunId, RunLedger, type RunSummary, summarise } from "./RunLedger.ts"
import type { Receipt, Sink } from "./Sink.ts"
import type { Source } from "./Source.ts"
import type { Stage, StageError } from "./Stage.ts"
import type { WatermarkConflict } from "./WatermarkStore.ts"

/** How long a run waits for its last fact to be written. */
const endMax = "5 seconds"

/** What a run of a pipeline can fail with. */
export type RunError = BatchError | WatermarkConflict

/** A source joined to a sink by a stage, under the key that its watermark is kept by. */
export interface Pipeline<in out A, in out P, in out B, out R = never> {
  readonly key: StreamKey
  readonly source: Source<A, P, R>
  readonly stage: Stage<A, B, StageError, R | Run>
  readonly sink: Sink<B, R>
  /**
   * Around the whole read-commit loop; every retry reopens the sink and resumes from its watermark. Begins anew after
   * a commit: neither its delays nor its count grow over the months of a continuous run.
   */
  readonly retry: Schedule.Schedule<unknown, RunError>
}

/** Gathers the services of the three parts into one `R`. */
export const make = <A, P, B, R1, R2, R3>(parts: {
  readonly key: StreamKey
  readonly source: Source<A, P, R1>
  readonly stage: Stage<A, B, StageError, R2>
  readonly sink: Sink<B, R3>
  readonly retry: Schedule.Schedule<unknown, RunError>
}): Pipeline<A, P, B, R1 | Exclude<R2, Run> | R3> =>
  // Sound: every R below is a subset of the union; variance cannot express "or Run" after Exclude.
  parts as Pipeline<A, P, B, R1 | Exclude<R2, Run> | R3>

/** How far a run goes, and who hears of its commits. */
export interface RunOptions<P> {
  /** The name under which the run is recorded, such as `"ingest"`. */
  readonly program: string
  /** The last position to reach; without it the run goes on until it is interrupted. */
  readonly through?: P
  /** Where a stream without a watermark starts, instead of at the beginning: the `after` of a backfill. */
  readonly from?: P
  /** `true` bounds the run by the source's head at its start. */
  readonly untilCaughtUp?: boolean
  /** Called after each durable commit, with the batch's time in Unix milliseconds if it held rows. */
  readonly onCommit?: (receipt: Receipt<P>, committedAtMs: Option.Option<number>) => Effect.Effect<void>
}

/**
 * Reads on from where the sink stands and commits batch after batch. A crash or failure anywhere resumes from the last
 * commit; a batch is released to the source only after its commit is durable.
 */
export const run = Effect.fn("Pipeline.run")(function* <A, P, B, R>(
  pipeline: Pipeline<A, P, B, R>,
  options: RunOptions<P>
): Effect.fn.Return<RunSummary, RunError, Exclude<R, Run> | RunLedger> {
  const ledger = yield* RunLedger
  const suffix = (yield* Random.nextIntBetween(0, 0x1000000)).toString(16).padStart(6, "0")
  const id = RunId.make(`${options.program}-${(yield* Clock.currentTimeMillis).toString(36)}-${suffix}`)
  const summary = yield* Ref.make<RunSummary>({ run: id, batches: 0, rows: 0, judgements: [] })
  const record = Effect.fnUntraced(function* (fact: RunFact) {
    yield* Ref.update(summary, (sofar) => summarise(sofar, fact))
    yield* ledger.append({ run: id, key: pipeline.key, atMs: yield* Clock.currentTimeMillis, fact })
  })
  yield* record({ _tag: "Started", program: options.program })
  yield* drain(pipeline, options, record).pipe(
    Effect.scoped,
    // A run that tries again for an hour must not do so in silence.
    Effect.tapError((error) => Effect.logWarning(`${options.program}: ${error.message}`)),
    Effect.tapError((error) => Effect.ignore(record({ _tag: "Failed", detail: error.message }))),
    Effect.retry(
      anewAfter(
        pipeline.retry,
        Effect.map(Ref.get(summary), ({ batches }) => batches)
      )
    ),
    Effect.provideService(Run, { id, record }),
    // How a run ended is worth a moment, not a ledger's whole outage.
    Effect.onExit((exit) => record(ended(exit)).pipe(Effect.interruptible, Effect.timeoutOption(endMax), Effect.ignore))
  ) as Effect.Effect<void, RunError, Exclude<R, Run>>
  return yield* Ref.get(summary)
})

/** A schedule that begins anew when `commits` has grown between two failures. */
const anewAfter = (retry: Schedule.Schedule<unknown, RunError>, commits: Effect.Effect<number>) =>
  Schedule.fromStep(
    Effect.gen(function* () {
      let step = yield* Schedule.toStep(retry)
      let before = 0
      return Effect.fnUntraced(function* (nowMs: number, error: RunError) {
        const now = yield* commits
        if (now > before) step = yield* Schedule.toStep(retry)
        before = now
        return yield* step(nowMs, error)
      })
    })
  )

const drain = Effect.fnUntraced(function* <A, P, B, R>(
  { key, source, stage, sink }: Pipeline<A, P, B, R>,
  options: RunOptions<P>,
  record: Run["Service"]["record"]
) {
  const writer = yield* sink.open(key, source.position)
  const reader = yield* source.open
  const through = options.through === undefined ? Option.none<P>() : Option.some(options.through)
  const head = options.untilCaughtUp === true && Option.isNone(through) ? yield* reader.head : through
  const nothing =
    (options.untilCaughtUp === true && Option.isNone(head)) ||
    (Option.isSome(head) &&
      Option.isSome(writer.watermark) &&
      source.position.order(head.value, writer.watermark.value) <= 0)
  if (options.untilCaughtUp === true) yield* refuseShorter(source, writer.watermark, head)
  if (nothing) return
  const from =
    Option.isNone(writer.watermark) && options.from !== undefined ? Option.some(options.from) : Option.none<P>()
  yield* reader.read({ after: Option.orElse(writer.watermark, () => from), through: head }).pipe(
    Stream.map((batch) => (isFirst(source.position, from, batch) ? { ...batch, after: Option.none() } : batch)),
    stage,
    Stream.runForEach((batch) =>
      Effect.gen(function* () {
        const receipt = yield* writer.commit(batch)
        yield* reader.release(receipt.through)
        yield* record({
          _tag: "Committed",
          through: encode(source.position, receipt.through),
          rows: receipt.rows,
          replayed: receipt.replayed
        })
        if (options.onCommit !== undefined) yield* options.onCommit(receipt, batch.committedAtMs)
      })
    )
  )
})

/** A source that ends before the watermark is not the one that the watermark came from. */
const refuseShorter = <A, P, R>(
  { name, position }: Source<A, P, R>,
  watermark: Option.Option<P>,
  head: Option.Option<P>
): Effect.Effect<void, ConnectorError> => {
  if (Option.isNone(watermark) || orderOption(position)(head, watermark) >= 0) return Effect.void
  return Effect.fail(
    new ConnectorError({
      connector: name,
      operation: "resume",
      detail: "the source ends before the position up to which it was read: it was restored, cut short or replaced",
      action: "Find out what happened to it; where the new state is right, accept it as a new epoch",
      reason: new HistoryLost({ after: name })
    })
  )
}

/** Whether a batch starts where a stream without a watermark was told to start: that is the stream's own beginning. */
const isFirst = <P>(type: PositionType<P>, from: Option.Option<P>, batch: Batch<unknown, P>): boolean =>
  Option.isSome(from) && Option.isSome(batch.after) && type.order(batch.after.value, from.value) === 0

/** How a run ended. A failure's detail is its message, which holds no row values. */
const ended = (exit: Exit.Exit<unknown, RunError>): RunFact => {
  if (Exit.isSuccess(exit)) return { _tag: "Ended", outcome: "succeeded", detail: "" }
  const error = Exit.findErrorOption(exit)
  if (Option.isSome(error)) return { _tag: "Ended", outcome: "failed", detail: error.value.message }
  return Exit.hasInterrupts(exit)
    ? { _tag: "Ended", outcome: "interrupted", detail: "" }
    : { _tag: "Ended", outcome: "failed", detail: "a defect: see the log" }
}
