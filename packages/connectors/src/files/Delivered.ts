import { Effect, Option, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import { ConnectorError, HistoryLost, Unavailable } from "@northstar/core/ConnectorError"
import type { Block } from "../landing/Block.ts"
import type { ObjectStore } from "../landing/ObjectStore.ts"
import type { Bytes } from "./Decode.ts"
import * as Discovery from "./Discovery.ts"
import { Changed, type DropFolder } from "./DropFolder.ts"
import type { FileContract } from "./FileContract.ts"
import type { FilesPosition } from "./FilesPosition.ts"
import { relation } from "./Header.ts"
import * as KeySet from "./KeySet.ts"
import { daysOf, Zone } from "./LocalTime.ts"
import { Reading } from "./Reading.ts"
import { Refusal } from "./Refusal.ts"
import type { Shared } from "./Rows.ts"
import * as Sealed from "./Sealed.ts"
import * as Verdict from "./Verdict.ts"

/** What reading deliveries needs. */
export interface Options {
  /** Folder of the epoch's discovery log. */
  readonly folder: string
  readonly epoch: number
  readonly contracts: ReadonlyArray<FileContract>
  readonly drop: DropFolder
  readonly protect: (block: Block) => Block
}

type Chunks = Stream.Stream<ReadonlyArray<Block>, ConnectorError>

/**
 * The batch of one delivery, read while its chunks are pulled. Control totals and damage are known only at a file's end:
 * what must be refused fails there, after the refusal is written down, so that the sink commits nothing of it; read again
 * the batch is empty.
 */
export const batch = Effect.fn("Delivered.batch")(function* (
  options: Options,
  after: Option.Option<FilesPosition>,
  at: bigint
): Effect.fn.Return<Batch<Block, FilesPosition>, ConnectorError, ObjectStore> {
  const found = yield* Discovery.entry(options.folder, at)
  if (Option.isNone(found)) return yield* missing(options.folder, at)
  const delivery = found.value
  const isRefused = Option.isSome(yield* Verdict.refusal(options.folder, delivery.sequence))
  const services = yield* Effect.context<ObjectStore>()
  return {
    after,
    through: { epoch: options.epoch, delivery: at, id: delivery.id },
    chunks: isRefused ? Stream.empty : Stream.provideContext(chunks(options, delivery), services),
    committedAtMs: isRefused ? Option.none() : Option.some(delivery.modifiedMs),
    completeThroughMs: Option.none()
  }
})

/** Notes that `through` is durable, and removes keys that no delivery to come is compared with: of two deliveries before it. */
export const settle = Effect.fn("Delivered.settle")(function* (folder: string, through: bigint) {
  const delivery = yield* Discovery.entry(folder, through)
  if (Option.isNone(delivery)) return
  yield* Verdict.settle(folder, delivery.value.sequence)
  const accepted = yield* Verdict.accepted(folder, delivery.value.sequence)
  if (Option.isNone(accepted) || accepted.value.keys === null) return
  const before = yield* keysBefore(folder, delivery.value)
  if (before === undefined) return
  const older = yield* keysBefore(folder, before.delivery)
  if (older !== undefined) yield* KeySet.remove(older.keys)
})

const chunks = (
  options: Options,
  delivery: Discovery.Delivery
): Stream.Stream<ReadonlyArray<Block>, ConnectorError, ObjectStore> =>
  Stream.unwrap(read(options, delivery)).pipe(
    Stream.catch((error) =>
      error instanceof Refusal ? Stream.unwrap(refuse(options, delivery, error)) : Stream.fail(error)
    )
  )

/** Writes the refusal down, then fails the batch: the next attempt at it finds it empty. */
const refuse = Effect.fnUntraced(function* (
  { folder }: Options,
  delivery: Discovery.Delivery,
  refusal: Refusal
): Effect.fn.Return<Chunks, ConnectorError, ObjectStore> {
  if (yield* Verdict.isSettled(folder, delivery.sequence)) return Stream.fail(gone(delivery, refusal))
  yield* Verdict.refuse(folder, delivery, refusal)
  return Stream.fail(
    new ConnectorError({
      connector: "files",
      operation: `read delivery ${BigInt(delivery.sequence)}`,
      detail: `${delivery.key} was refused as a whole: ${refusal.detail}`,
      action: `${refusal.action}. The other files go on`,
      reason: new Unavailable({ cause: refusal })
    })
  )
})

/** What was captured and released cannot be refused afterwards. */
const gone = ({ key, sequence }: Discovery.Delivery, { detail }: Refusal): ConnectorError =>
  new ConnectorError({
    connector: "files",
    operation: `read delivery ${BigInt(sequence)}`,
    detail: `${key} was captured before and cannot be read again: ${detail}`,
    action: "Take what it held from the landing log, or ask the partner to deliver it again",
    reason: new HistoryLost({ after: sequence })
  })

const read = Effect.fnUntraced(function* (options: Options, delivery: Discovery.Delivery) {
  const { folder, drop } = options
  const shared = yield* sharedOf(options, delivery)
  const failed = (cause: unknown) => failure(drop, delivery, cause)
  const sidecar =
    delivery.sidecar === null
      ? undefined
      : yield* Effect.tryPromise({ try: textOf(drop.open(delivery.sidecar)), catch: failed })
  const reading = new Reading(shared, sidecar)
  const file = whole(drop.open(delivery), delivery.bytes)
  const blocks = Stream.fromAsyncIterable(reading.blocks(file), failed)
  if (shared.contract.redelivery === "corrects") {
    const end = Effect.suspend(() => accept(options, delivery, reading, 0, null))
    return Stream.concat(Stream.map(blocks, alone), Stream.fromEffectDrain(end))
  }
  const keys = new KeySet.Collector(
    KeySet.folder(folder, delivery.sequence),
    shared.relation,
    delivery.bytes,
    options.protect
  )
  return blocks.pipe(
    Stream.mapEffect((block) => Effect.as(keys.add(block), alone(block))),
    Stream.concat(Stream.unwrap(Effect.suspend(() => replace(options, delivery, { shared, reading, keys }))))
  )
})

const alone = (block: Block): ReadonlyArray<Block> => [block]

/** What is the same for all rows of a delivery; a delivery that cannot be read at all is a `Refusal`. */
const sharedOf = (
  { contracts }: Options,
  { contract: name, isMasked, key, modifiedMs, sequence }: Discovery.Delivery
): Effect.Effect<Shared, Refusal> => {
  const contract = contracts.find((candidate) => candidate.name === name)
  if (contract === undefined) {
    return Effect.fail(
      new Refusal(`no file contract of ${name} is configured`, "Configure it again, then have it read again")
    )
  }
  if (isMasked) {
    return Effect.fail(
      new Refusal("the file's name holds a card number", "Remove the file, and ask the partner to name it without")
    )
  }
  const seconds = contract.order.by === "name" ? timeOf(contract.order.pattern, contract.zone, key) : modifiedMs / 1_000
  if (Number.isNaN(seconds)) {
    return Effect.fail(
      new Refusal(
        "the file's name does not tell its time",
        "Correct the pattern in the file contract, then have it read again"
      )
    )
  }
  return Effect.succeed({
    contract,
    relation: relation(contract),
    sequence: BigInt(sequence),
    file: key,
    modifiedMs,
    seconds: Math.floor(seconds)
  })
}

/** The time in a file's name as seconds since 1970, or NaN. */
const timeOf = (pattern: RegExp, zone: string, key: string): number => {
  const { year, month, day, hour = "0", minute = "0", second = "0" } = pattern.exec(key)?.groups ?? {}
  if (year === undefined || month === undefined || day === undefined) return Number.NaN
  const days = daysOf(Number(year), Number(month), Number(day))
  const local = days * 86_400 + Number(hour) * 3_600 + Number(minute) * 60 + Number(second)
  return local - new Zone(zone).offset(local)
}

/** Deletes what the delivery before had and this one lacks, then accepts it. */
const replace = Effect.fnUntraced(function* (
  options: Options,
  delivery: Discovery.Delivery,
  { shared, reading, keys }: { readonly shared: Shared; readonly reading: Reading; readonly keys: KeySet.Collector }
) {
  yield* keys.flush
  const before = yield* keysBefore(options.folder, delivery)
  let deleted = 0
  const end = Effect.suspend(() => accept(options, delivery, reading, deleted, keys.written.parts))
  if (before === undefined) return Stream.fromEffectDrain(end)
  const missing = KeySet.restOf(before.keys, keys.written)
  if (keys.hasUnknown) {
    // A row whose key cannot be read may be any of them: they stay, and are asked for again by the next delivery.
    const carried = Stream.runForEach(missing, (rest) => Effect.sync(() => rest.forEach((one) => keys.carry(one))))
    return Stream.fromEffectDrain(
      Effect.andThen(
        carried,
        Effect.andThen(
          Effect.suspend(() => keys.flush),
          end
        )
      )
    )
  }
  const deletes = Stream.map(missing, (rest) => {
    const blocks = KeySet.deletes(rest, {
      relation: shared.relation,
      sequence: shared.sequence,
      firstOrdinal: reading.counts.rows + 1 + deleted,
      committedAtUs: BigInt(shared.modifiedMs) * 1000n
    })
    deleted += rest.length
    return blocks
  })
  return Stream.concat(deletes, Stream.fromEffectDrain(end))
})

const accept = Effect.fnUntraced(function* (
  { folder }: Options,
  { sequence, contract, key }: Discovery.Delivery,
  reading: Reading,
  deleted: number,
  keys: ReadonlyArray<number> | null
) {
  const { extra } = reading
  const { rows, flagged } = reading.counts
  if (flagged > 0) yield* Effect.logWarning(`${key}: ${flagged} of ${rows} rows are set aside`)
  if (extra.length > 0) yield* Effect.logWarning(`${key} has columns that are not captured: ${extra.join(", ")}`)
  yield* Verdict.accept(folder, { format: 1, sequence, contract, key, rows, flagged, deleted, extra, keys })
})

/** The newest accepted delivery of the same file before this one, and its keys; `undefined` without one. */
const keysBefore = Effect.fnUntraced(function* (folder: string, { contract, previous }: Discovery.Delivery) {
  for (let at = previous; at !== null;) {
    const delivery = yield* Discovery.entry(folder, BigInt(at))
    if (Option.isNone(delivery)) return yield* missing(folder, BigInt(at))
    const accepted = yield* Verdict.accepted(folder, at)
    const isRefused = Option.isSome(yield* Verdict.refusal(folder, at))
    if (Option.isSome(accepted) && accepted.value.keys !== null && accepted.value.contract === contract && !isRefused) {
      return { delivery: delivery.value, keys: { folder: KeySet.folder(folder, at), parts: accepted.value.keys } }
    }
    at = delivery.value.previous
  }
  return undefined
})

/** All of a file's bytes. Fewer than were discovered are an answer cut short, which is tried again, not a file cut short. */
async function* whole(file: Bytes, bytes: number): AsyncGenerator<Uint8Array> {
  let read = 0
  for await (const chunk of file) {
    read += chunk.length
    yield chunk
  }
  if (read !== bytes) throw new Error("the answer was cut short")
}

/** Bytes of a file of control totals at most. */
const sidecarBytesMax = 65_536

const textOf = (file: Bytes) => async (): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of file) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > sidecarBytesMax) throw new Refusal("the file of control totals beside it is too large")
  }
  return Buffer.concat(chunks).toString()
}

const failure = (drop: DropFolder, { sequence }: Discovery.Delivery, cause: unknown): ConnectorError | Refusal => {
  if (cause instanceof Refusal) return cause
  if (cause instanceof Changed) {
    return new Refusal(
      "the file is no longer the one that was discovered",
      "Nothing: what lies there now is read as a delivery of its own; where nothing lies there, ask the partner for it"
    )
  }
  return drop.failure(`read delivery ${BigInt(sequence)}`, cause)
}

const missing = (folder: string, at: bigint): ConnectorError => Sealed.damaged(`${folder} has no delivery ${at}`)
