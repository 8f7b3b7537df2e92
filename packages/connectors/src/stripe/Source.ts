import { Cause, Clock, Duration, Effect, Option, type Pull, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import { ConnectorError, HistoryLost } from "@northstar/core/ConnectorError"
import type { Range } from "@northstar/core/Position"
import type { Reader, Source } from "@northstar/core/Source"
import type { Table } from "@northstar/core/Table"
import type { Block } from "../landing/Block.ts"
import * as Client from "./Client.ts"
import { type Pace, type Reading, step } from "./Cycle.ts"
import { misconfigured } from "./Failure.ts"
import { headSequence, position, reachableMs, type StripePosition } from "./Position.ts"
import * as Seen from "./Seen.ts"
import { ofTables, type Shape } from "./Shape.ts"

/** What to capture, from where. */
export interface Options extends Client.ClientOptions {
  /** Contracts whose source is a table of Stripe's, such as `stripe.charges`. */
  readonly tables: ReadonlyArray<Table>
  /** Raised by a person who accepts another account or mode as the source; from 1. */
  readonly epoch: number
  /** The account's id. Needed where the key may not read it; else it must be the key's. */
  readonly account?: string
  /** Time between looks at events and lists. Default: 10 s. */
  readonly pollEvery?: Duration.Input
  /** How far each look reaches back, since Stripe shows new objects and events late. Default: 10 minutes. */
  readonly overlap?: Duration.Input
  /** Time between sweeps, which list recent objects again to find changes without an event. Default: a day. */
  readonly sweepEvery?: Duration.Input
  /** Age of the oldest objects of a sweep. Default: 30 days. */
  readonly relist?: Duration.Input
  /** Objects created before are not read by the first run; they come when something happens to them. */
  readonly from?: Date
  /** Objects created in `[from, to)` are read again, once for each id that is given here. */
  readonly backfill?: { readonly id: string; readonly from: Date; readonly to: Date }
}

/**
 * Objects of one Stripe account, as they are when they are read. The first run reads the history; then each batch holds
 * the objects that lists show newly and those that events hint at, read anew. A row's version is the batch's fetch
 * sequence, so order, repetition and loss of events do not matter; an entry of a ledger, which never changes, has its
 * creation as version, so that it is the same row however often it is read.
 *
 * Only a contract's columns leave this source. A column is read from the path that it is `renamedFrom`, else from its
 * own name: `metadata.order_id`. Times are Unix seconds at Stripe and become UTC in time columns; money stays in minor
 * units. A deleted customer is a delete once Stripe answers so when it is read by id; that there is no such object is none.
 *
 * `head` is the present: it is reached when everything that there was to read at the call has been read.
 */
export const make = (options: Options): Source<Block, StripePosition> => ({
  name: "stripe",
  position,
  open: Effect.gen(function* () {
    const shapes = yield* ofTables(options.tables)
    const client = yield* Client.make(options)
    const opened: Opened = { options, client, shapes, ...(yield* identify(client, options.account)) }
    return {
      read: (range) => read(opened, range),
      head: Effect.map(Clock.currentTimeMillis, (nowMs) =>
        Option.some({ ...beginning(opened), sequence: headSequence(nowMs) })
      ),
      // Stripe keeps what it has: there is nothing to let go.
      release: () => Effect.void
    } satisfies Reader<Block, StripePosition>
  })
})

interface Opened {
  readonly options: Options
  readonly client: Client.Client
  readonly shapes: ReadonlyArray<Shape>
  readonly account: string
  /** Whether Stripe said so, or only the configuration. */
  readonly isTold: boolean
}

/**
 * Which account the key is of. Nothing but `/v1/account` tells: no object names its account. Where a restricted key may not read
 * it, a person says it, and `recognise` holds what was read against it.
 */
const identify = Effect.fnUntraced(function* (client: Client.Client, named: string | undefined) {
  if (named === undefined) return { account: yield* client.account, isTold: true }
  const told = yield* Effect.catchReason(client.account, "ConnectorError", "Unauthorized", () =>
    Effect.succeed(undefined)
  )
  if (told === undefined) return { account: named, isTold: false }
  if (told === named) return { account: named, isTold: true }
  const detail = `the key is of account ${told}, the configuration names ${named}`
  return yield* misconfigured("open", detail, "Correct the account in the configuration, or use a key of that account.")
})

const beginning = ({ options, account, client }: Opened): StripePosition => ({
  epoch: options.epoch,
  account,
  isLive: client.isLive,
  anchor: null,
  sequence: 0n,
  tables: {}
})

const read = (
  opened: Opened,
  range: Range<StripePosition>
): Stream.Stream<Batch.Batch<Block, StripePosition>, ConnectorError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      if (Option.isSome(range.after) && isReached(range, range.after.value)) return Stream.empty
      let at = yield* resumable(opened, range.after)
      let after = range.after
      let waitUntilMs = 0
      // Of this read only: what an earlier one handed over need not have been committed.
      const reading: Reading = {
        client: opened.client,
        shapes: opened.shapes,
        pace: paceOf(opened.options),
        seen: Seen.make()
      }
      const next: Pull.Pull<readonly [Batch.Batch<Block, StripePosition>], ConnectorError> = Effect.gen(function* () {
        if (Option.isSome(after) && isReached(range, after.value)) return yield* Cause.done()
        const waitMs = waitUntilMs - (yield* Clock.currentTimeMillis)
        if (waitMs > 0) yield* Effect.sleep(Duration.millis(waitMs))
        const begunMs = yield* Clock.currentTimeMillis
        const { through, blocks, isComplete, ...times } = yield* step(reading, at)
        const batch = Batch.make({ after, through }, blocks, definedOf(times))
        at = through
        after = Option.some(through)
        waitUntilMs = isComplete ? nextPollMs(range, begunMs, reading.pace) : 0
        return [batch] as const
      })
      return Stream.fromPull(Effect.succeed(next))
    })
  )

