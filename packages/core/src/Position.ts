import { Option, Order, Schema, SchemaGetter } from "effect"

/** One pipeline's path through one source stream; the primary key of its watermark. */
export const StreamKey = Schema.Struct({ pipeline: Schema.NonEmptyString, stream: Schema.NonEmptyString })
export type StreamKey = typeof StreamKey.Type

/** How a source stores and orders its positions. Everyone else treats a `P` as opaque. */
export interface PositionType<in out P> {
  /** Stored beside every watermark, such as `"postgres/lsn"`, so that no other type's bytes are resumed. */
  readonly name: string
  readonly codec: Schema.Codec<P, string>
  readonly order: Order.Order<P>
}

/** Half-open interval `(after, through]`; `none` is the beginning, or no end. */
export interface Range<out P> {
  readonly after: Option.Option<P>
  readonly through: Option.Option<P>
}

/** Everything, from the beginning and without an end. */
export const unbounded: Range<never> = { after: Option.none(), through: Option.none() }

/** The text under which a position is stored. */
export const encode = <P>(type: PositionType<P>, position: P): string => Schema.encodeSync(type.codec)(position)

/** Reads a stored position; a text that `type` did not write is a `SchemaError`. */
export const decode = <P>(type: PositionType<P>, text: string) => Schema.decodeEffect(type.codec)(text)

/** Order of optional positions: `none`, the beginning, comes before every position. */
export const orderOption = <P>(type: PositionType<P>): Order.Order<Option.Option<P>> => Option.makeOrder(type.order)

/** Whether `position` lies in `(after, through]`. */
export const isWithin = <P>(type: PositionType<P>, range: Range<P>, position: P): boolean =>
  (Option.isNone(range.after) || type.order(position, range.after.value) > 0) &&
  (Option.isNone(range.through) || type.order(position, range.through.value) <= 0)

const SequenceText: Schema.Codec<bigint, string> = Schema.String.check(Schema.isPattern(/^\d{20}$/)).pipe(
  Schema.decodeTo(Schema.BigInt, {
    decode: SchemaGetter.transform((text: string) => BigInt(text)),
    encode: SchemaGetter.transform((value: bigint) => value.toString().padStart(20, "0"))
  })
)

/** Counting positions 1, 2, 3, … as a log's sequence numbers; stored as 20 decimal digits, so that text order is number order. */
export const sequence = (name: string): PositionType<bigint> => ({
  name,
  codec: SequenceText,
  order: Order.BigInt
})
