import { Effect, Option, type Scope } from "effect"
import type { Batch, BatchError } from "./Batch.ts"
import type { ConnectorError } from "./ConnectorError.ts"
import { encode, type PositionType, type StreamKey } from "./Position.ts"
import { WatermarkConflict } from "./WatermarkStore.ts"

/** Where batches become durable. A value: the connection it needs is a service in `R`. */
export interface Sink<in A, out R = never> {
  readonly name: string
  readonly open: <P>(
    key: StreamKey,
    position: PositionType<P>
  ) => Effect.Effect<Writer<A, P>, ConnectorError, R | Scope.Scope>
}

/** An open sink, standing at a watermark. */
export interface Writer<in A, in out P> {
  /** Where the last durable commit ended, read when the writer opened. */
  readonly watermark: Option.Option<P>
  /** Stores the rows and `through` together, or neither. A batch committed before is a no-op that succeeds. */
  readonly commit: (batch: Batch<A, P>) => Effect.Effect<Receipt<P>, BatchError | WatermarkConflict>
}

/** Proof of a durable commit; `rows` is 0 when `replayed`. */
export interface Receipt<out P> {
  readonly through: P
  readonly rows: number
  readonly replayed: boolean
}

/**
 * The compare of every sink's compare-and-set: `"replayed"` when the watermark has already passed the batch,
 * `"next"` when the batch starts where the watermark stands, else a `WatermarkConflict`.
 */
export const fit = <P>(
  key: StreamKey,
  type: PositionType<P>,
  watermark: Option.Option<P>,
  arrow: Pick<Batch<unknown, P>, "after" | "through">
): Effect.Effect<"replayed" | "next", WatermarkConflict> => {
  if (Option.isSome(watermark) && type.order(arrow.through, watermark.value) <= 0) return Effect.succeed("replayed")
  const text = Option.map((position: P) => encode(type, position))
  const after = text(arrow.after)
  const stands = text(watermark)
  if (Option.getOrUndefined(after) === Option.getOrUndefined(stands)) return Effect.succeed("next")
  return Effect.fail(new WatermarkConflict({ key, batchAfter: after, watermark: stands }))
}