/** Whether nothing of a bounded range lies beyond the position. */
const isReached = ({ through }: Range<StripePosition>, at: StripePosition): boolean =>
  Option.isSome(through) && position.order(at, through.value) >= 0

/** When to look again. A bounded read looks again as soon as its end can be reached. */
const nextPollMs = ({ through }: Range<StripePosition>, begunMs: number, { pollEveryMs }: Pace): number => {
  const pollMs = begunMs + pollEveryMs
  return Option.isNone(through) ? pollMs : Math.min(pollMs, reachableMs(through.value.sequence))
}

const definedOf = (times: {
  readonly committedAtMs: number | undefined
  readonly completeThroughMs: number | undefined
}) => ({
  ...(times.committedAtMs === undefined ? {} : { committedAtMs: times.committedAtMs }),
  ...(times.completeThroughMs === undefined ? {} : { completeThroughMs: times.completeThroughMs })
})

/**
 * Where to go on. A position of an earlier epoch is where the accepted new account takes over: its history is read from
 * the beginning, under the new epoch.
 */
const resumable = Effect.fnUntraced(function* (
  opened: Opened,
  after: Option.Option<StripePosition>
): Effect.fn.Return<StripePosition, ConnectorError> {
  const { options, account, client } = opened
  if (Option.isNone(after) || after.value.epoch < options.epoch) return beginning(opened)
  if (after.value.epoch > options.epoch) {
    const detail = "the position is of a later epoch than the source"
    return yield* misconfigured("resume", detail, "Set the source's epoch to the position's.")
  }
  const then = after.value
  const nameOf = (account: string, isLive: boolean) => `account ${account} in ${isLive ? "live" : "test"} mode`
  const before = nameOf(then.account, then.isLive)
  if (account !== then.account || client.isLive !== then.isLive) {
    return yield* other(`the key is of ${nameOf(account, client.isLive)}, what was read so far is of ${before}`, before)
  }
  if (!(yield* recognise(opened, then))) {
    return yield* other(`the key's account has not the objects that were read so far, of ${before}`, before)
  }
  return then
})

/** Whether the account has what was read of it: its ids are no other's. Needed where Stripe does not tell which it is. */
const recognise = ({ client, isTold, shapes }: Opened, { anchor }: StripePosition) => {
  const shape = shapes.find(({ table }) => table === anchor?.table)
  if (isTold || anchor === null || shape === undefined) return Effect.succeed(true)
  return client.retrieve(shape.table, shape.resource, anchor.id).pipe(
    Effect.as(true),
    Effect.catchTag("Missing", () => Effect.succeed(false))
  )
}

const other = (detail: string, before: string): ConnectorError =>
  new ConnectorError({
    connector: "stripe",
    operation: "resume",
    detail,
    action: "Use a key of that account and mode; where the new one is meant, raise the source's epoch by one",
    reason: new HistoryLost({ after: before })
  })

const paceOf = (options: Options): Pace => ({
  overlapMs: Duration.toMillis(options.overlap ?? "10 minutes"),
  pollEveryMs: Duration.toMillis(options.pollEvery ?? "10 seconds"),
  sweepEveryMs: Duration.toMillis(options.sweepEvery ?? "1 day"),
  relistMs: Duration.toMillis(options.relist ?? "30 days"),
  from: options.from === undefined ? 0 : unixSeconds(options.from),
  backfill:
    options.backfill === undefined
      ? undefined
      : { id: options.backfill.id, from: unixSeconds(options.backfill.from), to: unixSeconds(options.backfill.to) }
})

const unixSeconds = (date: Date): number => Math.floor(date.getTime() / 1000)
