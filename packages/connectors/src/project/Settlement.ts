import { Clock, Duration, Effect, Option, Schema } from "effect"
import * as LandingLog from "../landing/LandingLog.ts"
import * as Auditor from "../postgres/Auditor.ts"
import { position } from "../postgres/Position.ts"
import * as Digests from "../warehouse/Digests.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import type { Comparison, Suspect } from "./Comparison.ts"
import { cadenceOf, loadKey } from "./Streams.ts"

/** One key on which source and curated disagree. */
export interface Difference {
  readonly key: ReadonlyArray<string>
  /** `missing` in curated, `extra` in curated, `different` values, or set aside in `quarantined`. */
  readonly kind: "missing" | "extra" | "different" | "quarantined"
  /** `false`: what is loaded has not reached the moment at which the source was read; it may only be late. */
  readonly settled: boolean
}

/** A load that has not moved for this long beyond its cadence, milliseconds, is not waited for: a heartbeat moves it more often. */
const stillMs = 15_000

/** Between two reads of a key: a commit that waited for a standby should have become visible. */
const again = "500 millis"

/**
 * Drops the keys whose state when they were read the history knows, as soon as what is loaded has passed that: while a
 * table is compared, it has for most. The others are read once more, all at one moment, and judged by that likewise. What
 * differs twice differs; what the load does not reach stays unsettled.
 */
export const settle = Effect.fnUntraced(function* (context: Comparison, found: ReadonlyArray<Suspect>) {
  const first = yield* unknown(context, found)
  if (!first.isLoaded || first.left.length === 0) return yield* differences(context, first)
  yield* Effect.sleep(again)
  const keys = first.left.map(({ key }) => key)
  const { digests, ...moment } = yield* Auditor.rows(context.connection, context.model.table, keys)
  const read = first.left.map((suspect) => ({
    ...suspect,
    ...moment,
    source: digests.get(JSON.stringify(suspect.key)) ?? null
  }))
  return yield* differences(context, yield* unknown(context, read))
})

/** Those suspects whose state at the source the history does not know, once it is loaded. */
const unknown = Effect.fnUntraced(function* (context: Comparison, suspects: ReadonlyArray<Suspect>) {
  if (suspects.length === 0) return { isLoaded: true, left: suspects }
  const through = suspects.reduce((last, { lsnThrough }) => (lsnThrough > last ? lsnThrough : last), 0n)
  const isLoaded = yield* awaitLoaded(context, through)
  const sought = suspects.map(({ key, lsn, lsnThrough }) => ({ key, from: lsn, through: lsnThrough }))
  const { dialect, feed, model, session } = context
  const known = yield* Digests.lookUp(session, dialect, model, feed.source.epoch, sought)
  const left = suspects.flatMap((suspect, index) => {
    const { now, states } = known[index]!
    return states.has(suspect.source) ? [] : [{ ...suspect, curated: now }]
  })
  return { isLoaded, left }
})

const differences = (
  context: Comparison,
  { isLoaded, left }: { readonly isLoaded: boolean; readonly left: ReadonlyArray<Suspect> }
) => Effect.forEach(left, (suspect) => difference(context, suspect, isLoaded))

const difference = Effect.fnUntraced(function* (context: Comparison, suspect: Suspect, settled: boolean) {
  const { key, source, curated } = suspect
  if (yield* Digests.isQuarantined(context.session, context.model, key)) {
    return { key, kind: "quarantined", settled } satisfies Difference
  }
  const kind = source === null ? "extra" : curated === null ? "missing" : "different"
  return { key, kind, settled } satisfies Difference
})

/** Waits until the load has passed a WAL position, as long as somebody captures and it moves. */
const awaitLoaded = Effect.fnUntraced(function* (context: Comparison, lsn: bigint) {
  let last = yield* loaded(context, beforeAll)
  const [slot] = yield* context.connection.query("select active from pg_replication_slots where slot_name = $1", [
    context.feed.source.slot
  ])
  if (slot?.[0] !== "t") return last.lsn >= lsn
  const cadenceMs = Duration.toMillis(cadenceOf(context.feed.project.warehouse))
  const rest = Duration.millis(Math.max(lookMs.least, Math.min(lookMs.most, cadenceMs / 20)))
  let movedAtMs = yield* Clock.currentTimeMillis
  while (last.lsn < lsn) {
    yield* Effect.sleep(rest)
    const now = yield* Clock.currentTimeMillis
    const at = yield* loaded(context, last)
    if (at.lsn > last.lsn) movedAtMs = now
    // The load that brings what is waited for may begin a cadence after the last one, and take nearly as long.
    else if (now - movedAtMs > stillMs + 2 * cadenceMs) return false
    last = at
  }
  return true
})

/** Time between two looks at how far the load is: each is a query of a warehouse that costs money. */
const lookMs = { least: 200, most: 5_000 }

/** A record of the log through which everything is loaded, and its WAL position. */
interface Loaded {
  readonly sequence: bigint
  readonly lsn: bigint
}

const beforeAll: Loaded = { sequence: 0n, lsn: -1n }

/**
 * How far everything is loaded; `before` is an earlier answer. Records without rows that follow what is loaded count: there
 * is nothing in them to load, and a load with a cadence leaves them for the next one with rows.
 */
const loaded = Effect.fnUntraced(function* ({ feed, session }: Comparison, before: Loaded) {
  const names = feed.tables.map(({ name }) => name)
  const standing = yield* Watermarks.load(session, loadKey(feed), names)
  const main = Watermarks.furthest(standing.filter(({ parked }) => Option.isNone(parked)))
  if (Option.isNone(main)) return before
  const found = BigInt(main.value)
  let at = before
  for (let sequence = found > before.sequence ? found : before.sequence + 1n; ; sequence++) {
    const record = yield* LandingLog.record(feed.log, sequence)
    if (Option.isNone(record) || (sequence > found && record.value.files.length > 0)) return at
    const through = Schema.decodeOption(position.codec)(record.value.through)
    at = { sequence, lsn: Option.match(through, { onNone: () => at.lsn, onSome: ({ lsn }) => lsn }) }
  }
})
