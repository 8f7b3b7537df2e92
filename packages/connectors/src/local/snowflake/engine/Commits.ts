import { objectKey } from "../sql/Names.ts"
import type { ObjectName } from "../Statement.ts"

/**
 * The order of commits, per table (by `objectKey`): what tells whether a DuckDB snapshot that began earlier may still serve a statement that
 * must see everything committed before it began (READ COMMITTED).
 */
export class Commits {
  #last = 0
  /** Commits that may have changed any table: DDL on schemas and databases. */
  #everything = 0
  readonly #tables = new Map<string, number>()
  readonly #views = new Map<string, ReadonlyArray<string>>()
  #gate: Promise<unknown> = Promise.resolve()

  /** The number of the newest commit. */
  get last(): number {
    return this.#last
  }

  /** Runs `work` while nothing else commits or begins a snapshot, so that a snapshot's number is exact. */
  exclusive<A>(work: () => Promise<A>): Promise<A> {
    const turn = this.#gate.then(work, work)
    this.#gate = turn.catch(() => undefined)
    return turn
  }

  /** Records a commit that changed these tables, or any table. Call within `exclusive`. */
  record(changed: Iterable<string> | "everything"): void {
    this.#last++
    if (changed === "everything") this.#everything = this.#last
    else for (const key of changed) this.#tables.set(key, this.#last)
  }

  changedSince(key: string, snapshot: number): boolean {
    return Math.max(this.#everything, this.#tables.get(key) ?? 0) > snapshot
  }

  /** A view was created over these tables and views. */
  define(view: string, reads: ReadonlyArray<ObjectName>): void {
    this.#views.set(view, reads.map(objectKey))
  }

  /** These tables and views with all that the views are over. */
  behind(keys: Iterable<string>): ReadonlySet<string> {
    const found = new Set<string>()
    const visit = (key: string): void => {
      if (found.has(key)) return
      found.add(key)
      this.#views.get(key)?.forEach(visit)
    }
    for (const key of keys) visit(key)
    return found
  }
}
