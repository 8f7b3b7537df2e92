import { open } from "@northstar/connectors/postgres/Connection"
import * as Query from "@northstar/connectors/project/Query"
import type { Dialect } from "@northstar/connectors/warehouse/Dialect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Effect, type Scope, Semaphore } from "effect"
import type { Scene } from "./Scene.ts"

/** What was measured up to now. Transactions are counted in the order in which they were committed. */
export interface Reading {
  /** Transactions and row changes committed at the source since live traffic began. */
  readonly transactions: number
  readonly changes: number
  /** Transactions that readers of the curated tables see. */
  readonly visible: number
  /** Row changes in curated tables, snapshot included. */
  readonly published: number
  /** How long ago the newest visible change was committed; `undefined` before the first. */
  readonly lagMs: number | undefined
}

/** Watches the source and the curated tables at once. */
export interface Meter {
  /** Notes a transaction that was just committed, with the row changes up to it. */
  readonly committed: (changes: number) => Effect.Effect<void>
  /** Looks into the warehouse and takes a sample; without an ingester that holds the slot, only the clock moves on. */
  readonly look: Effect.Effect<void, ConnectorError>
  readonly reading: Effect.Effect<Reading>
  /** Runs `effect` while nothing looks into the warehouse; from then on only a new ingester makes it look again. */
  readonly blindfolded: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Process of the database that serves the slot's reader, if it has one. */
  readonly slotHolder: Effect.Effect<string | undefined, ConnectorError>
  /** The samples, and for each visible transaction the time from commit to sight in ascending order. */
  readonly results: Effect.Effect<Results>
}

/** As `Report` shows them. Times in milliseconds. */
export interface Results {
  readonly delaysMs: ReadonlyArray<number>
  readonly freshness: ReadonlyArray<{ readonly atMs: number; readonly lagMs: number }>
  readonly throughput: ReadonlyArray<{ readonly atMs: number; readonly committed: number; readonly published: number }>
}

/** Time between two samples of throughput. */
const windowMs = 1000

/** `committed_at` is written in the transaction that makes the rows visible; rows of the snapshot have none. */
const lookSql = ({ epochMs }: Dialect) => `select
    cast(${epochMs("max(committed_at)")} as varchar) as committed_ms,
    (select cast(${epochMs("min(complete_through)")} as varchar) from northstar.watermarks where stream = 'shop') as complete_ms,
    cast(coalesce(sum(published), 0) as varchar) as published
  from northstar.batches where stream = 'shop'`

/**
 * A meter over the scene's database and warehouse, until the scope closes. A transaction is visible once something is
 * that was committed after the transaction before it: they commit one after another, and all on one clock.
 */
export const make = Effect.fn("Meter.make")(function* ({
  dialect,
  project,
  shop,
  url
}: Scene): Effect.fn.Return<Meter, ConnectorError, Scope.Scope> {
  const source = yield* open({ url })
  const gate = yield* Semaphore.make(1)
  const committedAtMs: Array<number> = []
  const delaysMs: Array<number> = []
  const freshness: Array<Results["freshness"][number]> = []
  const throughput: Array<Results["throughput"][number]> = []
  let now = { changes: 0, published: 0, newestMs: 0 }
  let window: { readonly atMs: number; readonly changes: number; readonly published: number } | undefined
  let lastHolder: string | undefined

  const slotHolder = source
    .query("select active_pid::text from pg_replication_slots where slot_name = $1", [shop.source.slot])
    .pipe(Effect.map(([row]) => row?.[0] ?? undefined))

  const see = Effect.fnUntraced(function* () {
    const { rows } = yield* Query.query(project, lookSql(dialect), { rowsMax: 1 })
    const number = (name: string) => Number(rows[0]?.[name] ?? 0)
    const newestMs = Math.max(now.newestMs, number("committed_ms"), number("complete_ms"))
    now = { ...now, published: number("published"), newestMs }
    const atMs = yield* Clock.currentTimeMillis
    while (delaysMs.length < committedAtMs.length) {
      const at = delaysMs.length
      if (now.newestMs <= (committedAtMs[at - 1] ?? 0)) break
      delaysMs.push(Math.max(0, atMs - (committedAtMs[at] ?? atMs)))
    }
  })

  const sample = Effect.gen(function* () {
    const atMs = yield* Clock.currentTimeMillis
    const { changes, published } = now
    if (now.newestMs > 0) freshness.push({ atMs, lagMs: Math.max(0, atMs - now.newestMs) })
    window ??= { atMs, changes, published }
    const seconds = (atMs - window.atMs) / 1000
    if (seconds * 1000 < windowMs) return
    const rate = (after: number, before: number) => Math.round((after - before) / seconds)
    const committed = rate(changes, window.changes)
    throughput.push({ atMs, committed, published: rate(published, window.published) })
    window = { atMs, changes, published }
  })

  return {
    committed: (changes) =>
      Effect.map(Clock.currentTimeMillis, (atMs) => {
        committedAtMs.push(atMs)
        now = { ...now, changes }
      }),
    look: gate.withPermit(
      Effect.gen(function* () {
        const holder = yield* slotHolder
        // The ingester opens the warehouse before the slot: looking earlier, we would take the file from it.
        if (holder !== undefined && holder !== lastHolder) yield* see()
        yield* sample
      })
    ),
    reading: Effect.map(Clock.currentTimeMillis, (atMs) => ({
      transactions: committedAtMs.length,
      changes: now.changes,
      visible: delaysMs.length,
      published: now.published,
      lagMs: now.newestMs === 0 ? undefined : Math.max(0, atMs - now.newestMs)
    })),
    blindfolded: (effect) =>
      gate.withPermit(
        Effect.flatMap(slotHolder.pipe(Effect.orElseSucceed(() => undefined)), (holder) => {
          lastHolder = holder
          return effect
        })
      ),
    slotHolder,
    results: Effect.sync(() => ({ delaysMs: delaysMs.toSorted((a, b) => a - b), freshness, throughput }))
  }
})
