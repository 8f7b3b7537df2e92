import { Effect } from "effect"
import type { Snapshot } from "./Chunk.ts"
import type { Connection } from "./Connection.ts"

/**
 * Which streamed commits a chunk of a snapshot has not seen (law S7). A commit reaches WAL, and us, before it is
 * visible: one that waits for a synchronous standby may have been streamed long before a chunk that does not see it.
 */
export class Visibility {
  /** Commits streamed since this began that no chunk has shown to be visible yet: 32-bit xid to LSN, in commit order. */
  private readonly commits = new Map<number, bigint>()
  /** Transactions whose commits may have been streamed before this began. */
  private readonly doubtful = new Set<bigint>()

  /** Transactions in progress now, some of which may have been streamed before this began. */
  doubt(inProgress: Iterable<bigint>): void {
    for (const full of inProgress) if (!this.commits.has(Number(full & 0xffff_ffffn))) this.doubtful.add(full)
  }

  /** How many doubtful transactions are still in progress; those that are not are visible to every chunk that is read from now on. */
  remaining(inProgress: ReadonlySet<bigint>): number {
    for (const full of this.doubtful) if (!inProgress.has(full)) this.doubtful.delete(full)
    return this.doubtful.size
  }

  /** A transaction was streamed whose commit record starts at `commitLsn`. */
  committed(xid: number, commitLsn: bigint): void {
    this.commits.set(xid, commitLsn)
    if (this.doubtful.size === 0) return
    for (const full of this.doubtful) if (Number(full & 0xffff_ffffn) === xid) this.doubtful.delete(full)
  }

  /**
   * The version position of a chunk's rows, once the stream has come to `highLsn`, a point after the chunk was read:
   * just below the first commit that the chunk does not see, which thereby wins. Zero, below every commit, while the
   * chunk does not see a transaction of which we cannot know whether an earlier session streamed it.
   */
  place(snapshot: Snapshot, highLsn: bigint): bigint {
    for (const full of this.doubtful) if (sees(snapshot, full)) this.doubtful.delete(full)
    if (this.doubtful.size > 0) return 0n
    for (const [xid, commitLsn] of this.commits) {
      const full = widen(xid, snapshot.xmax)
      if (!sees(snapshot, full)) return commitLsn - 1n
      if (full < snapshot.xmin) this.commits.delete(xid)
    }
    return highLsn - 1n
  }
}

/**
 * The transactions in progress now. `pg_current_snapshot` lists those below the newest finished one; the others show by
 * the lock that each holds on its own id until it is visible.
 */
export const inProgress = Effect.fnUntraced(function* (connection: Connection) {
  const [row] = yield* connection.query(
    `select pg_snapshot_xmax(s), (select string_agg(x::text, ',') from pg_snapshot_xip(s) x),
       (select string_agg(transactionid::text, ',') from pg_locks where locktype = 'transactionid' and granted)
     from pg_current_snapshot() s`
  )
  const xmax = BigInt(row?.[0] ?? "0")
  const below = (row?.[1] ?? "").split(",").filter(Boolean).map(BigInt)
  const locked = (row?.[2] ?? "").split(",").filter(Boolean)
  return new Set([...below, ...locked.map((xid) => widen(Number(xid), xmax))])
})

const sees = (snapshot: Snapshot, xid: bigint): boolean => xid < snapshot.xmax && !snapshot.xip.has(xid)

/** The 64-bit transaction id with these low 32 bits that is nearest to `near`. */
const widen = (xid: number, near: bigint): bigint => near - BigInt((Number(near & 0xffff_ffffn) - xid) | 0)
