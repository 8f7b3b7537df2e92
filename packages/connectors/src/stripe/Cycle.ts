import { Clock, Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import type { Block } from "../landing/Block.ts"
import type { Client } from "./Client.ts"
import * as Pages from "./Pages.ts"
import * as Part from "./Part.ts"
import { cycleSequence, type Progress, type StripePosition } from "./Position.ts"
import type { Seen } from "./Seen.ts"
import { isWrittenOnce, type Shape } from "./Shape.ts"

/** How a source keeps up. Spans in milliseconds, times of objects in Unix seconds. */
export interface Pace {
  /** Lists and events are read again this far back, since Stripe shows new ones late. */
  readonly overlapMs: number
  readonly pollEveryMs: number
  readonly sweepEveryMs: number
  /** Objects created this long ago are listed again by a sweep. */
  readonly relistMs: number
  /** Where the history begins. */
  readonly from: number
  /** A range `[from, to)` of creation that is read again once per id. */
  readonly backfill: { readonly id: string; readonly from: number; readonly to: number } | undefined
}

/** A read under way. */
export interface Reading {
  readonly client: Client
  readonly shapes: ReadonlyArray<Shape>
  readonly pace: Pace
  readonly seen: Seen
}

/** What one batch read. */
export interface Step {
  readonly through: StripePosition
  readonly blocks: ReadonlyArray<Block>
  /** Time of the newest change, Unix milliseconds. */
  readonly committedAtMs: number | undefined
  readonly completeThroughMs: number | undefined
  /** Whether nothing is left to do before the next poll is due. */
  readonly isComplete: boolean
}

/** Stripe keeps events for 30 days; a day of them is left for the walk. */
const eventsKeptMs = 29 * 86_400_000

const passed = Failpoint.declare("stripe", ["batch.read"])

/**
 * Reads the next bounded part of everything: new events, new objects, a piece of a long walk, and what these hint at.
 * All of it starts after the batch before was handed over, so that a later batch never holds an older state.
 */
export const step = Effect.fn("StripeCycle.step")(function* (
  reading: Reading,
  at: StripePosition
): Effect.fn.Return<Step, ConnectorError> {
  const nowMs = yield* Clock.currentTimeMillis
  const parts = yield* Effect.forEach(
    reading.shapes,
    (shape) => {
      const part = Part.make(shape, reading.client, reading.seen)
      const progress = due(reading.pace, at.tables[shape.table] ?? unread(nowMs), nowMs)
      return Effect.map(advance(part, progress, reading.pace.backfill), (progress) => ({ part, progress }))
    },
    // One lane per table.
    { concurrency: "unbounded" }
  )
  yield* passed("batch.read")
  const done = parts.map(({ progress }) => progress)
  const tables = {
    ...at.tables,
    ...Object.fromEntries(parts.map(({ part, progress }) => [part.shape.table, progress]))
  }
  const isComplete = done.every((progress) => isIdle(progress, reading.pace.backfill))
  const begunMs = Math.min(...done.flatMap(({ eventsMs, listedMs }) => [eventsMs, listedMs]))
  const next = at.sequence + 1n
  const cycle = cycleSequence(begunMs)
  const sequence = isComplete && cycle > next ? cycle : next
  const anchor = at.anchor ?? parts.map(({ part }) => Part.lasting(part)).find((found) => found !== undefined) ?? null
  const blocks = parts.map(({ part }) => Part.finish(part, sequence)).filter((block) => block !== undefined)
  return {
    through: { ...at, sequence, anchor, tables },
    blocks,
    committedAtMs: newest(blocks),
    completeThroughMs: done.every(({ sweptMs }) => sweptMs !== null) ? begunMs - reading.pace.overlapMs : undefined,
    isComplete
  }
})

/** A table of which nothing has been read. */
const unread = (nowMs: number): Progress => ({
  eventsMs: nowMs,
  events: null,
  listedMs: nowMs,
  listed: null,
  sweptMs: null,
  long: null,
  backfill: null
})

/** Begins the walks that are due. */
const due = (pace: Pace, progress: Progress, nowMs: number): Progress => {
  // Then only all objects can tell what happened meanwhile.
  const hasLostEvents = progress.events === null && nowMs - progress.eventsMs > eventsKeptMs
  const sweptMs = hasLostEvents ? null : progress.sweptMs
  const long = progress.long ?? longWalk(pace, { ...progress, sweptMs }, nowMs)
  // Along with a long walk, which may take hours, the present is looked at as often as otherwise.
  const isPollDue = (thenMs: number): boolean =>
    progress.long === null || nowMs < thenMs || nowMs - thenMs >= pace.pollEveryMs
  const since = (thenMs: number): number => Math.floor((thenMs - pace.overlapMs) / 1000)
  const { events, listed, eventsMs, listedMs } = progress
  return {
    ...progress,
    sweptMs,
    long,
    events: events ?? (isPollDue(eventsMs) ? Pages.begin(since(eventsMs), nowMs) : null),
    listed: listed ?? (isPollDue(listedMs) ? Pages.begin(since(listedMs), nowMs) : null)
  }
}

/** The long walk to begin now, if any: the history before all, then what was asked for, then the sweep. */
const longWalk = (pace: Pace, { sweptMs, backfill }: Progress, nowMs: number): Progress["long"] => {
  if (sweptMs === null) return { kind: "history", walk: Pages.begin(pace.from, nowMs) }
  if (pace.backfill !== undefined && pace.backfill.id !== backfill) {
    return { kind: "backfill", walk: Pages.begin(pace.backfill.from, nowMs, pace.backfill.to - 1) }
  }
  if (nowMs - sweptMs < pace.sweepEveryMs) return null
  return { kind: "sweep", walk: Pages.begin(Math.floor((nowMs - pace.relistMs) / 1000), nowMs) }
}

/** Goes on with what is under way: events first, so that lists and single reads are no older than what they hint at. */
const advance = Effect.fnUntraced(function* (
  part: Part.Part,
  before: Progress,
  backfill: Pace["backfill"]
): Effect.fn.Return<Progress, ConnectorError> {
  let progress = before
  if (progress.events !== null) {
    const { begunMs } = progress.events
    const events = isWrittenOnce(part.shape) ? null : yield* Part.hint(part, progress.events)
    progress = { ...progress, events, eventsMs: events === null ? begunMs : progress.eventsMs }
  }
  if (progress.long !== null) {
    const { kind, walk } = progress.long
    const left = yield* Part.list(part, walk, "long")
    if (left === null) Part.hintUnmet(part, walk)
    progress = left === null ? ended(progress, progress.long, backfill) : { ...progress, long: { kind, walk: left } }
  }
  if (progress.listed !== null) {
    const { begunMs } = progress.listed
    const listed = yield* Part.list(part, progress.listed, "live")
    progress = { ...progress, listed, listedMs: listed === null ? begunMs : progress.listedMs }
  }
  yield* Part.followHints(part)
  return progress
})

/** Progress after the end of a long walk. */
const ended = (
  progress: Progress,
  { kind, walk }: NonNullable<Progress["long"]>,
  backfill: Pace["backfill"]
): Progress =>
  kind === "backfill"
    ? { ...progress, long: null, backfill: backfill?.id ?? progress.backfill }
    : { ...progress, long: null, sweptMs: walk.begunMs }

/** Whether no walk is under way, and none has been waiting for another to end. */
const isIdle = ({ events, listed, long, backfill }: Progress, wanted: Pace["backfill"]): boolean =>
  events === null && listed === null && long === null && (wanted === undefined || wanted.id === backfill)

const newest = (blocks: ReadonlyArray<Block>): number | undefined => {
  let newestUs: bigint | undefined
  for (const { committedAtUs } of blocks) {
    for (const us of committedAtUs) if (newestUs === undefined || us > newestUs) newestUs = us
  }
  return newestUs === undefined ? undefined : Number(newestUs / 1000n)
}
