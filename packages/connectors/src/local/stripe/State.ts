import { Collection } from "./Collection.ts"
import type { Faults } from "./Faults.ts"
import * as MoneyObjects from "./MoneyObjects.ts"
import { apiVersion, type Kind, type Shapes } from "./Objects.ts"
import type { Settings } from "./Settings.ts"

type Collections = { readonly [K in Kind]: Collection<Shapes[K]> }

interface Task {
  readonly dueMs: number
  readonly run: () => void
}

/** Who caused a change: a request, or nobody. */
export interface Cause {
  readonly id: string | null
  readonly idempotency_key: string | null
}

/**
 * What the account holds, and the few ways to change it: add, change, emit, schedule. Its time only moves forward, and
 * what is scheduled happens at its own time even when the clock jumps over it.
 */
export class State {
  readonly settings: Settings
  readonly faults: Faults
  readonly collections: Collections = collections()
  /** Balance transactions per settlement currency that no automatic payout has taken yet, oldest first. */
  readonly unsettled = new Map<string, Array<string>>()
  /** Per charge what an old API version released of its authorisation as if it were a refund. */
  readonly reversed = new Map<string, number>()
  /** Set while a request is executed. */
  cause: Cause | null = null
  readonly #random: () => number
  readonly #eventIds: () => number
  readonly #tasks: Array<Task> = []
  #nowMs: number

  /** Events draw their ids from a stream of their own: lost or doubled ones leave the ids of objects alone. */
  constructor(setup: {
    readonly settings: Settings
    readonly startMs: number
    readonly random: () => number
    readonly eventIds: () => number
    readonly faults: Faults
  }) {
    this.settings = setup.settings
    this.#nowMs = setup.startMs
    this.#random = setup.random
    this.#eventIds = setup.eventIds
    this.faults = setup.faults
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Unix seconds. */
  get now(): number {
    return Math.floor(this.#nowMs / 1000)
  }

  /** Between 0 and 1, from the seed. */
  get random(): number {
    return this.#random()
  }

  /** A new id such as `ch_3…`, from the seed. */
  id(prefix: string): string {
    const random = prefix === "evt" ? this.#eventIds : this.#random
    let id = `${prefix}_`
    for (let index = 0; index < 24; index += 1) id += alphabet[Math.floor(random() * alphabet.length)]
    return id
  }

  get<K extends Kind>(kind: K, id: string): Shapes[K] | undefined {
    return this.collections[kind].get(id)
  }

  add<K extends Kind>(kind: K, object: Shapes[K]): Shapes[K] {
    const delay = kind === "event" ? this.faults.eventLagMs : this.faults.listLagMs
    this.collections[kind].add(object, this.#nowMs + this.faults.draw(delay))
    return object
  }

  /** Replaces an object by a copy with other values, and emits each of the events with it. */
  change<K extends Kind>(kind: K, id: string, patch: Partial<Shapes[K]>, events: ReadonlyArray<string>): Shapes[K] {
    const before = this.collections[kind].get(id)
    // Ids here come from objects that this state holds and never drops.
    const after = { ...before, ...patch } as Shapes[K]
    this.replace(kind, after)
    for (const type of events) this.emit(type, after, tellsPrevious(type) ? previousOf(before, patch) : undefined)
    return after
  }

  /** Replaces an object without an event. */
  replace<K extends Kind>(kind: K, object: Shapes[K]): void {
    this.collections[kind].replace(object, this.#nowMs, this.faults.draw(this.faults.listLagMs))
  }

  /** Deletes an object. */
  remove(kind: Kind, id: string): void {
    this.collections[kind].remove(id, this.#nowMs, this.faults.draw(this.faults.listLagMs))
  }

  emit(type: string, object: object, previous?: object): void {
    if (this.faults.happens(this.faults.eventsMissing)) return
    const count = this.faults.happens(this.faults.eventsDuplicated) ? 2 : 1
    const request = this.cause
    for (let copy = 0; copy < count; copy += 1) {
      const delayMs = this.faults.draw(this.faults.eventDelayMs)
      const enter = () => {
        const born = { id: this.id("evt"), created: this.now, apiVersion }
        this.add("event", MoneyObjects.event({ ...born, type, object, previous, request }))
      }
      if (delayMs === 0) enter()
      else this.schedule(this.#nowMs + delayMs, enter)
    }
  }

  schedule(dueMs: number, run: () => void): void {
    let [low, high] = [0, this.#tasks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#tasks[middle]?.dueMs ?? 0) <= dueMs) low = middle + 1
      else high = middle
    }
    this.#tasks.splice(low, 0, { dueMs, run })
  }

  /** Moves the time to `ms`, doing on the way what is due; a time that has passed changes nothing. */
  advanceTo(ms: number): void {
    for (let task = this.#tasks[0]; task !== undefined && task.dueMs <= ms; task = this.#tasks[0]) {
      this.#tasks.shift()
      this.#nowMs = Math.max(this.#nowMs, task.dueMs)
      task.run()
    }
    this.#nowMs = Math.max(this.#nowMs, ms)
  }
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/** Other events do not say what was before. */
const tellsPrevious = (type: string): boolean => type.endsWith(".updated") || type === "charge.refunded"

const previousOf = (before: object | undefined, patch: object): object =>
  Object.fromEntries(Object.entries(before ?? {}).filter(([name]) => name in patch))

/** Of an expandable field its id. */
export const idOf = (value: string | { readonly id: string } | null | undefined): string | null =>
  typeof value === "string" ? value : (value?.id ?? null)

const collections = (): Collections => ({
  charge: new Collection({ customer: (it) => idOf(it.customer), payment_intent: (it) => idOf(it.payment_intent) }),
  payment_intent: new Collection({ customer: (it) => idOf(it.customer) }),
  refund: new Collection({ charge: (it) => idOf(it.charge), payment_intent: (it) => idOf(it.payment_intent) }),
  dispute: new Collection({ charge: (it) => idOf(it.charge), payment_intent: (it) => idOf(it.payment_intent) }),
  payout: new Collection({}, { status: (it) => it.status }),
  balance_transaction: new Collection({
    source: (it) => idOf(it.source),
    currency: (it) => it.currency,
    type: (it) => it.type
  }),
  customer: new Collection({}, { email: (it) => it.email }),
  event: new Collection({ type: (it) => it.type })
})
