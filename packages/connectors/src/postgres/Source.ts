import { Cause, Effect, Option, type Pull, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import type { Range } from "@northstar/core/Position"
import type { Reader, Source } from "@northstar/core/Source"
import type { Block } from "../landing/Block.ts"
import * as Connection from "./Connection.ts"
import type { Item } from "./Feed.ts"
import * as Heartbeat from "./Heartbeat.ts"
import { parseLsn, position, type PostgresPosition } from "./Position.ts"
import type { Replication } from "./Replication.ts"
import * as Session from "./Session.ts"
import * as Slot from "./Slot.ts"
import { checkServer } from "./ServerCheck.ts"

/** What to capture, from where. */
export type Options = Session.Options

const passed = Failpoint.declare("postgres.source", ["released"])

/**
 * Changes of one logical replication slot. Batches end at commits of the source; a transaction larger than the limits
 * is one batch whose chunks must be pulled before the next batch. Needs a role with REPLICATION, and SELECT on the
 * tables that it takes snapshots of.
 *
 * A `read` without `range.after` starts where the slot does. While tables are still to be read for a snapshot, a bounded
 * read goes on past `range.through` until they are: before, there is no position at which they are complete.
 */
export const make = (options: Options): Source<Block, PostgresPosition> => {
  const walsender = { processId: undefined }
  return { name: "postgres", position, open: open(options, walsender) }
}

const open = (options: Options, walsender: Session.Opened["walsender"]) =>
  Effect.gen(function* () {
    const control = yield* Connection.open({ url: options.url })
    const { major } = yield* checkServer(control, options.slot)
    yield* Slot.checkPublication(control, options.publication, options.tables)
    yield* Slot.checkRights(control, options.snapshot?.tables ?? [])
    yield* Slot.read(control, options.slot, major)
    const system = yield* Effect.scoped(
      Effect.flatMap(Connection.open({ url: options.url, replication: true }), Slot.identify)
    )
    const opened: Opened = { options, control, major, system, walsender, current: undefined }
    return {
      read: (range) => read(opened, range),
      head: head(opened),
      release: (through) =>
        Effect.gen(function* () {
          if (opened.current === undefined || through.epoch !== options.epoch) return
          yield* opened.current.release(through.lsn)
          yield* passed("released")
        })
    } satisfies Reader<Block, PostgresPosition>
  })

interface Opened extends Session.Opened {
  readonly system: Slot.System
  /** The stream that flows now: releases go over its socket. */
  current: Replication | undefined
}

/** A message of our own marks the head: every commit up to now is before it, and the stream will come to it. */
const head = Effect.fnUntraced(function* ({ control, major, options, system }: Opened) {
  const content: Heartbeat.Content = { kind: "head", slot: options.slot }
  const [row] = yield* Heartbeat.emit(control, major, JSON.stringify(content))
  return Option.some(Session.positionAt(options, system, parseLsn(row?.[0] ?? ""), {}))
})

const read = (
  opened: Opened,
  range: Range<PostgresPosition>
): Stream.Stream<Batch<Block, PostgresPosition>, ConnectorError> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const { after, through } = range
      if (Option.isSome(after) && Option.isSome(through) && position.order(through.value, after.value) <= 0) {
        return Stream.empty
      }
      const session = yield* Session.start(opened, range)
      opened.current = session.replication
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          opened.current = undefined
        })
      )
      let last = after
      const next: Pull.Pull<readonly [Batch<Block, PostgresPosition>], ConnectorError> = Effect.flatMap(
        session.replication.take,
        (item) => {
          // Chunks of a batch that its consumer did not pull to the end.
          if (item._tag !== "Batch") return next
          const end = Session.positionAt(opened.options, session.system, item.through, item.snapshots)
          const batch = batchOf(session.replication, item, { after: last, through: end })
          last = Option.some(end)
          return Effect.succeed([batch] as const)
        }
      )
      return Stream.fromPull(Effect.succeed(next))
    })
  )

const batchOf = (
  replication: Replication,
  item: Extract<Item, { readonly _tag: "Batch" }>,
  arrow: Pick<Batch<Block, PostgresPosition>, "after" | "through">
): Batch<Block, PostgresPosition> => {
  const first = item.blocks.length === 0 ? Stream.empty : Stream.succeed(item.blocks)
  const rest: Pull.Pull<readonly [ReadonlyArray<Block>], ConnectorError> = Effect.flatMap(replication.take, (item) =>
    item._tag === "Chunk" ? Effect.succeed([item.blocks] as const) : Cause.done()
  )
  return {
    ...arrow,
    chunks: item.isOpen ? Stream.concat(first, Stream.fromPull(Effect.succeed(rest))) : first,
    committedAtMs: Option.fromUndefinedOr(item.committedAtMs),
    completeThroughMs: Option.fromUndefinedOr(item.completeThroughMs)
  }
}
