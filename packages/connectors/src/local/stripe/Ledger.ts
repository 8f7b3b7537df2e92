import type { Stripe } from "stripe"
import * as MoneyObjects from "./MoneyObjects.ts"
import type { Kind, Shapes } from "./Objects.ts"
import { decimals, type Settings } from "./Settings.ts"
import type { State } from "./State.ts"

/** A movement of the account's balance, in the currency of its cause. */
export interface Entry {
  readonly type: Stripe.BalanceTransaction.Type
  readonly category: string
  /** Minor units; negative takes from the balance. */
  readonly amount: number
  readonly currency: string
  /** Id of the object that caused it. */
  readonly source: string
  readonly description?: string | null
  /** Which fee is taken from it, if any. */
  readonly fee?: "payment" | "dispute"
  /** Unix seconds; default at once. */
  readonly availableOn?: number
}

/** Writes a balance transaction in the currency of settlement, where no automatic payout has it yet. */
export const post = (state: State, entry: Entry): Stripe.BalanceTransaction => {
  const settled = settle(state.settings, entry.amount, entry.currency)
  const transaction = state.add(
    "balance_transaction",
    MoneyObjects.balanceTransaction({
      id: state.id("txn"),
      created: state.now,
      amount: settled.amount,
      currency: settled.currency,
      exchange_rate: settled.rate,
      fee: feeOf(state.settings, entry.fee, settled),
      available_on: entry.availableOn ?? state.now,
      description: entry.description ?? null,
      reporting_category: entry.category,
      source: entry.source,
      type: entry.type
    })
  )
  const waiting = state.unsettled.get(settled.currency)
  if (waiting === undefined) state.unsettled.set(settled.currency, [transaction.id])
  else waiting.push(transaction.id)
  return transaction
}

/** An object as the API shows it at this moment: whether money is available follows from the time alone. */
export const shown = <K extends Kind>(state: State, kind: K, object: Shapes[K]): Shapes[K] => {
  if (kind === "balance_transaction") {
    // The kind names the shape, which TypeScript does not narrow by.
    return current(state, object as Stripe.BalanceTransaction) as Shapes[K]
  }
  if (kind === "dispute") {
    const dispute = object as Stripe.Dispute
    const balance_transactions = dispute.balance_transactions.map((it) => current(state, it))
    return { ...dispute, balance_transactions } as Shapes[K]
  }
  return object
}

const current = (state: State, transaction: Stripe.BalanceTransaction): Stripe.BalanceTransaction =>
  transaction.available_on <= state.now ? { ...transaction, status: "available" } : transaction

/** When the money of a payment of this moment is available, in Unix seconds. */
export const availableOn = (state: State): number =>
  (Math.floor(state.now / secondsPerDay) + state.settings.availableAfterDays) * secondsPerDay

export const secondsPerDay = 86_400

interface Settled {
  readonly amount: number
  readonly currency: string
  readonly rate: number | null
}

/** Rates are between major units, rounded to the six places that the API shows, so that the shown rate gives the amount. */
const settle = (settings: Settings, amount: number, currency: string): Settled => {
  if (settings.settlesIn.includes(currency)) return { amount, currency, rate: null }
  const target = settings.defaultCurrency
  const rate = Number(((settings.rates[currency] ?? 1) / (settings.rates[target] ?? 1)).toFixed(6))
  const shift = 10 ** (decimals(target) - decimals(currency))
  return { amount: Math.round(amount * rate * shift), currency: target, rate }
}

const feeOf = (settings: Settings, fee: Entry["fee"], { amount, currency }: Settled): number => {
  if (fee === undefined) return 0
  if (fee === "dispute") return settings.disputeFee[currency] ?? 0
  // The last of three decimals is always 0.
  const step = decimals(currency) === 3 ? 10 : 1
  const share = Math.round((amount * settings.feeBasisPoints) / 10_000 / step) * step
  return share + (settings.feeFixed[currency] ?? 0)
}
