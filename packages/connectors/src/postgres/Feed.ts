import type { Block } from "../landing/Block.ts"
import type { PostgresPosition } from "./Position.ts"
import { Decoder, type Options as DecoderOptions } from "./Pgoutput.ts"

type Snapshots = PostgresPosition["snapshots"]

/** What goes to the consumer, in order: batches; after an open one its further chunks and its end. */
export type Item =
  | {
      readonly _tag: "Batch"
      readonly through: bigint
      readonly snapshots: Snapshots
      readonly blocks: ReadonlyArray<Block>
      /** More chunks of this batch follow, up to an `End`. */
      readonly isOpen: boolean
      readonly committedAtMs: number | undefined
      readonly completeThroughMs: number | undefined
    }
  | { readonly _tag: "Chunk"; readonly blocks: ReadonlyArray<Block> }
  | { readonly _tag: "End" }

/** When a batch is closed, at the first commit past any of these. A larger transaction passes in chunks of this size. */
export interface BatchLimits {
  readonly rowsMax: number
  readonly bytesMax: number
  /** Longest wait of a change for more of them, milliseconds. */
  readonly lingerMs: number
  /** At most one batch without rows in this time, milliseconds. */
  readonly idleMs: number
}

/** What a feed needs. */
export interface Options {
  readonly decoder: Pick<DecoderOptions, "tables" | "typeName">
  readonly limits: BatchLimits
  /** Where reading starts: everything before is in the consumer's hands already. */
  readonly after: bigint
  readonly snapshots: Snapshots
  /** Commits that start at or behind this are not read; the last batch ends exactly here. */
  readonly through: bigint | undefined
  /** `through` does not hold before `bind`. */
  readonly isBoundLater: boolean
  readonly emit: (item: Item) => void
  /** The stream has passed `through`; nothing is emitted any more. */
  readonly onPassed: () => void
  /** A transaction has been read whose commit record starts at `commitLsn`. */
  readonly onCommit: (xid: number, commitLsn: bigint) => void
  /** One of our own messages came back; `lsn` is its record's end. Called between transactions. */
  readonly onMessage: (content: string, lsn: bigint, feed: Feed) => void
}

/** Prefix of our own logical messages. */
export const messagePrefix = "northstar"

/**
 * Turns the stream's messages into batches that end at source commits. Pure state: the socket, timers and queue are its
 * caller's, time is handed in.
 */
export class Feed {
  /** Progress of the snapshots with everything added so far. */
  snapshots: Snapshots
  private readonly options: Options
  private readonly decoder: Decoder
  private extra: Array<Block> = []
  private extraBytes = 0
  private bound: bigint | undefined
  /** Everything before is decoded. */
  private progress: bigint
  /** Where the last emitted batch ends. */
  private sealed: bigint
  private transaction: { readonly xid: number; readonly commitLsn: bigint; readonly atMs: number } | undefined
  /** The open transaction's first rows are with the consumer already. */
  private isStreaming = false
  private isPassed = false
  private committedAtMs: number | undefined
  private completeThroughMs: number | undefined
  private pendingSinceMs: number | undefined
  private emittedAtMs: number | undefined
  private mustSeal = false
  /** `bind` came in the middle of a transaction. */
  private mustBind = false

  constructor(options: Options) {
    this.options = options
    this.bound = options.isBoundLater ? undefined : options.through
    this.snapshots = options.snapshots
    this.progress = options.after
    this.sealed = options.after
    this.decoder = new Decoder({
      ...options.decoder,
      events: {
        begin: (xid, commitLsn, committedAtUs) => this.begin(xid, commitLsn, Number(committedAtUs / 1000n)),
        commit: (endLsn) => this.commit(endLsn),
        message: (prefix, content, lsn) => this.message(prefix, content, lsn)
      }
    })
  }

  /** One message of `pgoutput`; answers the types that must be looked up before it comes again. */
  decode(buffer: Buffer, start: number, end: number): ReadonlyArray<readonly [number, number]> {
    if (this.isPassed) return []
    const wanted = this.decoder.decode(buffer, start, end)
    if (this.transaction !== undefined && this.isFull()) this.stream(this.transaction)
    return wanted
  }

  /** The server says that it has sent every commit before `walEnd`. */
  keepalive(walEnd: bigint): void {
    if (this.transaction === undefined) this.advance(walEnd)
  }

  /**
   * Adds rows of a snapshot to the next batch, which is closed soon, and the progress that they make to its end. To be
   * called between transactions, at most once per message.
   */
  add(blocks: ReadonlyArray<Block>, snapshots: Snapshots): void {
    this.extra.push(...blocks)
    for (const block of blocks) this.extraBytes += block.columns.reduce((sum, { bytes }) => sum + bytes.length, 0)
    this.snapshots = snapshots
    this.mustSeal = true
    // What the consumer is too slow for becomes batches, which pause the stream, rather than one without a limit.
    const isFull = this.extraBytes >= this.options.limits.bytesMax
    if (isFull && this.progress > this.sealed) this.seal(this.bounded(this.progress))
  }

