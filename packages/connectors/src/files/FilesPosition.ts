import { Order, Schema } from "effect"
import type { PositionType } from "@northstar/core/Position"

const Fields = Schema.Struct({
  /** Which accepted incarnation of the drop folder and its discovery log; the first is 1. */
  epoch: Schema.Int,
  /** Number of the delivery in the discovery log of that epoch, from 1. */
  delivery: Schema.BigIntFromString,
  /** The delivery's id: a log that was lost and made anew has the same numbers, but other ids. */
  id: Schema.String
})

/** How far a drop folder has been captured: through one delivery. */
export type FilesPosition = typeof Fields.Type

/** Stored as JSON; ordered by epoch, then delivery. Ids only keep one delivery from passing for another. */
export const position: PositionType<FilesPosition> = {
  name: "files/delivery",
  codec: Schema.fromJsonString(Fields),
  order: Order.combineAll([
    Order.mapInput(Order.Number, (position: FilesPosition) => position.epoch),
    Order.mapInput(Order.BigInt, (position: FilesPosition) => position.delivery),
    Order.mapInput(Order.String, (position: FilesPosition) => position.id)
  ])
}
