import { Cause, Clock, Duration, Effect, Queue, type Scope } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Connection, Raw } from "./Connection.ts"
import { fromDriver, unavailable } from "./Failure.ts"
import { type BatchLimits, Feed, type Item, type Options as FeedOptions } from "./Feed.ts"
import { formatLsn } from "./Position.ts"
import { id, literal } from "./Sql.ts"
import * as Wire from "./Wire.ts"

/** A slot's stream as it flows. */
export interface Replication {
  /** The next item, waiting for it; done once `through` has been passed. */
  readonly take: Effect.Effect<Item, ConnectorError | Cause.Done>
  /** Tells the server that everything before `lsn` is durable with us: now, and with every status from now on. */
  readonly release: (lsn: bigint) => Effect.Effect<void>
  readonly feed: Feed
  /** Ends the stream with an error. */
  readonly fail: (error: ConnectorError) => Effect.Effect<void>
}

/** What to stream. */
export interface Options {
  readonly slot: string
  readonly publication: string
  readonly limits: BatchLimits
  readonly feed: Omit<FeedOptions, "emit" | "onPassed" | "limits">
  /** Looks up the server's name of a type. */
  readonly lookUp: (oid: number, typmod: number) => Effect.Effect<void, ConnectorError>
}

/** Items ready ahead of the consumer; the socket is paused when there are as many. */
const readyMax = 2
const statusEveryMs = 1000
/** While a bounded read waits, how often the server is asked how far it has come. */
const askEveryMs = 100
/** The server answers each status within moments; a silence this long is a dead connection. */
const silenceMaxMs = 60_000
/** How long a closing stream waits for the server to let go of the slot. */
const closeMax = Duration.seconds(2)

/**
 * Starts streaming from `feed.after` on an idle walsender session, until the scope closes. What is reported as flushed
 * starts there and moves by `release` only (law S5), on a timer that does not depend on whether the consumer keeps up.
 * A slot in use is `Busy`.
 */
export const start = Effect.fn("Replication.start")(function* (
  walsender: Connection,
  options: Options
): Effect.fn.Return<Replication, ConnectorError, Scope.Scope> {
  const ready = yield* Queue.unbounded<Item, ConnectorError | Cause.Done>()
  const wanted = yield* Queue.unbounded<TypeNames>()
  const flow = new Flow(walsender, options, ready, wanted)
  yield* Effect.addFinalizer(() => close(flow.socket))
  yield* Queue.take(wanted).pipe(
    Effect.flatMap((types) => Effect.forEach(types, ([oid, typmod]) => options.lookUp(oid, typmod), { discard: true })),
    Effect.andThen(Effect.sync(() => flow.proceed())),
    Effect.forever,
    Effect.catch((error) => Effect.sync(() => flow.fail(error))),
    Effect.forkScoped
  )
  yield* Clock.Clock.pipe(
    // What is waited for is measured by a clock that nobody sets: the server's silence, and how long rows linger.
    Effect.tap((clock) =>
      Effect.sync(() =>
        flow.tick(Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n), clock.currentTimeMillisUnsafe())
      )
    ),
    Effect.andThen(Effect.sleep(Duration.millis(Math.max(5, Math.min(50, options.limits.lingerMs / 4))))),
    Effect.forever,
    Effect.forkScoped
  )
  return {
    feed: flow.feed,
    take: Effect.tap(Queue.take(ready), () => Effect.sync(() => flow.adjust())),
    release: (lsn) => Effect.map(Clock.currentTimeMillis, (wallMs) => flow.release(lsn, wallMs)),
    fail: (error) => Effect.sync(() => flow.fail(error))
  }
})

/** Types whose names are wanted: OID and modifier. */
type TypeNames = ReadonlyArray<readonly [number, number]>

/** The synchronous part: what the socket's callbacks and the timer do. */
class Flow {
  readonly feed: Feed
  private readonly raw: Raw
  private readonly ready: Queue.Queue<Item, ConnectorError | Cause.Done>
  private readonly wanted: Queue.Queue<TypeNames>
  private readonly isBounded: boolean
  private confirmed: bigint
  private isLookingUp = false
  private hasHeard = true
  private isAsked = false
  private statusAtMs = 0
  private heardAtMs: number | undefined

  constructor(
    walsender: Connection,
    options: Options,
    ready: Queue.Queue<Item, ConnectorError | Cause.Done>,
    wanted: Queue.Queue<TypeNames>
  ) {
    this.ready = ready
    this.wanted = wanted
    this.confirmed = options.feed.after
    this.isBounded = options.feed.through !== undefined
    this.feed = new Feed({
      ...options.feed,
      limits: options.limits,
      emit: (item) => {
        Queue.offerUnsafe(ready, item)
        this.adjust()
      },
      onPassed: () => Queue.endUnsafe(ready)
    })
    this.raw = walsender.raw(
      (type, buffer, start, end) => this.onMessage(type, buffer, start, end),
      (error) => this.fail(error)
    )
    this.socket.write(Wire.query(startSql(options)))
  }

