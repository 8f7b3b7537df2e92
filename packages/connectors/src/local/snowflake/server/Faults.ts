/** What goes wrong with a statement's request. */
export type Fault =
  /** The connection is destroyed: before the statement runs, or after it ran and before the answer. */
  | { readonly kind: "drop"; readonly when: "before" | "after" }
  /** An HTTP status such as 503 instead of running it, or instead of the answer. */
  | { readonly kind: "status"; readonly when: "before" | "after"; readonly status: number }
  /** A proxy that sends the request again: the statement runs twice, unless its `requestId` is recognised first. */
  | { readonly kind: "twice" }
  /** The statement starts so many milliseconds later; a cancel or timeout ends the wait. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /**
   * The session is gone (390111) before the statement runs: closed, its transaction rolled back; or `detached`, its
   * transaction and locks still there.
   */
  | { readonly kind: "gone"; readonly detached: boolean }

/** When a fault strikes: at statements whose text `matches` (default: all), with a probability (default: 1), so many times (default: always). */
export type Rule = Fault & {
  readonly matches?: RegExp
  readonly probability?: number
  readonly times?: number
}

/** The switches of a local Snowflake. Draws come from the seed alone: the same requests in the same order meet the same faults. */
export class Faults {
  readonly #rules = new Set<{ readonly rule: Rule; left: number }>()
  #state: number
  /** How often each kind has struck. */
  readonly struck: Record<Fault["kind"], number> = { drop: 0, status: 0, twice: 0, slow: 0, gone: 0 }

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Switches a rule on; the answer switches it off. */
  add(rule: Rule): () => void {
    const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY }
    this.#rules.add(entry)
    return () => void this.#rules.delete(entry)
  }

  /** Switches all rules off. */
  clear(): void {
    this.#rules.clear()
  }

  /** The faults that strike this request, each at most once. */
  draw(sql: string): ReadonlyArray<Fault> {
    const faults: Array<Fault> = []
    for (const entry of this.#rules) {
      const { rule } = entry
      if (entry.left <= 0 || rule.matches?.test(sql) === false) continue
      if (rule.probability !== undefined && this.#next() >= rule.probability) continue
      entry.left--
      this.struck[rule.kind]++
      faults.push(rule)
    }
    return faults
  }

  /** A number in [0, 1): mulberry32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
