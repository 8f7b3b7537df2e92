import type { Stripe } from "stripe"
import { idOf } from "./State.ts"
import type { World } from "./World.ts"

const currencies = ["usd", "usd", "usd", "eur", "gbp", "jpy", "kwd", "sek"]

/** The most that the world's time moves in one step. */
const stepMaxMs = 6 * 3_600_000

/**
 * One random act of shoppers, banks or the shop, drawn from the world's seed; one that the API would refuse does
 * nothing. Many of them make a history in which every kind of object goes through every state.
 */
export const step = (world: World): void => {
  const { state } = world
  const draw = state.random
  if (draw < 0.4) return pay(world)
  if (draw < 0.5) return world.advance(Math.floor(state.random * stepMaxMs))
  const charge = pick(world, state.collections.charge.all)
  const refund = pick(world, state.collections.refund.all)
  const dispute = pick(world, state.collections.dispute.all)
  const payout = pick(world, state.collections.payout.all)
  if (draw < 0.65 && charge !== undefined) return giveBack(world, charge)
  if (draw < 0.7 && charge !== undefined) {
    world.dispute({ charge: charge.id, isInquiry: state.random < 0.3, hasFeeApart: state.random < 0.3 })
  } else if (draw < 0.75 && dispute !== undefined) decide(world, dispute)
  else if (draw < 0.85 && refund !== undefined)
    world.settleRefund(refund.id, state.random < 0.5 ? "failed" : "succeeded")
  else if (draw < 0.95 && charge !== undefined) finish(world, charge)
  else if (draw < 0.96 && payout !== undefined) world.failPayout(payout.id)
  else if (draw < 0.97) world.payOut(1 + Math.floor(state.random * 5000), "usd")
}

const pay = (world: World): void => {
  const { state } = world
  const currency = currencies[Math.floor(state.random * currencies.length)] ?? "usd"
  const amountMinor = 10 * (1 + Math.floor(state.random * 50_000))
  const orderId = String(state.collections.payment_intent.all.length + 1)
  const capture = (["automatic", "automatic_async", "manual"] as const)[Math.floor(state.random * 3)]
  world.pay({ orderId, amountMinor, currency, capture, outcome: state.random < 0.1 ? "declined" : "succeeded" })
}

const giveBack = (world: World, charge: Stripe.Charge): void => {
  const { state } = world
  const amountMinor = state.random < 0.4 ? undefined : 10 * (1 + Math.floor((state.random * charge.amount) / 10))
  const pending = state.random < 0.6 ? undefined : state.random < 0.5 ? "processing" : "insufficient_funds"
  world.refund({ charge: charge.id, amountMinor, pending })
}

const decide = (world: World, dispute: Stripe.Dispute): void => {
  const draw = world.state.random
  if (draw < 0.2) world.answerDispute(dispute.id)
  else if (draw < 0.4) world.escalateDispute(dispute.id)
  else world.resolveDispute(dispute.id, draw < 0.7 ? "won" : "lost")
}

/** Captures, cancels or tries again to pay what is not paid yet. */
const finish = (world: World, charge: Stripe.Charge): void => {
  const { state } = world
  const intent = idOf(charge.payment_intent) ?? ""
  const draw = state.random
  const part = 10 * Math.ceil((charge.amount * state.random) / 10)
  if (draw < 0.2) world.cancel(intent)
  else if (draw < 0.4) world.retry(intent)
  else if (draw < 0.6) world.capture(intent)
  else world.capture(intent, { amountMinor: part, isReversing: draw < 0.8 })
}

const pick = <A>(world: World, items: ReadonlyArray<A>): A | undefined =>
  items[Math.floor(world.state.random * items.length)]
