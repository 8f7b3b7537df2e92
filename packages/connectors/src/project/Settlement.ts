import { Clock, Effect, Option, Schema } from "effect"
import * as LandingLog from "../landing/LandingLog.ts"
import * as Auditor from "../postgres/Auditor.ts"
import { position } from "../postgres/Position.ts"
import * as Digests from "../warehouse/Digests.ts"
import * as Watermarks from "../warehouse/Watermarks.ts"
import type { Comparison, Suspect } from "./Comparison.ts"
import { loadKey } from "./Streams.ts"

/** One key on which source and curated disagree. */
export interface Difference {
  readonly key: ReadonlyArray<string>
  /** `missing` in curated, `extra` in curated, `different` values, or set aside in `quarantined`. */
  readonly kind: "missing" | "extra" | "different" | "quarantined"
  /** `false`: what is loaded has not reached the moment at which the source was read; it may only be late. */
  readonly settled: boolean
}

/** Times a key is read again before it counts as different. */
const rounds = 2
/** A load that has not moved for this long, milliseconds, is not waited for: a heartbeat moves it more often. */
const stillMs = 15_000

/**
 * Reads the differing keys again, all at one moment, waits until what is loaded has passed it, and drops those whose
 * state at that moment the history knows. What differs twice differs: a commit that waited for a standby may become
 * visible between the two reads. What the load does not reach stays unsettled.
 */
export const settle = Effect.fnUntraced(function* (context: Comparison, found: ReadonlyArray<Suspect>) {
  let left = found
  for (let round = 0; round < rounds && left.length > 0; round++) {
    if (round > 0) yield* Effect.sleep("500 millis")
    const read = yield* Auditor.rows(
      context.connection,
      context.model.table,
      left.map(({ key }) => key)
    )
    const isLoaded = yield* awaitLoaded(context, read.lsnThrough)
    const span = { epoch: context.feed.source.epoch, from: read.lsn, through: read.lsnThrough }
    const keys = left.map(({ key }) => key)
    const known = yield* Digests.lookUp(context.session, context.dialect, context.model, keys, span)
    left = keys.flatMap((key, index) => {
      const source = read.digests.get(JSON.stringify(key)) ?? null
      const { now, states } = known[index] ?? { now: null, states: new Set<Digests.State>() }
      return states.has(source) ? [] : [{ key, source, curated: now }]
    })
    if (!isLoaded) return yield* Effect.forEach(left, (suspect) => difference(context, suspect, false))
  }
  return yield* Effect.forEach(left, (suspect) => difference(context, suspect, true))
})

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
  let last = yield* loadedThrough(context)
  const [slot] = yield* context.connection.query("select active from pg_replication_slots where slot_name = $1", [
    context.feed.source.slot
  ])
  if (slot?.[0] !== "t") return last >= lsn
  let movedAtMs = yield* Clock.currentTimeMillis
  while (last < lsn) {
    yield* Effect.sleep("200 millis")
    const now = yield* Clock.currentTimeMillis
    const at = yield* loadedThrough(context)
    if (at > last) movedAtMs = now
    else if (now - movedAtMs > stillMs) return false
    last = at
  }
  return true
})

/** WAL position through which everything is loaded; −1 before the first batch. */
const loadedThrough = Effect.fnUntraced(function* ({ feed, session }: Comparison) {
  const key = loadKey(feed)
  const standing = yield* Watermarks.load(
    session,
    key,
    feed.tables.map(({ name }) => name)
  )
  const main = Watermarks.furthest(standing.filter(({ parked }) => Option.isNone(parked)))
  if (Option.isNone(main)) return -1n
  const record = yield* LandingLog.record(feed.log, BigInt(main.value))
  if (Option.isNone(record)) return -1n
  return Option.match(Schema.decodeOption(position.codec)(record.value.through), {
    onNone: () => -1n,
    onSome: ({ lsn }) => lsn
  })
})
