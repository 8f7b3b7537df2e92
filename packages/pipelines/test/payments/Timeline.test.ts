import { expect, it } from "@effect/vitest"
import * as World from "@northstar/connectors/local/stripe/World"
import { Effect } from "effect"
import * as Timeline from "../../src/payments/Timeline.ts"
import * as OnlineRetail from "../../src/shop/OnlineRetail.ts"
import * as Replay from "../../src/shop/Replay.ts"

const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 10, 20, 9)
const liveFromMs = Date.UTC(2010, 11, 8)

/** The account after the whole data set was played as its past. */
const played = Effect.gen(function* () {
  const orders = yield* OnlineRetail.load
  const { lives } = yield* Replay.plan(orders, { seed: "payments", liveFromMs: 0 })
  const timeline = yield* Timeline.make(lives, { seed: "payments", liveFromMs: liveFromMs - 5 * dayMs })
  const world = yield* World.make({ startMs: nowMs - 30 * dayMs, seed: "payments" })
  const acts = Timeline.playPast(world, timeline, { toMs: liveFromMs, restMs: 4 * dayMs, nowMs })
  return { orders, timeline, world, acts }
})

it.live("the same orders and seed give the same account", () =>
  Effect.gen(function* () {
    const [one, other] = [yield* played, yield* played]
    expect(one.world.objects("balance_transaction")).toEqual(other.world.objects("balance_transaction"))
    expect(one.world.objects("charge")).toEqual(other.world.objects("charge"))
    expect(one.world.nowMs).toBe(nowMs)
  })
)

it.live("every sale that was paid has one payment of its amount under its number, abroad in its own currency", () =>
  Effect.gen(function* () {
    const { orders, timeline, world } = yield* played
    const paid = timeline.filter(({ atMs, kind }) => kind === "paid" && atMs < liveFromMs)
    const intents = world.objects("payment_intent")
    expect(intents.map(({ metadata }) => metadata["order_id"]).toSorted()).toEqual(
      paid.map(({ orderNumber }) => orderNumber).toSorted()
    )
    const totals = new Map(
      orders.map((order) => [
        order.number,
        order.lines.reduce((sum, line) => sum + line.unitPriceMinor * BigInt(line.quantity), 0n)
      ])
    )
    for (const { amount, currency, metadata } of intents) {
      if (currency === "gbp") expect(BigInt(amount)).toBe(totals.get(metadata["order_id"] ?? ""))
    }
    expect(new Set(intents.map(({ currency }) => currency)).size).toBeGreaterThan(1)
  })
)

it.live(
  "refunds come late, in parts and several to a charge; some wait, some fail; disputes are won and lost; payouts come back",
  () =>
    Effect.gen(function* () {
      const { world } = yield* played
      const refunds = world.objects("refund")
      expect(new Set(refunds.map(({ status }) => status))).toEqual(new Set(["succeeded", "pending", "failed"]))
      const perCharge = Map.groupBy(refunds, ({ charge }) => charge)
      expect([...perCharge.values()].some((each) => each.length > 1)).toBe(true)
      const charges = new Map(world.objects("charge").map((charge) => [charge.id, charge]))
      const daysLate = refunds.map(
        ({ charge, created }) => created - (typeof charge === "string" ? (charges.get(charge)?.created ?? 0) : 0)
      )
      expect(Math.max(...daysLate)).toBeGreaterThan((2 * dayMs) / 1000)
      const disputes = new Set(world.objects("dispute").map(({ status }) => status))
      expect(disputes.has("won") && disputes.has("lost")).toBe(true)
      const payouts = world.objects("payout")
      expect(payouts.filter(({ automatic }) => automatic).length).toBeGreaterThan(3)
      expect(payouts.filter(({ status }) => status === "failed")).toHaveLength(1)
      expect([...charges.values()].some(({ status }) => status === "failed")).toBe(true)
      expect(
        [...charges.values()].some(({ amount, amount_captured }) => amount_captured > 0 && amount_captured < amount)
      ).toBe(true)
    })
)
