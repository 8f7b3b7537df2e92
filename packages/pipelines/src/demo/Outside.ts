import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Effect } from "effect"
import type { Delivery } from "../partners/Delivery.ts"
import * as Deliveries from "../partners/Delivery.ts"
import * as Exports from "../partners/Exports.ts"
import * as Rueckweg from "../partners/Rueckweg.ts"
import * as Timeline from "../payments/Timeline.ts"
import type { Life } from "../shop/Life.ts"
import * as PartnerFiles from "./PartnerFiles.ts"
import type { Scene } from "./Scene.ts"
import * as StripeTruth from "./StripeTruth.ts"
import type { Truth } from "./Truth.ts"

/** Who has a part in the shop's orders besides the shop: its Stripe account and its partners, on the shop's clock. */
export interface Outside {
  readonly exports: Exports.Exports
  /** Lets everything happen that is due before an instant of the shop's clock, and lets Stripe's time catch up with ours. */
  readonly passed: (atMs: number) => Effect.Effect<void, ConnectorError>
  /** Lets Stripe's time catch up with ours. */
  readonly now: Effect.Effect<void>
  /** Puts a file into the drop folder. */
  readonly deliver: (delivery: Delivery) => Effect.Effect<void, ConnectorError>
  /** What the curated tables must hold by now, by Stripe's own account and by the files themselves. */
  readonly truths: Effect.Effect<ReadonlyArray<Truth>>
  readonly counts: Effect.Effect<{ readonly payments: number; readonly files: number }>
}

/** A file that old is not waited for. */
const settledMs = 60_000
/** Files keep their order: each is younger than the one before. */
const apartMs = 50

/** Days after the history on which a partner's file has a card number in it, comes late, and is broken. */
const cardDay = 0
const lateDay = 1
const brokenDay = 3

/** When the account lies fallow before now, so that its payouts come: less than an authorisation lasts. */
const restMs = 4 * Exports.dayMs

/** The account and the drop folder with everything that happened before `liveFromMs`, a London midnight. */
export const open = Effect.fn("Outside.open")(function* (
  scene: Scene,
  lives: ReadonlyArray<Life>,
  options: { readonly seed: string; readonly liveFromMs: number; readonly openedMs: number }
) {
  const { liveFromMs, openedMs } = options
  const { world } = scene.stripe
  const timeline = yield* Timeline.make(lives, options)
  const exports = yield* Exports.make(lives, options)
  const dropped: Array<PartnerFiles.Dropped> = []
  let passedMs = liveFromMs
  let modifiedMs = 0

  const deliver = Effect.fnUntraced(function* (delivery: Delivery) {
    modifiedMs = Math.max(modifiedMs + apartMs, (yield* Clock.currentTimeMillis) - settledMs)
    dropped.push({ delivery, modifiedMs })
    yield* Deliveries.drop(scene.drop, delivery, modifiedMs)
  })
  const now = Effect.map(Clock.currentTimeMillis, (nowMs) => world.advance(Math.max(0, nowMs - world.nowMs)))

  const deliverDay = Effect.fnUntraced(function* (fromMs: number) {
    const { returns, scans, shipments, stock } = exports.ofDay(fromMs)
    const day = (fromMs - liveFromMs) / Exports.dayMs
    const flaws = { hasCard: day === cardDay, isBroken: day === brokenDay }
    const flawed = Rueckweg.returns(exports.returns, fromMs, fromMs + Exports.dayMs, flaws)
    yield* Effect.forEach([shipments, scans, stock, ...(day === lateDay ? [] : [day < 0 ? returns : flawed])], deliver)
    // Yesterday's file that comes today.
    if (day === lateDay + 1) yield* deliver(exports.ofDay(fromMs - Exports.dayMs).returns)
  })

  yield* Effect.map(Clock.currentTimeMillis, (nowMs) =>
    Timeline.playPast(world, timeline, { toMs: liveFromMs, restMs, nowMs })
  )
  for (let day = openedMs; day < liveFromMs; day += Exports.dayMs) yield* deliverDay(day)

  return {
    exports,
    passed: Effect.fnUntraced(function* (atMs: number) {
      yield* now
      Timeline.play(world, timeline, passedMs, atMs)
      const midnight = Math.floor(atMs / Exports.dayMs) * Exports.dayMs
      for (let day = Math.floor(passedMs / Exports.dayMs) * Exports.dayMs; day < midnight; day += Exports.dayMs) {
        yield* deliverDay(day)
      }
      passedMs = Math.max(passedMs, atMs)
    }),
    now,
    deliver,
    truths: Effect.sync(() => [...StripeTruth.ofWorld(world), ...PartnerFiles.fold(dropped)]),
    counts: Effect.sync(() => ({ payments: world.objects("charge").length, files: dropped.length }))
  } satisfies Outside
})

/** The shop's day, London midnight, whose file of returns is broken. */
export const brokenDayMs = (liveFromMs: number): number => liveFromMs + brokenDay * Exports.dayMs
