import { Result } from "effect"
import type { Stripe } from "stripe"
import * as Ledger from "./Ledger.ts"
import * as MoneyObjects from "./MoneyObjects.ts"
import { type Answered, missing, refused } from "./Refused.ts"
import { idOf, type State } from "./State.ts"

const dayMs = Ledger.secondsPerDay * 1000
const hourMs = 3_600_000

/** Pays out at the start of every day (UTC), from the next one on. */
export const scheduleDaily = (state: State): void => {
  const nextDayMs = (Math.floor(state.nowMs / dayMs) + 1) * dayMs
  state.schedule(nextDayMs, () => {
    for (const currency of state.unsettled.keys()) payOut(state, currency)
    scheduleDaily(state)
  })
}

/**
 * Sends the available balance of one currency to the bank. What is not more than nothing stays for a later day, as do
 * transactions that are not available yet. The transactions are linked to the payout (`?payout=`) only when it is
 * reconciled, at noon of the next day.
 */
const payOut = (state: State, currency: string): void => {
  const waiting = state.unsettled.get(currency) ?? []
  const transactions = waiting.flatMap((id) => state.get("balance_transaction", id) ?? [])
  const available = transactions.filter((transaction) => transaction.available_on <= state.now)
  const amount = available.reduce((sum, transaction) => sum + transaction.net, 0)
  if (amount <= 0) return
  state.unsettled.set(
    currency,
    transactions.flatMap((transaction) => (transaction.available_on <= state.now ? [] : [transaction.id]))
  )
  const payout = send(state, { amount, currency, automatic: true })
  // Its own transaction was written into what waits; it belongs to this payout.
  const own = state.unsettled.get(currency)?.pop() ?? ""
  const ids = [...available.map(({ id }) => id), own]
  state.schedule(state.nowMs + dayMs + state.settings.reconciledAtHour * hourMs, () => {
    for (const id of ids) state.collections.balance_transaction.link("payout", payout.id, id)
    const patch = { reconciliation_status: "completed" } as const
    state.change("payout", payout.id, patch, ["payout.updated", "payout.reconciliation_completed"])
  })
}

interface Order {
  readonly amount: number
  readonly currency: string
  readonly automatic: boolean
}

const send = (state: State, { amount, currency, automatic }: Order): Stripe.Payout => {
  const arrival_date = state.now + Ledger.secondsPerDay
  const method = automatic ? "standard" : "instant"
  const born = { id: state.id("po"), created: state.now }
  const payout = state.add(
    "payout",
    MoneyObjects.payout({ ...born, amount, currency, arrival_date, automatic, method })
  )
  const entry = { ...entryOf(payout), type: "payout", category: "payout", amount: -amount } as const
  const balance_transaction = Ledger.post(state, { ...entry, availableOn: automatic ? arrival_date : state.now }).id
  const sent = state.change("payout", payout.id, { balance_transaction }, ["payout.created"])
  const proceed = (atMs: number, status: string, event: string) =>
    state.schedule(atMs, () => {
      if (state.get("payout", payout.id)?.status !== "failed") state.change("payout", payout.id, { status }, [event])
    })
  proceed(state.nowMs + 2 * hourMs, "in_transit", "payout.updated")
  proceed(arrival_date * 1000, "paid", "payout.paid")
  return sent
}

/** An instant payout of a part of the balance; the API cannot say which transactions it paid. */
export const instant = (state: State, amount: number, currency: string): Answered<Stripe.Payout> => {
  const available = (state.unsettled.get(currency) ?? [])
    .flatMap((id) => state.get("balance_transaction", id) ?? [])
    .reduce((sum, transaction) => sum + (transaction.available_on <= state.now ? transaction.net : 0), 0)
  if (!Number.isSafeInteger(amount) || amount <= 0 || amount > available) {
    return refused("balance_insufficient", "You have insufficient funds in your Stripe account.", "amount")
  }
  return Result.succeed(send(state, { amount, currency, automatic: false }))
}

/** The bank sends a payout back, also after it was paid: the money returns to the balance and goes with a later payout. */
export const fail = (state: State, id: string): Answered<Stripe.Payout> => {
  const payout = state.get("payout", id)
  if (payout === undefined) return missing("payout", id, "id", 404)
  if (payout.status === "failed") return refused("status_transition_invalid", "The payout has failed already")
  const entry = {
    ...entryOf(payout),
    type: "payout_failure",
    category: "payout_reversal",
    amount: payout.amount
  } as const
  const patch = {
    status: "failed",
    failure_balance_transaction: Ledger.post(state, entry).id,
    failure_code: "account_closed",
    failure_message: "The bank account has been closed"
  }
  return Result.succeed(state.change("payout", id, patch, ["payout.failed"]))
}

const entryOf = (payout: Stripe.Payout) => ({
  currency: payout.currency,
  source: payout.id,
  description: idOf(payout.destination)
})
