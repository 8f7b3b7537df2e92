import type { World } from "@northstar/connectors/local/stripe/World"
import { Effect, Random } from "effect"
import type { Life } from "../shop/Life.ts"
import * as Course from "./Course.ts"

/** All that happens in the shop's Stripe account, in the order of its time. */
export type Timeline = ReadonlyArray<Course.Act>

const hourMs = 3_600_000

/** Credits are given back in one go below this, else in two: minor units. */
const twoPartsFrom = 2000n

/**
 * The account's acts for the shop's orders: payments of its sales with what becomes of them, a refund for each credit whose
 * sale is known, and a payout that comes back from the bank on the day after `liveFromMs`. The same for the same lives and seed.
 */
export const make = (
  lives: ReadonlyArray<Life>,
  options: { readonly seed: string; readonly liveFromMs: number }
): Effect.Effect<Timeline> =>
  Effect.map(Random.Random, (random) => {
    const courses = new Map<bigint, Course.Course>()
    const acts: Array<Course.Act> = [failedPayout(options.liveFromMs + 24 * hourMs)]
    for (const life of lives) {
      const { order } = life.rows
      if (order.kind === "credit") acts.push(...credited(life, courses))
      if (order.kind !== "sale") continue
      const course = Course.draw(life, random)
      if (course === undefined) continue
      courses.set(order.id, course)
      acts.push(...course.acts)
    }
    return acts.toSorted((left, right) => left.atMs - right.atMs)
  }).pipe(Random.withSeed(`payments ${options.seed}`))

/** Lets the acts in `[fromMs, toMs)` of the shop's clock happen now. Returns how many there were. */
export const play = (world: World, timeline: Timeline, fromMs: number, toMs: number): number => {
  const due = timeline.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  for (const { happen } of due) happen(world)
  return due.length
}

/**
 * Lets the acts before `toMs` happen, each as long before now as it was before `toMs`, and `restMs` earlier: meanwhile the
 * world's own time goes on, with its payouts. At the end the world's time is `nowMs`.
 */
export const playPast = (
  world: World,
  timeline: Timeline,
  options: { readonly toMs: number; readonly restMs: number; readonly nowMs: number }
): number => {
  const { nowMs, restMs, toMs } = options
  const past = timeline.filter(({ atMs }) => atMs < toMs)
  for (const { atMs, happen } of past) {
    world.advance(Math.max(0, nowMs - restMs - (toMs - atMs) - world.nowMs))
    happen(world)
  }
  world.advance(Math.max(0, nowMs - world.nowMs))
  return past.length
}

/** What a credit gives back of its sale: in two refunds, unless it is little. */
const credited = (
  { rows: { order }, steps }: Life,
  courses: ReadonlyMap<bigint, Course.Course>
): ReadonlyArray<Course.Act> => {
  const course = courses.get(order.credits_order_id ?? 0n)
  const atMs = steps.find(({ status }) => status === "credited")?.atMs
  if (course === undefined || atMs === undefined) return []
  const minor = -order.total_minor
  const parts = minor < twoPartsFrom ? [minor] : [minor / 2n, minor - minor / 2n]
  return parts.map((part, index) => ({
    atMs: atMs + index * hourMs,
    kind: "refunded",
    orderNumber: order.order_number,
    happen: (world) => void course.refund(world, part)
  }))
}

/** The first payout comes back, days after it was paid; its money goes with a later one. */
const failedPayout = (atMs: number): Course.Act => ({
  atMs,
  kind: "payout failed",
  happen: (world) => {
    const [first] = world.objects("payout")
    if (first !== undefined) world.failPayout(first.id)
  }
})
