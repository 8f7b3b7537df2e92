import { Context, Effect, Layer, Option, Ref, Schema, Semaphore } from "effect"
import type { ConnectorError } from "./ConnectorError.ts"
import { StreamKey } from "./Position.ts"

/** The batch does not start where the watermark stands: another writer moved it, or a stage lost a batch. Nothing was written. */
export class WatermarkConflict extends Schema.TaggedError<WatermarkConflict>()("WatermarkConflict", {
  key: StreamKey,
  batchAfter: Schema.Option(Schema.String),
  watermark: Schema.Option(Schema.String)
}) {
  override get message(): string {
    const at = (position: Option.Option<string>) => Option.getOrElse(position, () => "the beginning")
    return (
      `${this.key.pipeline}/${this.key.stream}: a batch after ${at(this.batchAfter)} does not fit the watermark at ` +
      `${at(this.watermark)}. Nothing was written: another task moved the watermark; run again to resume from it`
    )
  }
}

/** A stored position, with the name of the type that wrote it and the source time it stands for. */
export const Watermark = Schema.Struct({
  positionType: Schema.String,
  through: Schema.String,
  committedAtMs: Schema.Int
})
export type Watermark = typeof Watermark.Type

/**
 * Compare-and-set memory of positions. `commit` runs `write` and then moves the watermark from `after` to `to`, inside
 * one transaction when the store and `write` share a client. With a foreign store a crash between the two repeats the
 * write but never loses it, so such a sink must write by key and version.
 */
export class WatermarkStore extends Context.Service<
  WatermarkStore,
  {
    readonly load: (key: StreamKey) => Effect.Effect<Option.Option<Watermark>, ConnectorError>
    readonly commit: <E, R>(
      move: { readonly key: StreamKey; readonly after: Option.Option<string>; readonly to: Watermark },
      write: Effect.Effect<void, E, R>
    ) => Effect.Effect<void, E | ConnectorError | WatermarkConflict, R>
  }
>()("@northstar/core/WatermarkStore") {
  /** Watermarks in this process's memory: gone with it. */
  static readonly layerMemory = Layer.effect(
    WatermarkStore,
    Effect.gen(function* () {
      const watermarks = yield* Ref.make<ReadonlyMap<string, Watermark>>(new Map())
      const oneAtATime = yield* Semaphore.make(1)
      const id = (key: StreamKey) => JSON.stringify([key.pipeline, key.stream])
      const load = (key: StreamKey) =>
        Effect.map(Ref.get(watermarks), (all) => Option.fromUndefinedOr(all.get(id(key))))
      return WatermarkStore.of({
        load,
        commit: (move, write) =>
          Effect.gen(function* () {
            const stands = Option.map(yield* load(move.key), (watermark) => watermark.through)
            if (Option.getOrUndefined(stands) !== Option.getOrUndefined(move.after)) {
              return yield* new WatermarkConflict({ key: move.key, batchAfter: move.after, watermark: stands })
            }
            yield* write
            yield* Ref.update(watermarks, (all) => new Map(all).set(id(move.key), move.to))
            // An interruption between the write and the move would leave one without the other.
          }).pipe(Effect.uninterruptible, oneAtATime.withPermits(1))
      })
    })
  )
}
