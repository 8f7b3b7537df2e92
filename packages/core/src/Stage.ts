import { Effect, Stream } from "effect"
import { type Batch, mapChunks } from "./Batch.ts"
import type { ConnectorError } from "./ConnectorError.ts"
import type { ExpectationFailed } from "./ExpectationFailed.ts"
import type { LedgerError } from "./RunLedger.ts"

/**
 * Maps batches one to one and leaves their arrows alone. Polymorphic in `P`: the compiler forbids a stage to invent,
 * read or change a position; that none is dropped, the sink's compare-and-set sees.
 */
export type Stage<in A, out B, out E = never, out R = never> = <P, E0, R0>(
  batches: Stream.Stream<Batch<A, P>, E0, R0>
) => Stream.Stream<Batch<B, P>, E0 | E, R0 | R>

/** What a pipeline's stage may fail with. */
export type StageError = ConnectorError | ExpectationFailed | LedgerError

/** The stage that changes nothing. */
export const identity =
  <A>(): Stage<A, A> =>
  (batches) =>
    batches

/** Changes every row by a pure function: one call per chunk, one loop per call. */
export const map =
  <A, B>(f: (row: A) => B): Stage<A, B> =>
  (batches) =>
    Stream.map(batches, (batch) =>
      mapChunks(batch, (chunks) => Stream.map(chunks, (chunk) => chunk.map((row) => f(row))))
    )

/** Keeps the rows that satisfy a predicate; a batch left without rows is still an arrow. */
export const filter =
  <A>(keep: (row: A) => boolean): Stage<A, A> =>
  (batches) =>
    Stream.map(batches, (batch) =>
      mapChunks(batch, (chunks) =>
        chunks.pipe(
          Stream.map((chunk) => chunk.filter(keep)),
          Stream.filter((chunk) => chunk.length > 0)
        )
      )
    )

/** `second` after `first`. */
export const compose =
  <A, B, C, E1, R1, E2, R2>(first: Stage<A, B, E1, R1>, second: Stage<B, C, E2, R2>): Stage<A, C, E1 | E2, R1 | R2> =>
  (batches) =>
    second(first(batches))

/** Sees every chunk as it passes, without changing it. */
export const tapChunks =
  <A>(f: (chunk: ReadonlyArray<A>) => Effect.Effect<void>): Stage<A, A> =>
  (batches) =>
    Stream.map(batches, (batch) => mapChunks(batch, (chunks) => Stream.tap(chunks, f)))
