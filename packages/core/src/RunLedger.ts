import { Context, Effect, Layer, Ref, Schema, Stream } from "effect"
import type { StreamKey } from "./Position.ts"

/** The ledger of runs could not be written or read. */
export class LedgerError extends Schema.TaggedError<LedgerError>()("LedgerError", { cause: Schema.Defect() }) {
  override get message(): string {
    return "the ledger of runs could not be reached. Nothing of the current batch was lost: run again"
  }
}

/** Identifies one run of one program. */
export const RunId = Schema.NonEmptyString.pipe(Schema.brand("RunId"))
export type RunId = typeof RunId.Type

/** Facts of a run, append-only; `RunSummary` is their fold. */
export const RunFact = Schema.TaggedUnion({
  Started: { program: Schema.NonEmptyString },
  Committed: { through: Schema.String, rows: Schema.Int, replayed: Schema.Boolean },
  /** An attempt failed; the run may go on from its last commit. `detail` is the failure's message. */
  Failed: { detail: Schema.String },
  Judged: { expectation: Schema.String, rows: Schema.Int, failed: Schema.Int },
  Ended: { outcome: Schema.Literals(["succeeded", "failed", "interrupted"]), detail: Schema.String }
})
export type RunFact = typeof RunFact.Type

/** A fact with the run, stream and time (Unix milliseconds) it belongs to. */
export interface RunEntry {
  readonly run: RunId
  readonly key: StreamKey
  readonly atMs: number
  readonly fact: RunFact
}

/** What a run did: the fold of its facts. */
export interface RunSummary {
  readonly run: RunId
  readonly batches: number
  readonly rows: number
  readonly judgements: ReadonlyArray<Extract<RunFact, { readonly _tag: "Judged" }>>
}

/** The summary after one more fact. Replayed commits count as no batch. */
export const summarise = (summary: RunSummary, fact: RunFact): RunSummary => {
  if (fact._tag === "Committed" && !fact.replayed) {
    return { ...summary, batches: summary.batches + 1, rows: summary.rows + fact.rows }
  }
  return fact._tag === "Judged" ? { ...summary, judgements: [...summary.judgements, fact] } : summary
}

/** Append-only memory of what runs did. */
export class RunLedger extends Context.Service<
  RunLedger,
  {
    readonly append: (entry: RunEntry) => Effect.Effect<void, LedgerError>
    readonly entries: (key: StreamKey) => Stream.Stream<RunEntry, LedgerError>
  }
>()("@northstar/core/RunLedger") {
  /** A ledger in this process's memory: gone with it. */
  static readonly layerMemory = Layer.effect(
    RunLedger,
    Effect.gen(function* () {
      const all = yield* Ref.make<ReadonlyArray<RunEntry>>([])
      return RunLedger.of({
        append: (entry) => Ref.update(all, (entries) => [...entries, entry]),
        entries: (key) =>
          Stream.unwrap(
            Effect.map(Ref.get(all), (entries) =>
              Stream.fromIterable(
                entries.filter((entry) => entry.key.pipeline === key.pipeline && entry.key.stream === key.stream)
              )
            )
          )
      })
    })
  )
}

/** The run in progress; provided by a program to its stages. */
export class Run extends Context.Service<
  Run,
  {
    readonly id: RunId
    readonly record: (fact: RunFact) => Effect.Effect<void, LedgerError>
  }
>()("@northstar/core/Run") {}
