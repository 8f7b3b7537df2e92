import { Option, Stream } from "effect"
import type { ConnectorError } from "./ConnectorError.ts"
import type { ExpectationFailed } from "./ExpectationFailed.ts"
import type { LedgerError } from "./RunLedger.ts"

/** What can interrupt a batch while its chunks are pulled; the sink then commits nothing. */
export type BatchError = ConnectorError | ExpectationFailed | LedgerError

/**
 * An arrow `(after, through]` between two positions of a source, with everything in between, in source order.
 * May hold no rows: progress without data.
 */
export interface Batch<out A, out P> {
  readonly after: Option.Option<P>
  readonly through: P
  /** Bounded pieces of the batch, pulled once, so that a transaction of any size passes in bounded memory. */
  readonly chunks: Stream.Stream<ReadonlyArray<A>, BatchError>
  /** Source commit time of the newest change, Unix milliseconds; `none` without rows. */
  readonly committedAtMs: Option.Option<number>
  /** The source promises that nothing committed before this instant is still to come; Unix milliseconds. */
  readonly completeThroughMs: Option.Option<number>
}

/** A batch whose rows are already in memory, as one chunk. */
export const make = <A, P>(
  arrow: { readonly after: Option.Option<P>; readonly through: P },
  rows: ReadonlyArray<A>,
  times?: { readonly committedAtMs?: number; readonly completeThroughMs?: number }
): Batch<A, P> => ({
  after: arrow.after,
  through: arrow.through,
  chunks: rows.length === 0 ? Stream.empty : Stream.succeed(rows),
  committedAtMs: Option.fromUndefinedOr(times?.committedAtMs),
  completeThroughMs: Option.fromUndefinedOr(times?.completeThroughMs)
})

/** `right` after `left`: one arrow from where `left` starts to where `right` ends. They must meet. */
export const concat = <A, P>(left: Batch<A, P>, right: Batch<A, P>): Batch<A, P> => ({
  after: left.after,
  through: right.through,
  chunks: Stream.concat(left.chunks, right.chunks),
  committedAtMs: Option.orElse(right.committedAtMs, () => left.committedAtMs),
  completeThroughMs: Option.orElse(right.completeThroughMs, () => left.completeThroughMs)
})

/** The same arrow with other contents. */
export const mapChunks = <A, B, P>(
  batch: Batch<A, P>,
  f: (chunks: Batch<A, P>["chunks"]) => Batch<B, P>["chunks"]
): Batch<B, P> => ({ ...batch, chunks: f(batch.chunks) })

/** Pulls all chunks into one array: for tests and small batches. */
export const rows = <A, P>(batch: Batch<A, P>) =>
  Stream.runFold(
    batch.chunks,
    (): Array<A> => [],
    (all, chunk) => {
      for (const row of chunk) all.push(row)
      return all
    }
  )
