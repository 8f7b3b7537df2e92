import { Clock, Effect, Option, Random, Stream } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import * as LandingLog from "../landing/LandingLog.ts"
import type { CommitRecord } from "../landing/Segment.ts"
import { literal } from "../warehouse/Dialect.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import type { Feed } from "./Project.ts"
import * as Services from "./Services.ts"
import { backfillKey, load, loadKey } from "./Streams.ts"
import * as Turn from "./Turn.ts"

/** Which records of the landing log to read again: by sequence, or by the time they were written. */
export interface LogRange {
  /** Sequences `(after, through]`; default the whole log. */
  readonly after?: string
  readonly through?: string
  /** Unix milliseconds, `[sinceMs, untilMs)`. */
  readonly sinceMs?: number
  readonly untilMs?: number
}

/** What a backfill would read. */
export interface BackfillPlan {
  /** Sequences `(after, through]`. */
  readonly after: string
  readonly through: string
  readonly records: number
  readonly tables: ReadonlyArray<{ readonly table: string; readonly rows: number; readonly bytes: number }>
}

/** How to run one. */
export interface BackfillOptions extends LogRange {
  /** Names the backfill, so that a killed one goes on where it stopped; made up by default. */
  readonly id?: string
  readonly onProgress?: (progress: { readonly through: string; readonly rows: number }) => Effect.Effect<void>
}

/** Says what a backfill would read, and reads none of it. */
export const plan = (feed: Feed, range: LogRange) =>
  planned(feed, range).pipe(Effect.provide(Services.landing(feed.project.landing)))

/**
 * Reads a range of the landing log again into the warehouse, under its own key, while ingest goes on: what is known
 * already is superseded, what was missing or taken back is published. In Snowflake it runs on a warehouse of its own; in
 * DuckDB it rests after each publish as long as that took, while ingest is at work.
 */
export const fromLog = (feed: Feed, options: BackfillOptions) =>
  program(feed, options).pipe(Effect.provide(Services.layer(Services.forBackfill(feed.project))), Effect.scoped)

const program = Effect.fn("Backfill.fromLog")(function* (feed: Feed, options: BackfillOptions) {
  const { after, through } = yield* planned(feed, options)
  const suffix = (yield* Random.nextIntBetween(0, 0x1000000)).toString(16).padStart(6, "0")
  const id = options.id ?? `${(yield* Clock.currentTimeMillis).toString(36)}-${suffix}`
  const rest = yield* Turn.make(isLoading(feed, yield* Warehouse))
  let rows = 0
  const summary = yield* Pipeline.run(load(feed, backfillKey(feed, id)), {
    program: "backfill",
    ...(after === "0" ? {} : { from: BigInt(after) }),
    through: BigInt(through),
    onCommit: (receipt) => {
      rows += receipt.rows
      const told = options.onProgress?.({ through: String(receipt.through), rows }) ?? Effect.void
      return Effect.andThen(told, rest)
    }
  })
  // A finished backfill needs nothing of the log any more.
  const { session: open } = yield* Warehouse
  yield* Effect.scoped(Effect.flatMap(open, (session) => Watermarks.forget(session, backfillKey(feed, id))))
  return { id, after, through, summary }
})

/** A load that has moved within this time, milliseconds, is at work: the heartbeats of an idle source move it more often. */
const atWorkMs = 60_000

/**
 * Whether ingest loads into the same DuckDB file: its loads wait for each publish of the backfill, and share the processor
 * with it. In Snowflake a backfill has a warehouse of its own.
 */
const isLoading = (feed: Feed, { dialect, session: open }: Warehouse["Service"]) => {
  if (feed.project.warehouse.kind !== "duckdb") return Effect.succeed(false)
  const { pipeline, stream } = loadKey(feed)
  const moved = Effect.flatMap(open, (session) =>
    session.query(
      `SELECT CAST(max(${dialect.epochMs("moved_at")}) AS VARCHAR) AS ms FROM northstar.watermarks WHERE pipeline = ${literal(pipeline)} AND stream = ${literal(stream)}`
    )
  )
  return Effect.scoped(moved).pipe(
    Effect.flatMap(([row]) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) => nowMs - Number(row?.["ms"] ?? 0) < atWorkMs)
    ),
    // A session that cannot be had is no reason to hurry.
    Effect.orElseSucceed(() => true)
  )
}

const planned = Effect.fn("Backfill.plan")(function* (feed: Feed, range: LogRange) {
  const newest = yield* LandingLog.tail(feed.log)
  if (Option.isNone(newest)) return yield* refuse("the landing log is empty", "Run northstar ingest first")
  const head = BigInt(newest.value.sequence)
  const after = range.sinceMs === undefined ? parse(range.after ?? "0") : yield* firstAt(feed, head, range.sinceMs)
  const until =
    range.untilMs === undefined ? parse(range.through ?? String(head)) : yield* firstAt(feed, head, range.untilMs)
  if (after === undefined || until === undefined) {
    return yield* refuse("a position is not a sequence number", "Give sequences as northstar status shows them")
  }
  const through = until > head ? head : until
  if (after >= through) {
    return yield* refuse(`nothing lies after ${after} and through ${through}`, `The log ends at ${head}`)
  }
  return yield* summarise(feed, after, through)
})

/** The last sequence that was written before an instant, found by halving: the log is written in order. */
const firstAt = Effect.fnUntraced(function* (feed: Feed, head: bigint, ms: number) {
  let low = 0n
  let high = head
  while (low < high) {
    const middle = (low + high + 1n) / 2n
    const found = yield* LandingLog.record(feed.log, middle)
    // A record that retention removed is older than any that is left.
    if (Option.isNone(found) || found.value.writtenAtMs < ms) low = middle
    else high = middle - 1n
  }
  return low
})

const summarise = Effect.fnUntraced(function* (feed: Feed, after: bigint, through: bigint) {
  const totals = new Map<string, { rows: number; bytes: number }>()
  let records = 0
  yield* LandingLog.records(feed.log, { after: Option.some(after), through: Option.some(through) }).pipe(
    Stream.runForEach((record: CommitRecord) =>
      Effect.sync(() => {
        records++
        for (const { table, rows, bytes } of record.files) {
          const total = totals.get(table) ?? { rows: 0, bytes: 0 }
          totals.set(table, { rows: total.rows + rows, bytes: total.bytes + bytes })
        }
      })
    )
  )
  const tables = [...totals].map(([table, total]) => ({ table, ...total }))
  return { after: String(after), through: String(through), records, tables } satisfies BackfillPlan
})

const parse = (text: string): bigint | undefined => (/^\d{1,20}$/.test(text) ? BigInt(text) : undefined)

const refuse = (detail: string, action: string) =>
  new ConnectorError({
    connector: "landing",
    operation: "backfill",
    detail,
    action,
    reason: new Misconfigured({ detail: "range" })
  })