  /** From now on `through` holds; a stream that is past it already ends where it is, but never within a transaction. */
  bind(): void {
    const { through } = this.options
    if (through === undefined || this.isPassed) return
    this.mustBind = this.transaction !== undefined
    if (this.mustBind) return
    this.bound = through > this.progress ? through : this.progress
    this.advance(this.progress)
  }

  /** No commit of before this time is still to come; Unix milliseconds. */
  completeThrough(ms: number): void {
    this.completeThroughMs = Math.max(ms, this.completeThroughMs ?? ms)
  }

  /** To be called some times within `lingerMs`. `isStarving`: the consumer waits for a batch. */
  tick(nowMs: number, isStarving: boolean): void {
    if (this.isPassed || this.transaction !== undefined) return
    this.emittedAtMs ??= nowMs
    const isEmpty = this.decoder.rows === 0 && !this.mustSeal
    if (isEmpty) this.pendingSinceMs = undefined
    else this.pendingSinceMs ??= nowMs
    const waited = nowMs - (this.pendingSinceMs ?? nowMs)
    const isDue = isEmpty
      ? nowMs - this.emittedAtMs >= this.options.limits.idleMs
      : waited >= this.options.limits.lingerMs
    if (!isStarving || !isDue || this.progress <= this.sealed) return
    this.seal(this.progress)
    this.emittedAtMs = nowMs
  }

  private begin(xid: number, commitLsn: bigint, atMs: number): void {
    if (this.bound !== undefined && commitLsn >= this.bound) return this.pass(this.bound)
    this.transaction = { xid, commitLsn, atMs }
  }

  private commit(endLsn: bigint): void {
    const transaction = this.transaction
    if (transaction === undefined) return
    this.transaction = undefined
    this.progress = endLsn
    this.options.onCommit(transaction.xid, transaction.commitLsn)
    if (this.isStreaming) {
      this.isStreaming = false
      if (this.decoder.rows > 0) this.options.emit({ _tag: "Chunk", blocks: this.decoder.take() })
      this.options.emit({ _tag: "End" })
    } else if (this.decoder.rows > 0) {
      this.committedAtMs = Math.max(transaction.atMs, this.committedAtMs ?? transaction.atMs)
    }
    if (this.isFull()) this.seal(this.bounded(endLsn))
    this.advance(endLsn)
    if (this.mustBind) this.bind()
  }

  private message(prefix: string, content: string, lsn: bigint): void {
    if (this.transaction !== undefined) return
    this.advance(lsn)
    if (prefix === messagePrefix && !this.isPassed) this.options.onMessage(content, lsn, this)
  }

  private advance(lsn: bigint): void {
    if (this.isPassed) return
    if (lsn > this.progress) this.progress = lsn
    if (this.bound !== undefined && this.progress >= this.bound) this.pass(this.bound)
  }

  private pass(through: bigint): void {
    if (through > this.sealed) this.seal(through)
    this.isPassed = true
    this.options.onPassed()
  }

  private bounded(lsn: bigint): bigint {
    return this.bound !== undefined && this.bound < lsn ? this.bound : lsn
  }

  private isFull(): boolean {
    return this.decoder.rows >= this.options.limits.rowsMax || this.decoder.bytes >= this.options.limits.bytesMax
  }

  /**
   * Hands over what there is of a transaction larger than a batch. The batch's end must be named before the end of the
   * commit record is known: one past the start of the record, which the Begin told, means the same to a resuming reader.
   */
  private stream(transaction: { readonly commitLsn: bigint; readonly atMs: number }): void {
    if (this.isStreaming) return this.options.emit({ _tag: "Chunk", blocks: this.decoder.take() })
    this.isStreaming = true
    this.committedAtMs = Math.max(transaction.atMs, this.committedAtMs ?? transaction.atMs)
    this.seal(transaction.commitLsn + 1n)
  }

  private seal(through: bigint): void {
    const blocks = [...this.decoder.take(), ...this.extra]
    this.options.emit({
      _tag: "Batch",
      through,
      snapshots: this.snapshots,
      blocks,
      isOpen: this.isStreaming,
      committedAtMs: this.committedAtMs,
      completeThroughMs: this.completeThroughMs
    })
    this.sealed = through
    this.extra = []
    this.extraBytes = 0
    this.mustSeal = false
    this.committedAtMs = undefined
    this.pendingSinceMs = undefined
  }
}
