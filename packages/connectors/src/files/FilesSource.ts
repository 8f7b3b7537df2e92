import { Duration, Effect, Option, type Scope, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import { ConnectorError, HistoryLost, Misconfigured } from "@northstar/core/ConnectorError"
import { encode, type Range } from "@northstar/core/Position"
import type { Reader, Source } from "@northstar/core/Source"
import type { Block } from "../landing/Block.ts"
import type { ObjectStore } from "../landing/ObjectStore.ts"
import type { DropConfig } from "../project/Project.ts"
import * as Delivered from "./Delivered.ts"
import * as Discovery from "./Discovery.ts"
import * as DropFolder from "./DropFolder.ts"
import { type FileContract, problems } from "./FileContract.ts"
import { type FilesPosition, position } from "./FilesPosition.ts"
import * as Verdict from "./Verdict.ts"

/** What to capture, from where. */
export interface Options {
  /** Folder of the discovery log in the project's object store, such as `shop/partners`: the source's own. */
  readonly stream: string
  /**
   * Raised by a person who gives a lost or damaged discovery log up; from 1. Every file that lies in the drop folder is then
   * discovered again, and its rows beat all that was captured before: they replace the same rows, and double none.
   */
  readonly epoch: number
  /** An object belongs to the first contract that its key matches; others are left alone. */
  readonly contracts: ReadonlyArray<FileContract>
  /** Where partners put their files. */
  readonly drop: Effect.Effect<DropFolder.DropFolder, ConnectorError, Scope.Scope>
  /** Time between two listings of the drop folder; 10 seconds by default. */
  readonly pollInterval?: Duration.Input
  /** What keeps card data out of what the source itself stores: names of files, and keys. Nothing by default. */
  readonly cards?: Cards
}

/** Keeps card data out of what the source itself stores. */
export interface Cards {
  /** A file's key with every card number in it replaced; the same key where there is none. The same result each time. */
  readonly maskName: (text: string) => string
  /** A block of keys as it may become durable. What it has made of a key it leaves alone when it sees it again. */
  readonly protect: (block: Block) => Block
}

const noCards: Cards = { maskName: (text) => text, protect: (block) => block }

/**
 * Partner files. A position is the epoch and number of a delivery (new content under a key of the drop folder) in its discovery
 * log; each delivery is one batch of any size. Its rows' position is their business or file time in whole seconds
 * times 10⁹ plus the delivery's number, so that a file that comes late does not win over a fresher one; their ordinal is their
 * number in the file. A file that cannot be read is refused: its first reading fails, so that nothing of it is committed, and from
 * then on its batch has no rows.
 */
export const make = (options: Options): Source<Block, FilesPosition, ObjectStore> => ({
  name: "files",
  position,
  open: Effect.gen(function* () {
    const names = options.contracts.map(({ name }) => name)
    const twice = names.filter((name, at) => names.indexOf(name) !== at)
    const wrong = [
      ...options.contracts.flatMap(problems),
      ...twice.map((name) => `two file contracts are called ${name}`)
    ]
    if (wrong.length > 0) return yield* misconfigured(wrong.join("; "))
    const services = yield* Effect.context<ObjectStore>()
    const drop = yield* options.drop
    const { epoch } = options
    const folder = Discovery.folder(options.stream, epoch)
    const known = yield* Discovery.open(folder)
    const { maskName, protect } = options.cards ?? noCards
    const look = Discovery.look(known, { drop, contracts: options.contracts, maskName })
    const reading = { folder, epoch, contracts: options.contracts, drop, protect }
    return {
      read: (range) => Stream.provideContext(follow(options, range, { known, look, drop, reading }), services),
      head: look.pipe(
        Effect.map(() =>
          // A raised epoch is behind everything of the one before, whether a file has come or not.
          known.sequence === 0n && epoch === 1
            ? Option.none<FilesPosition>()
            : Option.some({ epoch, delivery: known.sequence, id: known.id })
        ),
        Effect.provideContext(services)
      ),
      release: (through) =>
        through.epoch === epoch
          ? Effect.provideContext(Delivered.settle(folder, through.delivery), services)
          : Effect.void
    } satisfies Reader<Block, FilesPosition>
  })
})

/** The drop folder that a configuration names. */
export const open = (from: DropConfig): Effect.Effect<DropFolder.DropFolder, ConnectorError, Scope.Scope> =>
  from.kind === "folder" ? DropFolder.folder({ path: from.folder }) : DropFolder.bucket(from)

/** A refused delivery, for people. */
export interface Refused extends Verdict.Refused {
  /** A later delivery of the same file has come. */
  readonly isSuperseded: boolean
}

/** Deliveries that were refused, oldest first, of the discovery log in a folder. */
export const refused = Effect.fn("FilesSource.refused")(function* (folder: string) {
  const known = yield* Discovery.open(folder)
  return yield* Verdict.refusals(folder).pipe(
    Stream.map((one): Refused => {
      const latest = known.latest.get(one.key)
      return { ...one, isSuperseded: latest !== undefined && latest.sequence > one.sequence }
    }),
    Stream.runCollect
  )
})

/** Puts a refused delivery's content into the log once more, to be read under a mended contract. Answers its new number. */
export const again = Effect.fn("FilesSource.again")(function* (folder: string, sequence: bigint) {
  const delivery = yield* Discovery.entry(folder, sequence)
  if (Option.isNone(delivery)) return yield* misconfigured(`there is no delivery ${sequence} in ${folder}`)
  return yield* Discovery.again(yield* Discovery.open(folder), delivery.value)
})

interface Opened {
  readonly known: Discovery.Known
  readonly look: Effect.Effect<void, ConnectorError, ObjectStore>
  readonly drop: DropFolder.DropFolder
  readonly reading: Delivered.Options
}

const follow = (
  options: Options,
  range: Range<FilesPosition>,
  { known, look, drop, reading }: Opened
): Stream.Stream<Batch<Block, FilesPosition>, ConnectorError, ObjectStore> => {
  const interval = options.pollInterval ?? "10 seconds"
  const hinted = drop.hint.pipe(
    Effect.catch((error) =>
      Effect.andThen(Effect.logWarning(`notifications are not heard: ${error.message}`), Effect.never)
    )
  )
  const waitFor = Effect.fnUntraced(function* (at: bigint) {
    for (let isFirst = true; at > known.sequence; isFirst = false) {
      if (!isFirst) yield* Effect.raceFirst(hinted, Effect.sleep(interval))
      yield* look
    }
  })
  return Stream.unwrap(
    Effect.gen(function* () {
      yield* Discovery.refresh(known)
      const start = yield* resumable(reading, range.after)
      return Stream.unfold(
        { after: range.after, at: start + 1n },
        Effect.fnUntraced(function* ({ after, at }) {
          if (Option.isSome(range.through) && isBeyond(reading.epoch, at, range.through.value)) return
          yield* waitFor(at)
          const batch = yield* Delivered.batch(reading, after, at)
          return [batch, { after: Option.some(batch.through), at: at + 1n }] as const
        })
      )
    })
  )
}

const isBeyond = (epoch: number, at: bigint, through: FilesPosition): boolean =>
  epoch > through.epoch || (epoch === through.epoch && at > through.delivery)

/** The delivery to go on behind, 0 at the beginning of an epoch's log. The log must be the one that it was captured from. */
const resumable = Effect.fnUntraced(function* (
  { epoch, folder }: Delivered.Options,
  after: Option.Option<FilesPosition>
): Effect.fn.Return<bigint, ConnectorError, ObjectStore> {
  if (Option.isNone(after) || after.value.epoch < epoch) return 0n
  if (after.value.epoch > epoch) {
    return yield* misconfigured(
      "the position is of a later epoch than the source",
      "Set the source's epoch to the position's"
    )
  }
  const { delivery, id } = after.value
  const captured = yield* Discovery.entry(folder, delivery)
  if (Option.isNone(captured) || captured.value.id !== id) return yield* lost(folder, after.value)
  return delivery
})

const lost = (folder: string, after: FilesPosition): ConnectorError =>
  new ConnectorError({
    connector: "files",
    operation: "read discovery log",
    detail: `${folder} does not hold delivery ${after.delivery} as it was captured: its discovery log was replaced or cut short`,
    action:
      "Restore it from a backup of the landing store; without one raise the source's epoch by one, which reads the drop folder anew",
    reason: new HistoryLost({ after: encode(position, after) })
  })

const misconfigured = (detail: string, action = "Correct the file contract"): ConnectorError =>
  new ConnectorError({
    connector: "files",
    operation: "open",
    detail,
    action,
    reason: new Misconfigured({ detail })
  })
