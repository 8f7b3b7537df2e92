import { Clock, Effect, Random, Result } from "effect"
import type { Stripe } from "stripe"
import * as Disputes from "./Disputes.ts"
import { Faults } from "./Faults.ts"
import * as Ledger from "./Ledger.ts"
import * as Objects from "./Objects.ts"
import * as Payments from "./Payments.ts"
import * as Payouts from "./Payouts.ts"
import * as Refunds from "./Refunds.ts"
import { type Answered, missing } from "./Refused.ts"
import { type Settings, retailer } from "./Settings.ts"
import { State } from "./State.ts"

export interface WorldOptions {
  /** The same seed and the same calls give the same objects. Default 1. */
  readonly seed?: number | string
  /**
   * Unix milliseconds at which the world starts; its time then only moves by `advance`. Without it the world's time
   * is that of Effect's `Clock`, plus what `advance` skipped.
   */
  readonly startMs?: number
  readonly settings?: Partial<Settings>
}

/** A payment, and what of it happens at once. */
export interface PayInput extends Payments.PaymentInput {
  /** Default `succeeded`. */
  readonly outcome?: Payments.Outcome | undefined
  /** What the shopper typed beside the card. */
  readonly billing?: Payments.Billing | undefined
}

export interface Paid {
  readonly paymentIntent: Stripe.PaymentIntent
  readonly charge: Stripe.Charge
}

export interface Balance {
  /** Minor units of the currency. */
  readonly available: number
  readonly pending: number
}

/** One Stripe account and everything that happens to it. Verbs answer the changed object, or the error that the API would give. */
export class World {
  readonly faults: Faults
  readonly state: State
  readonly #clock: (() => number) | undefined
  #skippedMs = 0

  constructor(state: State, clock: (() => number) | undefined) {
    this.state = state
    this.faults = state.faults
    this.#clock = clock
    Payouts.scheduleDaily(state)
  }

  /** Unix milliseconds. */
  get nowMs(): number {
    this.tick()
    return this.state.nowMs
  }

