import type { Effect, Option, Scope, Stream } from "effect"
import type { Batch } from "./Batch.ts"
import type { ConnectorError } from "./ConnectorError.ts"
import type { PositionType, Range } from "./Position.ts"

/** A path of batches from position to position. A value: the connection it needs is a service in `R`. */
export interface Source<out A, in out P, out R = never> {
  readonly name: string
  readonly position: PositionType<P>
  readonly open: Effect.Effect<Reader<A, P>, ConnectorError, R | Scope.Scope>
}

/** An open source. */
export interface Reader<out A, in out P> {
  /** Batches that chain: the first starts at `range.after`, each next where the last ended. Ends only when `range.through` is reached. */
  readonly read: (range: Range<P>) => Stream.Stream<Batch<A, P>, ConnectorError>
  /** The newest position that exists now, or `none` for an empty history. Bounds a backfill. */
  readonly head: Effect.Effect<Option.Option<P>, ConnectorError>
  /** Lets the source forget history up to `through`. Called only after a durable commit. */
  readonly release: (through: P) => Effect.Effect<void, ConnectorError>
}
