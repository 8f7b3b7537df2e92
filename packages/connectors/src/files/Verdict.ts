import { Clock, Effect, Option, Schema, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { ObjectStore } from "../landing/ObjectStore.ts"
import type { Delivery } from "./Discovery.ts"
import type { Refusal } from "./Refusal.ts"
import * as Sealed from "./Sealed.ts"

/** A delivery that was read to its end, `<folder>/accepted/<sequence>.json`: what became of its rows. */
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

/** A delivery of which nothing was captured, `<folder>/refused/<sequence>.json`. Its batch has no rows. */
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
export const accepted = (folder: string, sequence: string) => read(Accepted, acceptedKey(folder, sequence))

/** Why a delivery was refused, if it was. */
export const refusal = (folder: string, sequence: string) => read(Refused, refusedKey(folder, sequence))

/** All refused deliveries, oldest first. */
export const refusals = (folder: string): Stream.Stream<Refused, ConnectorError, ObjectStore> =>
  Stream.unwrap(
    Effect.map(ObjectStore, (store) =>
      store.list(`${folder}/refused/`).pipe(
        Stream.mapEffect(({ key }) => read(Refused, key), { concurrency: 8 }),
        Stream.flatMap((found) => Stream.fromIterable(Option.toArray(found)))
      )
    )
  )

/** Writes what became of a delivery; another reading of it writes the same. */
export const accept = Effect.fn("Verdict.accept")(function* (folder: string, found: Accepted) {
  const store = yield* ObjectStore
  yield* store.put(acceptedKey(folder, found.sequence), Sealed.bytesOf(found))
  yield* step("accepted.written")
})

/** Refuses a delivery for good; the first reason stays. */
export const refuse = Effect.fn("Verdict.refuse")(function* (folder: string, delivery: Delivery, why: Refusal) {
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
  yield* Effect.retry(store.create(refusedKey(folder, sequence), Sealed.bytesOf(refused)), {
    times: 1,
    while: (error) => error.isRetryable
  })
  yield* step("refused.written")
})

/** Notes that a delivery's batch is durable: from now on nothing about it is decided again. */
export const settle = Effect.fn("Verdict.settle")(function* (folder: string, sequence: string) {
  const store = yield* ObjectStore
  yield* store.put(settledKey(folder, sequence), Sealed.bytesOf({ format: 1 }))
  yield* step("settled.written")
})

/** Whether a delivery's batch is durable. It may be so without being noted, for as long as it is the newest. */
export const isSettled = (folder: string, sequence: string) =>
  Effect.map(read(Settled, settledKey(folder, sequence)), Option.isSome)

const Settled = Schema.Struct({ format: Schema.Literal(1) })

const settledKey = (folder: string, sequence: string): string => `${folder}/settled/${sequence}.json`
const acceptedKey = (folder: string, sequence: string): string => `${folder}/accepted/${sequence}.json`
const refusedKey = (folder: string, sequence: string): string => `${folder}/refused/${sequence}.json`

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
  return Option.some(yield* Sealed.decode(schema, key, bytes.value))
})
