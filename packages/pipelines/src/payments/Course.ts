import type { World } from "@northstar/connectors/local/stripe/World"
import { type Random, Result } from "effect"
import type { Life } from "../shop/Life.ts"

/** Something that happens in the shop's Stripe account. */
export interface Act {
  /** On the shop's own clock, Unix milliseconds. */
  readonly atMs: number
  readonly kind: "paid" | "captured" | "refunded" | "refund settled" | "disputed" | "dispute decided" | "payout failed"
  /** Of the sale that the money is for, if it is for one. */
  readonly orderNumber?: string
  /** Does it. To be called once, after the order's acts before. */
  readonly happen: (world: World) => void
}

/** The payment of one sale: what happens to it by itself, and how more of it can be given back. */
export interface Course {
  readonly acts: ReadonlyArray<Act>
  /** Gives back an amount in the order's own minor units, or what is left. */
  readonly refund: (world: World, orderMinor: bigint, pending?: "processing") => string | undefined
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** How a country's shoppers pay: their currency, and what its minor unit costs, in hundredths of the order's. */
const abroad: Readonly<Record<string, { readonly currency: string; readonly per100: bigint }>> = {
  ...Object.fromEntries(
    "France Germany EIRE Netherlands Spain Portugal Italy Belgium"
      .split(" ")
      .map((country) => [country, { currency: "eur", per100: 117n }])
  ),
  Japan: { currency: "jpy", per100: 130n },
  Poland: { currency: "pln", per100: 470n }
}

/** What a payment has come to. */
interface Payment {
  intent: string
  charge: string
  /** Minor units of its own currency that can still be given back. */
  left: bigint
}

/**
 * Draws how a sale is paid: at its step `paid`, or never if it has none or costs nothing. Half the shoppers in the euro
 * zone, and all in Japan and Poland, pay in their own currency; some cards are declined at first; some payments are captured when the goods leave, a few of them
 * short. Of the paid ones some are given back in parts, days later, and some are contested. Metadata `order_id` is the order's number.
 */
export const draw = ({ rows: { order }, steps }: Life, random: Random.Random): Course | undefined => {
  const paidAtMs = steps.find(({ status }) => status === "paid")?.atMs
  const known = abroad[order.country]
  const currency = random.nextDoubleUnsafe() < 0.5 || known?.currency !== "eur" ? known : undefined
  const amount = inCurrency(order.total_minor, currency?.per100)
  if (paidAtMs === undefined || amount <= 0n) return undefined
  const orderNumber = order.order_number
  const payment: Payment = { intent: "", charge: "", left: 0n }
  const chosen = random.nextDoubleUnsafe()
  const isManual = chosen >= 0.92
  const paid = { orderId: orderNumber, amountMinor: Number(amount), currency: currency?.currency ?? order.currency }
  const shippedAtMs = steps.find(({ status }) => status === "shipped")?.atMs ?? paidAtMs
  const pay: Act = {
    atMs: paidAtMs,
    kind: "paid",
    orderNumber,
    happen: (world) => {
      const outcome = chosen < 0.05 ? "declined" : "succeeded"
      const done = Result.getOrThrow(world.pay({ ...paid, outcome, capture: isManual ? "manual" : "automatic" }))
      payment.intent = done.paymentIntent.id
      payment.charge = outcome === "declined" ? Result.getOrThrow(world.retry(payment.intent)).id : done.charge.id
      if (!isManual) payment.left = amount
    }
  }
  const short = chosen >= 0.97 ? amount - amount / 10n : amount
  const capture: Act = {
    atMs: shippedAtMs,
    kind: "captured",
    orderNumber,
    happen: (world) => {
      Result.getOrThrow(world.capture(payment.intent, { amountMinor: Number(short) }))
      payment.left = short
    }
  }
  const refund: Course["refund"] = (world, orderMinor, pending) =>
    giveBack(world, payment, inCurrency(orderMinor, currency?.per100), pending)
  const capturedAtMs = isManual ? shippedAtMs : paidAtMs
  const fate = random.nextDoubleUnsafe()
  const late =
    fate < 0.09
      ? refunds({ orderNumber, orderMinor: order.total_minor, capturedAtMs, refund }, random)
      : fate < 0.13
        ? dispute({ orderNumber, capturedAtMs, payment }, random)
        : []
  return { acts: [pay, ...(isManual ? [capture] : []), ...late], refund }
}

/** One to three parts of an order, each given back on a day of its own; some wait for the bank, which refuses a few. */
const refunds = (
  of: {
    readonly orderNumber: string
    readonly orderMinor: bigint
    readonly capturedAtMs: number
    readonly refund: Course["refund"]
  },
  random: Random.Random
): ReadonlyArray<Act> => {
  const { orderMinor, orderNumber } = of
  const count = 1 + Math.floor(3 * random.nextDoubleUnsafe() ** 2)
  const part = orderMinor / 6n > 0n ? orderMinor / 6n : orderMinor
  return Array.from({ length: count }, (_, index): ReadonlyArray<Act> => {
    const atMs = of.capturedAtMs + Math.floor((index + random.nextDoubleUnsafe()) * dayMs)
    const fate = random.nextDoubleUnsafe()
    let id: string | undefined
    const given: Act = {
      atMs,
      kind: "refunded",
      orderNumber,
      happen: (world) => {
        id = of.refund(world, part, fate < 0.4 ? "processing" : undefined)
      }
    }
    const settled: Act = {
      atMs: atMs + 6 * hourMs,
      kind: "refund settled",
      orderNumber,
      happen: (world) => {
        if (id !== undefined) Result.getOrThrow(world.settleRefund(id, fate < 0.15 ? "failed" : "succeeded"))
      }
    }
    return fate < 0.3 ? [given, settled] : [given]
  }).flat()
}

/** Contested a day later; the bank decides the day after that, unless it takes longer than we look. */
const dispute = (
  { orderNumber, capturedAtMs, payment }: { orderNumber: string; capturedAtMs: number; payment: Payment },
  random: Random.Random
): ReadonlyArray<Act> => {
  const atMs = capturedAtMs + Math.floor((0.5 + random.nextDoubleUnsafe()) * dayMs)
  const fate = random.nextDoubleUnsafe()
  let id = ""
  const opened: Act = {
    atMs,
    kind: "disputed",
    orderNumber,
    happen: (world) => {
      id = Result.getOrThrow(world.dispute({ charge: payment.charge, isInquiry: fate > 0.9 })).id
    }
  }
  const decided: Act = {
    atMs: atMs + dayMs,
    kind: "dispute decided",
    orderNumber,
    happen: (world) => {
      Result.getOrThrow(world.resolveDispute(id, fate < 0.4 ? "won" : "lost"))
    }
  }
  return fate < 0.75 ? [opened, decided] : [opened]
}

/** The refund's id; none where nothing is left, or the bank holds the money in a dispute. */
const giveBack = (world: World, payment: Payment, amount: bigint, pending?: "processing"): string | undefined => {
  const given = amount < payment.left ? amount : payment.left
  if (given <= 0n) return undefined
  const done = world.refund({ charge: payment.charge, amountMinor: Number(given), pending })
  if (Result.isFailure(done)) return undefined
  payment.left -= given
  return done.success.id
}

const inCurrency = (minor: bigint, per100: bigint | undefined): bigint =>
  per100 === undefined ? minor : (minor * per100) / 100n
