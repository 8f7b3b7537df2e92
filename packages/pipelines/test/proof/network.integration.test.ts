import { expect, layer } from "@effect/vitest"
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as Connection from "@northstar/connectors/postgres/Connection"
import * as Slot from "@northstar/connectors/postgres/Slot"
import * as Source from "@northstar/connectors/postgres/Source"
import { schedule } from "@northstar/connectors/project/Retry"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Context, Effect, Fiber, Layer, Option, Ref, Schedule, Stream } from "effect"
import * as Tables from "../../src/Tables.ts"
import { query } from "../Shop.ts"
import * as Proxy from "./Proxy.ts"
import * as SmallHistory from "./SmallHistory.ts"
import * as Stand from "./Stand.ts"

/** Seconds after which the server gives up a client that says nothing. */
const timeoutSeconds = 3

class Server extends Context.Service<Server, Postgres.Server>()("test/NetworkServer") {
  static readonly layer: Layer.Layer<Server, ConnectorError> = Layer.effect(
    Server,
    Postgres.start({ settings: { wal_sender_timeout: `${timeoutSeconds}s` } })
  )
}

/** A stand with a slot, a way to it, and the source at its end. */
const prepare = Effect.fnUntraced(function* (database: string) {
  const { url } = yield* Server
  const stand = yield* Effect.acquireRelease(Stand.make(url, database), (made) => Effect.ignore(Stand.release(made)))
  yield* Stand.publish(stand)
  const proxy = yield* Proxy.make(stand.url)
  const source = Source.make({
    url: proxy.url,
    slot: `slot_${database}`,
    publication: "northstar",
    tables: Tables.all,
    epoch: 1,
    heartbeatEvery: "200 millis",
    limits: { lingerMs: 20, idleMs: 100 }
  })
  const control = yield* Connection.open({ url: stand.url })
  return { stand, proxy, source, control, slot: `slot_${database}` }
})

/** Reads without end, again after every failure that the schedule passes over; counts the batches. */
const reading = Effect.fnUntraced(function* (source: ReturnType<typeof Source.make>, batches: Ref.Ref<number>) {
  const once = Effect.scoped(
    Effect.gen(function* () {
      const reader = yield* source.open
      yield* Stream.runForEach(reader.read({ after: Option.none(), through: Option.none() }), (batch) =>
        Effect.andThen(
          Stream.runDrain(batch.chunks),
          Ref.update(batches, (n) => n + 1)
        )
      )
    })
  )
  return yield* Effect.forkScoped(Effect.retry(once, schedule(100)))
})

const grows = (batches: Ref.Ref<number>) =>
  Effect.gen(function* () {
    const before = yield* Ref.get(batches)
    yield* Effect.repeat(Ref.get(batches), {
      until: (now) => now > before,
      schedule: Schedule.spaced("20 millis")
    })
  })

layer(Server.layer, { excludeTestServices: true })("a network that fails", (it) => {
  it.effect(
    "a reader whose connection was cut ends what it left at the server, and does not wait for its timeout",
    () =>
      Effect.gen(function* () {
        const { control, proxy, slot, source, stand } = yield* prepare("own")
        // Longer than the test may take: whoever waits for it fails.
        yield* query(stand.url, "alter database own set wal_sender_timeout = '10min'")
        const batches = yield* Ref.make(0)
        const reader = yield* reading(source, batches)
        yield* grows(batches)
        const before = (yield* Slot.read(control, slot, 18)).holder
        yield* proxy.inflict("half-open")
        expect((yield* Slot.read(control, slot, 18)).holder).toBe(before)
        yield* grows(batches)
        yield* Fiber.interrupt(reader)
      }).pipe(Effect.scoped)
  )

  it.effect("a reader waits for another's dead connection as long as the server keeps it", () =>
    Effect.gen(function* () {
      const { control, proxy, slot, source, stand } = yield* prepare("others")
      const batches = yield* Ref.make(0)
      const dead = yield* reading(source, batches)
      yield* grows(batches)
      yield* proxy.inflict("silent")
      yield* Fiber.interrupt(dead)
      expect((yield* Slot.read(control, slot, 18)).holder).not.toBeNull()
      const other = direct(stand, slot)
      const error = yield* Effect.flip(Effect.scoped(firstBatch(other)))
      expect(error.reason._tag).toBe("Busy")
      yield* Effect.retry(Effect.scoped(firstBatch(other)), schedule(100))
    }).pipe(Effect.scoped)
  )

  it.effect(
    "a session whose server is not heard any more fails instead of waiting for ever",
    () =>
      Effect.gen(function* () {
        const { proxy } = yield* prepare("silent")
        const session = yield* Connection.open({ url: proxy.url, statementTimeout: "100 millis" })
        yield* session.query("select 1")
        yield* proxy.inflict("silent")
        const [asked, scanned] = yield* Effect.all(
          [Effect.flip(session.query("select 1")), Effect.flip(session.scan("select 1", () => {}))],
          { concurrency: "unbounded" }
        )
        expect([asked.reason._tag, scanned.reason._tag]).toEqual(["Unavailable", "Unavailable"])
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect("rows pass whole through a slow and a throttled network, and after a refused connection", () =>
    Effect.gen(function* () {
      const { proxy, source, stand } = yield* prepare("slow")
      yield* SmallHistory.before(stand.url)
      const count = Effect.gen(function* () {
        const reader = yield* source.open
        const through = yield* reader.head
        yield* proxy.inflict("slow")
        const sizes = yield* reader.read({ after: Option.none(), through }).pipe(
          Stream.tap(() => proxy.inflict("throttled")),
          Stream.flatMap((batch) => batch.chunks),
          Stream.map((blocks) => blocks.reduce((sum, { rows }) => sum + rows, 0)),
          Stream.runCollect
        )
        return sizes.reduce((sum, rows) => sum + rows, 0)
      })
      yield* proxy.refuse
      const reading = yield* Effect.forkScoped(Effect.retry(Effect.scoped(count), schedule(100)))
      yield* Effect.sleep("500 millis")
      yield* proxy.restore
      expect(yield* Fiber.join(reading)).toBe(60 + 180 + 6 + 5)
    }).pipe(Effect.scoped)
  )
})

/** Another task's source, by a way of its own. */
const direct = ({ url }: Stand.Stand, slot: string) =>
  Source.make({ url, slot, publication: "northstar", tables: Tables.all, epoch: 1, limits: { idleMs: 100 } })

const firstBatch = (source: ReturnType<typeof Source.make>) =>
  Effect.flatMap(source.open, (reader) => Stream.runHead(reader.read({ after: Option.none(), through: Option.none() })))