  /** Moves the time forward; payouts, expiries and late settlements on the way happen at their own time. */
  advance(ms: number): void {
    this.#skippedMs += ms
    this.tick()
    if (this.#clock === undefined) this.state.advanceTo(this.state.nowMs + ms)
  }

  /** Lets the world's time follow its clock, where it has one; every verb and every request does. */
  tick(): void {
    if (this.#clock !== undefined) this.state.advanceTo(this.#clock() + this.#skippedMs)
  }

  /** Creates and confirms an intent: paid, only authorised (`capture: "manual"`), or declined. */
  pay(input: PayInput): Answered<Paid> {
    this.tick()
    return Result.flatMap(Payments.create(this.state, input), (created) => {
      const charge = Payments.confirm(this.state, created.id, input.outcome ?? "succeeded", input.billing)
      const paymentIntent = this.state.get("payment_intent", created.id) ?? created
      return Result.map(charge, (charge) => ({ charge, paymentIntent }))
    })
  }

  /** Another attempt to pay an intent whose last one was declined: a second charge. */
  retry(paymentIntent: string, outcome: Payments.Outcome = "succeeded"): Answered<Stripe.Charge> {
    this.tick()
    return Payments.confirm(this.state, paymentIntent, outcome)
  }

  /** See `Payments.capture`. */
  capture(paymentIntent: string, options?: Parameters<typeof Payments.capture>[2]): Answered<Stripe.Charge> {
    this.tick()
    return Payments.capture(this.state, paymentIntent, options)
  }

  cancel(
    paymentIntent: string,
    reason: Stripe.PaymentIntent.CancellationReason = "requested_by_customer"
  ): Answered<Stripe.PaymentIntent> {
    this.tick()
    return Payments.cancel(this.state, paymentIntent, reason)
  }

  /** Full or partial, succeeded or pending. */
  refund(input: Refunds.RefundInput): Answered<Stripe.Refund> {
    this.tick()
    return Refunds.create(this.state, input)
  }

  /** Ends a pending refund, or fails one that had succeeded. */
  settleRefund(refund: string, outcome: "succeeded" | "failed"): Answered<Stripe.Refund> {
    this.tick()
    return Refunds.settle(this.state, refund, outcome)
  }

  dispute(input: Disputes.DisputeInput): Answered<Stripe.Dispute> {
    this.tick()
    return Disputes.open(this.state, input)
  }

  /** Makes an inquiry a chargeback. */
  escalateDispute(dispute: string): Answered<Stripe.Dispute> {
    this.tick()
    return Disputes.escalate(this.state, dispute)
  }

  /** Submits evidence: under review. */
  answerDispute(dispute: string): Answered<Stripe.Dispute> {
    this.tick()
    return Disputes.answer(this.state, dispute)
  }

  resolveDispute(dispute: string, outcome: "won" | "lost"): Answered<Stripe.Dispute> {
    this.tick()
    return Disputes.resolve(this.state, dispute, outcome)
  }

  /** An instant payout of `amountMinor`, outside the daily ones. */
  payOut(amountMinor: number, currency: string): Answered<Stripe.Payout> {
    this.tick()
    return Payouts.instant(this.state, amountMinor, currency)
  }

  failPayout(payout: string): Answered<Stripe.Payout> {
    this.tick()
    return Payouts.fail(this.state, payout)
  }

  addCustomer(input: { readonly email?: string; readonly name?: string; readonly metadata?: Record<string, string> }) {
    this.tick()
    const born = { id: this.state.id("cus"), created: this.state.now, description: null }
    const shown = { email: input.email ?? null, name: input.name ?? null, metadata: { ...input.metadata } }
    const customer = this.state.add("customer", Objects.customer({ ...born, ...shown }))
    this.state.emit("customer.created", customer)
    return customer
  }

  /** Forgets a customer: out of lists, and only its id and `deleted` when retrieved. */
  deleteCustomer(id: string): Answered<{ readonly id: string }> {
    this.tick()
    const customer = this.state.get("customer", id)
    if (customer === undefined || this.state.collections.customer.isRemoved(id)) {
      return missing("customer", id, "id", 404)
    }
    this.state.remove("customer", id)
    this.state.emit("customer.deleted", customer)
    return Result.succeed({ id })
  }

  /** Every object of a type as the API shows it now, oldest first, whatever the faults hide: the truth for an oracle. */
  objects<K extends Objects.Kind>(kind: K): ReadonlyArray<Objects.Shapes[K]> {
    this.tick()
    const { collections } = this.state
    return collections[kind].all.flatMap((object) =>
      collections[kind].isRemoved(object.id) ? [] : [Ledger.shown(this.state, kind, object)]
    )
  }

  /** The balance per settlement currency: what no payout has taken away. */
  balance(): ReadonlyMap<string, Balance> {
    this.tick()
    const balances = new Map<string, { available: number; pending: number }>()
    for (const [currency, ids] of this.state.unsettled) {
      const balance = { available: 0, pending: 0 }
      for (const id of ids) {
        const transaction = this.state.get("balance_transaction", id)
        if (transaction === undefined) continue
        // A payout leaves the balance at once, though its own transaction becomes available on arrival.
        const isDone = transaction.available_on <= this.state.now || transaction.type === "payout"
        balance[isDone ? "available" : "pending"] += transaction.net
      }
      balances.set(currency, balance)
    }
    return balances
  }
}

/** An empty account. */
export const make = (options: WorldOptions = {}): Effect.Effect<World> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const seed = options.seed ?? 1
    const now = () => clock.currentTimeMillisUnsafe()
    const state = new State({
      settings: { ...retailer, ...options.settings },
      startMs: options.startMs ?? now(),
      random: yield* seeded(`${seed}`),
      eventIds: yield* seeded(`${seed} events`),
      faults: new Faults(yield* seeded(`${seed} faults`))
    })
    return new World(state, options.startMs === undefined ? now : undefined)
  })

const seeded = (seed: string): Effect.Effect<() => number> =>
  Random.withSeed(
    Effect.map(Random.Random, (random) => () => random.nextDoubleUnsafe()),
    seed
  )
