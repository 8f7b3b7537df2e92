import { randomUUID } from "node:crypto"
import { Clock, Effect, Option, Schema, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { encode, sequence } from "@northstar/core/Position"
import { ObjectStore } from "../landing/ObjectStore.ts"
import type { Dropped, DropFolder } from "./DropFolder.ts"
import { type FileContract, matches } from "./FileContract.ts"
import * as Sealed from "./Sealed.ts"

/** The numbers of a discovery log's deliveries, from 1, without gaps. */
const numbers = sequence("files/discovery")

/**
 * Folder of an epoch's discovery log and all that belongs to it. A raised epoch begins anew beside what there is, so that a log
 * which is lost or damaged is read by nobody any more.
 */
export const folder = (stream: string, epoch: number): string => (epoch === 1 ? stream : `${stream}/epoch-${epoch}`)

/** The text under which a delivery's number is stored: text order is number order. */
export const sequenceOf = (delivery: bigint): string => encode(numbers, delivery)

/** One entry of the log, `<folder>/discovery/<sequence>.json`: content under a key of the drop folder. Created once, never changed. */
export const Delivery = Schema.Struct({
  format: Schema.Literal(1),
  /** Names this very attempt, so that a writer recognises its own entry after a lost answer. */
  id: Schema.String,
  sequence: Schema.String,
  /** Name of the file contract. */
  contract: Schema.String,
  /** The file's key; with its card numbers masked when `isMasked`, and then it cannot be opened. */
  key: Schema.String,
  isMasked: Schema.Boolean,
  version: Schema.String,
  bytes: Schema.Int,
  modifiedMs: Schema.Int,
  /** The file of control totals beside it. */
  sidecar: Schema.NullOr(Schema.Struct({ key: Schema.String, version: Schema.String })),
  discoveredAtMs: Schema.Int,
  /** The delivery of the same key before this one. */
  previous: Schema.NullOr(Schema.String)
})
export type Delivery = typeof Delivery.Type

const Page = Schema.Struct({ entries: Schema.Array(Delivery) })

/** Entries of one page, `<folder>/discovered/<sequence of its last>.json`: a copy of them, so that opening reads few objects. */
const pageEntries = 512n

/** Objects read at once when the log is opened. */
const readsAtOnce = 16

const step = Failpoint.declare("discovery", ["entry.ready", "entry.created", "page.created"])

/** What is known of the log, and of a key the newest delivery. */
export interface Known {
  readonly folder: string
  /** Number of the newest entry, 0 in an empty log. */
  sequence: bigint
  /** Id of the newest entry. */
  id: string
  /** By the file's key; of those with a masked key by key and version. */
  readonly latest: Map<string, Delivery>
  /** Entries that no page holds yet. */
  readonly loose: Array<Delivery>
}

/** Reads the log: its pages, then the entries behind them. */
export const open = Effect.fn("Discovery.open")(function* (
  folder: string
): Effect.fn.Return<Known, ConnectorError, ObjectStore> {
  const store = yield* ObjectStore
  const known: Known = { folder, sequence: 0n, id: "", latest: new Map(), loose: [] }
  yield* store.list(pagesFolder(folder)).pipe(
    Stream.mapEffect(({ key }) => Effect.flatMap(store.get(key), (bytes) => Sealed.decode(Page, key, bytes)), {
      concurrency: readsAtOnce
    }),
    Stream.map(({ entries }) => entries),
    // A page that was never written leaves its entries, and all behind them, to be read one by one.
    Stream.takeWhile(([first]) => first !== undefined && BigInt(first.sequence) === known.sequence + 1n),
    Stream.runForEach((page) => Effect.sync(() => page.forEach((entry) => advance(known, entry))))
  )
  known.loose.length = 0
  yield* refresh(known)
  return known
})

/** Reads entries that others have added since. */
export const refresh = Effect.fn("Discovery.refresh")(function* (known: Known) {
  const store = yield* ObjectStore
  yield* store.list(entriesFolder(known.folder), entryKey(known.folder, known.sequence)).pipe(
    Stream.mapEffect(({ key }) => Effect.flatMap(store.get(key), (bytes) => Sealed.decode(Delivery, key, bytes)), {
      concurrency: readsAtOnce
    }),
    Stream.runForEach((entry) =>
      Effect.gen(function* () {
        const at = BigInt(entry.sequence)
        if (at !== known.sequence + 1n) return yield* gap(known.folder, known.sequence + 1n, at)
        advance(known, entry)
        yield* writePage(known)
      })
    )
  )
})

/** One entry, or `none` where it is not written. */
export const entry = Effect.fn("Discovery.entry")(function* (
  folder: string,
  at: bigint
): Effect.fn.Return<Option.Option<Delivery>, ConnectorError, ObjectStore> {
  const store = yield* ObjectStore
  const key = entryKey(folder, at)
  // The store's only `InvalidData` is an absent object.
  const bytes = yield* store.get(key).pipe(
    Effect.map(Option.some),
    Effect.catchReason("ConnectorError", "InvalidData", () => Effect.succeedNone)
  )
  if (Option.isNone(bytes)) return Option.none()
  const found = yield* Sealed.decode(Delivery, key, bytes.value)
  if (found.sequence !== sequenceOf(at)) return yield* Sealed.damaged(`${key} is the entry of another number`)
  return Option.some(found)
})

/** What a look at the drop folder needs. */
export interface Look {
  readonly drop: DropFolder
  readonly contracts: ReadonlyArray<FileContract>
  readonly maskName: (text: string) => string
}

/** A file that lies in the drop folder now, and belongs to a contract. */
type Found = Pick<Delivery, "contract" | "key" | "isMasked" | "version" | "bytes" | "modifiedMs" | "sidecar">

/**
 * Lists the drop folder and appends what is new, oldest first: content that is not the newest known of its key. A set
 * difference, no cursor: what becomes visible late or shares its second with another is found like any other. Any
 * number of processes may look at once.
 */
export const look = Effect.fn("Discovery.look")(function* (known: Known, { drop, contracts, maskName }: Look) {
  yield* refresh(known)
  const found: Array<Found> = []
  for (const prefix of prefixes(contracts)) {
    const files = new Map<string, Dropped>()
    const isSidecar = (key: string) =>
      contracts.some(({ control }) => control.kind === "sidecar" && key.endsWith(control.suffix))
    yield* Stream.runForEach(drop.list(prefix, droppedOf(known)), (file) =>
      Effect.sync(() => {
        const contract = contracts.find((candidate) => matches(candidate, file.key))
        if (
          contract !== undefined &&
          (isNew(known, toFound(contract, file, maskName)) || contract.control.kind === "sidecar")
        ) {
          files.set(file.key, file)
        } else if (isSidecar(file.key)) files.set(file.key, file)
      })
    )
    for (const file of files.values()) {
      const contract = contracts.find((candidate) => matches(candidate, file.key))
      if (contract === undefined) continue
      const one = toFound(contract, file, maskName)
      if (contract.control.kind !== "sidecar") found.push(one)
      else {
        const sidecar = files.get(file.key + contract.control.suffix)
        // Without its totals the file is not there yet.
        if (sidecar !== undefined) found.push({ ...one, sidecar: { key: sidecar.key, version: sidecar.version } })
      }
    }
  }
  found.sort((left, right) => left.modifiedMs - right.modifiedMs || (left.key < right.key ? -1 : 1))
  for (const one of found) yield* append(known, one, (state) => isNew(state, one))
})

/**
 * Appends a delivery's content once more, to be read again after a refusal whose cause has gone, such as a contract that was
 * wrong. Answers its new number.
 */
export const again = Effect.fn("Discovery.again")(function* (known: Known, delivery: Delivery) {
  yield* append(known, delivery, () => true)
  return known.sequence
})

const toFound = (contract: FileContract, file: Dropped, maskName: (text: string) => string): Found => {
  const key = maskName(file.key)
  const { version, bytes, modifiedMs } = file
  return { contract: contract.name, key, isMasked: key !== file.key, version, bytes, modifiedMs, sidecar: null }
}

/** Under which name the newest delivery is known: names that are alike once masked are told apart by what is in them. */
const nameOf = ({ key, isMasked, version }: Pick<Found, "key" | "isMasked" | "version">): string =>
  isMasked ? `${key} ${version}` : key

const isNew = ({ latest }: Known, found: Found): boolean => {
  const { version, sidecar } = found
  const last = latest.get(nameOf(found))
  return last === undefined || last.version !== version || last.sidecar?.version !== sidecar?.version
}

const droppedOf =
  ({ latest }: Known) =>
  (key: string): Dropped | undefined =>
    latest.get(key)

/** Prefixes of which none is below another. */
const prefixes = (contracts: ReadonlyArray<FileContract>): ReadonlyArray<string> => {
  const all = [...new Set(contracts.map(({ keys }) => keys.prefix))]
  return all.filter((prefix) => !all.some((other) => other !== prefix && prefix.startsWith(other)))
}

/** Creates the next entry, whose creation is the compare-and-set; whoever comes second looks again whether it is still needed. */
const append = Effect.fnUntraced(function* (known: Known, one: Found, isNeeded: (known: Known) => boolean) {
  const store = yield* ObjectStore
  while (isNeeded(known)) {
    const { contract, key, isMasked, version, bytes, modifiedMs, sidecar } = one
    const next: Delivery = {
      format: 1,
      id: randomUUID(),
      sequence: sequenceOf(known.sequence + 1n),
      contract,
      key,
      isMasked,
      version,
      bytes,
      modifiedMs,
      sidecar,
      discoveredAtMs: yield* Clock.currentTimeMillis,
      previous: known.latest.get(nameOf(one))?.sequence ?? null
    }
    yield* step("entry.ready")
    const at = entryKey(known.folder, known.sequence + 1n)
    // After a lost answer only a second attempt tells: its "exists" is as durable as a "created".
    yield* Effect.retry(store.create(at, Sealed.bytesOf(next)), { times: 1, while: (error) => error.isRetryable })
    yield* step("entry.created")
    const winner = yield* Effect.flatMap(store.get(at), (stored) => Sealed.decode(Delivery, at, stored))
    advance(known, winner)
    yield* writePage(known)
    if (winner.id === next.id) return
  }
})

const advance = (known: Known, entry: Delivery): void => {
  known.sequence = BigInt(entry.sequence)
  known.id = entry.id
  known.latest.set(nameOf(entry), entry)
  known.loose.push(entry)
}

const writePage = Effect.fnUntraced(function* (known: Known) {
  if (known.sequence % pageEntries !== 0n) return
  const entries = known.loose.splice(0)
  if (BigInt(entries.length) !== pageEntries) return
  const store = yield* ObjectStore
  yield* store.create(`${pagesFolder(known.folder)}${sequenceOf(known.sequence)}.json`, Sealed.bytesOf({ entries }))
  yield* step("page.created")
})

const entriesFolder = (folder: string): string => `${folder}/discovery/`
const pagesFolder = (folder: string): string => `${folder}/discovered/`
const entryKey = (folder: string, at: bigint): string => `${entriesFolder(folder)}${sequenceOf(at)}.json`

const gap = (folder: string, at: bigint, next: bigint): ConnectorError =>
  Sealed.damaged(`${entryKey(folder, at)} is missing although entry ${next} exists`)
