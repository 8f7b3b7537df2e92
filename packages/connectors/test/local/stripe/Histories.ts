import { Effect, Result } from "effect"
import { make, type PayInput, type World, type WorldOptions } from "../../../src/local/stripe/World.ts"

export const dayMs = 86_400_000

/** A Sunday noon. */
export const startMs = Date.UTC(2026, 10, 1, 12)

export const emptyWorld = (options: WorldOptions = {}): Effect.Effect<World> => make({ startMs, ...options })

/** Pays 100.00 US dollars unless told otherwise. */
export const paid = (world: World, input: Partial<PayInput> = {}) =>
  Result.getOrThrow(world.pay({ amountMinor: 10_000, currency: "usd", ...input }))

/** Every transition that the simulator knows, in several currencies, over three weeks. */
export const fullHistory: Effect.Effect<World> = Effect.map(emptyWorld(), (world) => {
  const customer = world.addCustomer({ email: "shopper@example.com", name: "A. Shopper", metadata: { tier: "gold" } })
  for (const currency of ["usd", "eur", "gbp", "jpy", "kwd", "sek", "krw"]) live(world, currency, customer.id)
  for (const { id } of world.objects("payout").slice(0, 2)) Result.getOrThrow(world.failPayout(id))
  Result.getOrThrow(world.payOut(100, "usd"))
  world.advance(5 * dayMs)
  Result.getOrThrow(world.deleteCustomer(customer.id))
  world.addCustomer({})
  return world
})

/** Every transition of payments in one currency. */
const live = (world: World, currency: string, customer: string): void => {
  const pay = (input: Partial<PayInput> = {}) => paid(world, { orderId: "1001", currency, customer, ...input })
  Result.getOrThrow(world.refund({ charge: pay().charge.id, reason: "requested_by_customer" }))
  const twice = pay({ capture: "automatic_async", description: "Two refunds" }).charge.id
  Result.getOrThrow(world.refund({ charge: twice, amountMinor: 2500 }))
  world.advance(60_000)
  const failed = Result.getOrThrow(world.refund({ charge: twice, amountMinor: 1500, pending: "processing" }))
  world.advance(dayMs)
  Result.getOrThrow(world.settleRefund(failed.id, "failed"))
  const late = Result.getOrThrow(world.refund({ charge: twice, amountMinor: 500, pending: "insufficient_funds" }))
  world.advance(dayMs)
  Result.getOrThrow(world.settleRefund(late.id, "succeeded"))
  const unfunded = Result.getOrThrow(world.refund({ charge: twice, amountMinor: 100, pending: "insufficient_funds" }))
  Result.getOrThrow(world.settleRefund(unfunded.id, "failed"))
  disputes(world, pay)
  authorisations(world, pay)
  const { paymentIntent } = pay({ outcome: "declined" })
  Result.getOrThrow(world.retry(paymentIntent.id, "declined"))
  Result.getOrThrow(world.retry(paymentIntent.id))
}

type Pay = (input?: Partial<PayInput>) => ReturnType<typeof paid>

const disputes = (world: World, pay: Pay): void => {
  for (const outcome of ["won", "lost"] as const) {
    const hasFeeApart = outcome === "lost"
    const dispute = Result.getOrThrow(world.dispute({ charge: pay().charge.id, amountMinor: 9000, hasFeeApart }))
    Result.getOrThrow(world.answerDispute(dispute.id))
    world.advance(dayMs)
    Result.getOrThrow(world.resolveDispute(dispute.id, outcome))
  }
  const inquiry = Result.getOrThrow(world.dispute({ charge: pay().charge.id, isInquiry: true }))
  Result.getOrThrow(world.answerDispute(inquiry.id))
  Result.getOrThrow(world.resolveDispute(inquiry.id, "won"))
  const escalated = Result.getOrThrow(world.dispute({ charge: pay().charge.id, isInquiry: true, reason: "general" }))
  Result.getOrThrow(world.escalateDispute(escalated.id))
}

const authorisations = (world: World, pay: Pay): void => {
  const authorise = () => pay({ capture: "manual" }).paymentIntent.id
  Result.getOrThrow(world.capture(authorise()))
  Result.getOrThrow(world.capture(authorise(), { amountMinor: 4000 }))
  const reversed = Result.getOrThrow(world.capture(authorise(), { amountMinor: 4000, isReversing: true }))
  Result.getOrThrow(world.refund({ charge: reversed.id, amountMinor: 1000 }))
  Result.getOrThrow(world.cancel(authorise()))
  authorise()
  world.advance(8 * dayMs)
}
