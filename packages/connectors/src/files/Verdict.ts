import { Clock, Effect, Option, Schema, Stream } from "effect"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { ObjectStore } from "../landing/ObjectStore.ts"
import type { Delivery } from "./Discovery.ts"
import type { Refusal } from "./Refusal.ts"

/** A delivery that was read to its end, `<stream>/accepted/<sequence>.json`: what became of its rows. */
export const Accepted = Schema.Struct({
  format: Schema.Literal(1),
  sequence: Schema.String,
  contract: Schema.String,
  key: Schema.String,
  /** Rows of the file. All of them land, one by one; `flagged` of them are set aside by loading. */
  rows: Schema.Int,
  flagged: Schema.Int,
  /** Rows of the delivery before that this one lacks, and deletes. */
  deleted: Schema.Int,
  /** Columns of the file that are not captured. */
  extra: Schema.Array(Schema.String),
  /** The delivery's keys, where its contract `replaces`: by bucket the number of parts. */
  keys: Schema.NullOr(Schema.Array(Schema.Int))
})
export type Accepted = typeof Accepted.Type

/** A delivery of which nothing was captured, `<stream>/refused/<sequence>.json`. Its batch has no rows. */
export const Refused = Schema.Struct({
  format: Schema.Literal(1),
  sequence: Schema.String,
  contract: Schema.String,
  key: Schema.String,
  detail: Schema.String,
  /** What a person does next. */
  action: Schema.String,
  refusedAtMs: Schema.Int
})
export type Refused = typeof Refused.Type

const step = Failpoint.declare("files", ["accepted.written", "refused.written", "settled.written"])

/** What became of a delivery read to its end, if it was. */
export const accepted = (stream: string, sequence: string) => read(Accepted, acceptedKey(stream, sequence))

/** Why a delivery was refused, if it was. */
export const refusal = (stream: string, sequence: string) => read(Refused, refusedKey(stream, sequence))

/** All refused deliveries, oldest first. */
export const refusals = (stream: string): Stream.Stream<Refused, ConnectorError, ObjectStore> =>
  Stream.unwrap(
    Effect.map(ObjectStore, (store) =>
      store.list(`${stream}/refused/`).pipe(
        Stream.mapEffect(({ key }) => read(Refused, key), { concurrency: 8 }),
        Stream.flatMap((found) => Stream.fromIterable(Option.toArray(found)))
      )
    )
  )

/** Writes what became of a delivery; another reading of it writes the same. */
export const accept = Effect.fn("Verdict.accept")(function* (stream: string, found: Accepted) {
  const store = yield* ObjectStore
  yield* store.put(acceptedKey(stream, found.sequence), bytesOf(found))
  yield* step("accepted.written")
})

/** Refuses a delivery for good; the first reason stays. */
export const refuse = Effect.fn("Verdict.refuse")(function* (stream: string, delivery: Delivery, why: Refusal) {
  const store = yield* ObjectStore
  const { sequence, contract, key } = delivery
  const { detail, action } = why
  const refused: Refused = {
    format: 1,
    sequence,
    contract,
    key,
    detail,
    action,
    refusedAtMs: yield* Clock.currentTimeMillis
  }
  yield* Effect.retry(store.create(refusedKey(stream, sequence), bytesOf(refused)), {
    times: 1,
    while: (error) => error.isRetryable
  })
  yield* step("refused.written")
})

/** Notes that a delivery's batch is durable: from now on nothing about it is decided again. */
export const settle = Effect.fn("Verdict.settle")(function* (stream: string, sequence: string) {
  const store = yield* ObjectStore
  yield* store.put(settledKey(stream, sequence), bytesOf({ format: 1 }))
  yield* step("settled.written")
})

/** Whether a delivery's batch is durable. It may be so without being noted, for as long as it is the newest. */
export const isSettled = (stream: string, sequence: string) =>
  Effect.map(read(Settled, settledKey(stream, sequence)), Option.isSome)

const Settled = Schema.Struct({ format: Schema.Literal(1) })

const settledKey = (stream: string, sequence: string): string => `${stream}/settled/${sequence}.json`
const acceptedKey = (stream: string, sequence: string): string => `${stream}/accepted/${sequence}.json`
const refusedKey = (stream: string, sequence: string): string => `${stream}/refused/${sequence}.json`

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const read = Effect.fnUntraced(function* <A>(
  schema: Schema.Codec<A>,
  key: string
): Effect.fn.Return<Option.Option<A>, ConnectorError, ObjectStore> {
  const store = yield* ObjectStore
  const bytes = yield* store.get(key).pipe(
    Effect.map(Option.some),
    // The store's only `InvalidData` is an absent object.
    Effect.catchReason("ConnectorError", "InvalidData", () => Effect.succeedNone)
  )
  if (Option.isNone(bytes)) return Option.none()
  const detail = `${key} cannot be read`
  const found = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(
    new TextDecoder().decode(bytes.value)
  ).pipe(
    Effect.mapError(
      () =>
        new ConnectorError({
          connector: "files",
          operation: "read verdict",
          detail,
          action: "Restore it from a backup of the landing store",
          reason: new InvalidData({ detail })
        })
    )
  )
  return Option.some(found)
})