  get socket(): Raw["socket"] {
    return this.raw.socket
  }

  fail(error: ConnectorError): void {
    Queue.failCauseUnsafe(this.ready, Cause.fail(error))
  }

  /** Backpressure: the socket rests while the consumer has enough, or a type's name is awaited. */
  adjust(): void {
    if (this.isLookingUp || Queue.sizeUnsafe(this.ready) >= readyMax) this.socket.pause()
    else if (this.socket.isPaused()) this.socket.resume()
  }

  /** The wanted types have been looked up. */
  proceed(): void {
    this.isLookingUp = false
    this.raw.proceed()
    this.adjust()
  }

  release(lsn: bigint, wallMs: number): void {
    if (lsn <= this.confirmed) return
    this.confirmed = lsn
    this.report(wallMs, false)
  }

  /** `nowMs` is monotonic, `wallMs` what the server is told. */
  tick(nowMs: number, wallMs: number): void {
    this.feed.tick(nowMs, Queue.sizeUnsafe(this.ready) === 0)
    const isPaused = this.socket.isPaused()
    if (this.hasHeard || isPaused) this.heardAtMs = nowMs
    this.hasHeard = false
    if (nowMs - (this.heardAtMs ?? nowMs) > silenceMaxMs) {
      this.fail(unavailable("replicate", "the server has been silent for a minute"))
    }
    const everyMs = this.isBounded && !isPaused ? askEveryMs : statusEveryMs
    if (!this.isAsked && nowMs - this.statusAtMs < everyMs) return
    this.isAsked = false
    this.statusAtMs = nowMs
    this.report(wallMs, true)
  }

  private report(wallMs: number, wantsAnswer: boolean): void {
    if (!this.socket.destroyed) this.socket.write(Wire.copyData(status(this.confirmed, wallMs, wantsAnswer)))
  }

  private onMessage(type: number, buffer: Buffer, start: number, end: number): boolean {
    this.hasHeard = true
    if (type === Wire.copyBytes) return this.onCopyData(buffer, start, end)
    if (type === Wire.errorResponse) this.fail(fromDriver("replicate", Wire.readError(buffer, start, end)))
    if (type === Wire.copyEnd) this.fail(unavailable("replicate", "the server ended the stream"))
    return true
  }

  private onCopyData(buffer: Buffer, start: number, end: number): boolean {
    if (buffer[start] === walData && end - start >= walDataHeader) {
      const types = this.feed.decode(buffer, start + walDataHeader, end)
      if (types.length === 0) return true
      this.isLookingUp = true
      Queue.offerUnsafe(this.wanted, types)
      this.adjust()
      return false
    }
    if (buffer[start] !== keepalive || end - start !== keepaliveBytes) {
      throw new Wire.Malformed("an unknown replication message")
    }
    this.feed.keepalive(buffer.readBigInt64BE(start + 1))
    this.isAsked ||= buffer[end - 1] === 1
    return true
  }
}

const walData = 0x77
/** Kind, start and end LSN, clock. */
const walDataHeader = 25
const keepalive = 0x6b
const keepaliveBytes = 18
const statusUpdate = 0x72

const startSql = (options: Options): string =>
  `START_REPLICATION SLOT ${id(options.slot)} LOGICAL ${formatLsn(options.feed.after)} (proto_version '1', ` +
  `publication_names ${literal(id(options.publication))}, messages 'true')`

/** A standby status update: written, flushed and applied are all what is durable with us. */
const status = (lsn: bigint, wallMs: number, wantsAnswer: boolean): Buffer => {
  const body = Buffer.alloc(34)
  body[0] = statusUpdate
  for (const at of [1, 9, 17]) body.writeBigInt64BE(lsn, at)
  body.writeBigInt64BE(BigInt(wallMs) * 1000n - 946_684_800_000_000n, 25)
  body[33] = wantsAnswer ? 1 : 0
  return body
}

/**
 * Says goodbye and waits until the server has closed the session: destroying the socket with bytes unread could lose the
 * last status, and the slot would be in use for a moment longer.
 */
const close = (socket: Raw["socket"]): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (socket.destroyed) return resume(Effect.void)
    socket.removeAllListeners("data")
    socket.once("close", () => resume(Effect.void))
    socket.resume()
    socket.write(Wire.copyDone)
    socket.end(terminate)
  }).pipe(Effect.timeoutOption(closeMax), Effect.andThen(Effect.sync(() => socket.destroy())))

const terminate = Buffer.from([0x58, 0, 0, 0, 4])
