import { SnowflakeError } from "../Statement.ts"

/** A transaction as the lock table knows it. */
export interface Owner {
  /** Snowflake's transaction id: digits. */
  readonly transaction: string
  readonly session: string
  /** When its last statement ended (milliseconds since 1970); `undefined` while one runs. */
  readonly idleSinceMs: () => number | undefined
  /** Rolls it back and releases its locks. */
  readonly abort: () => Promise<void>
}

/** How long a statement waits, and what ends the waiting early. */
export interface Patience {
  /** LOCK_TIMEOUT. */
  readonly timeoutMs: number
  /** A transaction that blocks another and has been idle for this long is rolled back. */
  readonly idleAbortMs: number
  /** Cancels the wait; its reason is what the statement fails with. */
  readonly signal: AbortSignal
}

interface Waiter {
  readonly owner: Owner
  readonly grant: () => void
}

interface Lock {
  holder: Owner
  readonly sinceMs: number
  readonly waiters: Array<Waiter>
}

/** Documented: a 21st statement that waits for one lock is refused. */
const waitersMax = 20

/**
 * Exclusive locks on tables, held until the end of a transaction, granted in the order of asking. A wait that closes a cycle
 * fails at once, which rolls back the statement and leaves its transaction open, as Snowflake documents for deadlocks.
 */
export class Locks {
  readonly #locks = new Map<string, Lock>()
  /** Waits that had to be made, in all. */
  waits = 0

  /** Whether `owner` would have to wait. */
  blocked(key: string, owner: Owner): boolean {
    const lock = this.#locks.get(key)
    return lock !== undefined && lock.holder !== owner
  }

  /** Fails with 000625 when the wait is too long, has too many before it or would never end. */
  async acquire(key: string, owner: Owner, patience: Patience): Promise<void> {
    const lock = this.#locks.get(key)
    if (lock === undefined) {
      this.#locks.set(key, { holder: owner, sinceMs: Date.now(), waiters: [] })
      return
    }
    if (lock.holder === owner) return
    if (lock.waiters.length >= waitersMax) {
      throw refused(key, lock.holder, `the number of waiters for this lock exceeds the ${waitersMax} statements limit`)
    }
    if (this.#closesCycle(lock, owner)) throw refused(key, lock.holder, "waiting for it would be a deadlock")
    this.waits++
    await this.#wait(key, lock, owner, patience)
  }

  /** The transaction has ended. */
  release(owner: Owner): void {
    for (const [key, lock] of this.#locks) {
      if (lock.holder !== owner) continue
      const next = lock.waiters.shift()
      if (next === undefined) this.#locks.delete(key)
      else {
        this.#locks.set(key, { holder: next.owner, sinceMs: Date.now(), waiters: lock.waiters })
        next.grant()
      }
    }
  }

  /** Everything held and waited for. */
  list(): ReadonlyArray<{ key: string; owner: Owner; status: "HOLDING" | "WAITING"; sinceMs?: number }> {
    return [...this.#locks].flatMap(([key, lock]) => [
      { key, owner: lock.holder, status: "HOLDING" as const, sinceMs: lock.sinceMs },
      ...lock.waiters.map(({ owner }) => ({ key, owner, status: "WAITING" as const }))
    ])
  }

  #wait(key: string, lock: Lock, owner: Owner, { timeoutMs, idleAbortMs, signal }: Patience): Promise<void> {
    const holder = (): Owner => this.#locks.get(key)?.holder ?? lock.holder
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timeout)
        clearInterval(idle)
        signal.removeEventListener("abort", cancelled)
      }
      const giveUp = (error: unknown): void => {
        end()
        const at = lock.waiters.indexOf(waiter)
        if (at >= 0) lock.waiters.splice(at, 1)
        reject(error)
      }
      const cancelled = (): void => giveUp(signal.reason)
      const waiter: Waiter = {
        owner,
        grant: () => {
          end()
          resolve()
        }
      }
      lock.waiters.push(waiter)
      const timeout = setTimeout(
        () => giveUp(refused(key, holder(), "the lock was not released within LOCK_TIMEOUT")),
        // A longer delay than 2³¹ ms would fire at once.
        Math.min(timeoutMs, 2 ** 31 - 1)
      )
      const idle = setInterval(
        () => {
          const sinceMs = holder().idleSinceMs()
          if (sinceMs !== undefined && Date.now() - sinceMs >= idleAbortMs) void holder().abort()
        },
        Math.max(10, Math.min(1000, idleAbortMs / 4))
      )
      signal.addEventListener("abort", cancelled)
      if (signal.aborted) cancelled()
    })
  }

  /** Whether the holder waits, through however many transactions, for a lock of `owner`. A transaction waits for one lock at most. */
  #closesCycle(lock: Lock, owner: Owner): boolean {
    const seen = new Set<Owner>()
    for (let holder: Owner | undefined = lock.holder; holder !== undefined && !seen.has(holder);) {
      if (holder === owner) return true
      seen.add(holder)
      const waiting: Owner = holder
      holder = [...this.#locks.values()].find(({ waiters }) => waiters.some((one) => one.owner === waiting))?.holder
    }
    return false
  }
}

const refused = (key: string, holder: Owner, why: string): SnowflakeError =>
  new SnowflakeError(
    "000625",
    "57014",
    `Transaction ${holder.transaction} has locked table '${key.split("\0")[2]}' and this lock has not yet been released. Your statement was aborted because ${why}.`
  )
