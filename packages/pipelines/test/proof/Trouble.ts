import type { Server } from "@northstar/connectors/local/Postgres"
import { Effect, Random } from "effect"
import * as Traffic from "../../src/shop/Traffic.ts"
import * as Process from "./Process.ts"
import * as Proxy from "./Proxy.ts"
import * as Stand from "./Stand.ts"
import type { Task } from "./Task.ts"

/** What a round works on. */
export interface Ground {
  readonly server: Server
  readonly stand: Stand.Stand
  readonly proxy: Proxy.Proxy
  /** How often what was done, by name. */
  readonly faults: Map<string, number>
}

/** Share of lives in which the network fails, twice. */
const networkFaults = 0.5
/** Share of lives with a disk that fills up, and with a clock that jumps. */
const worlds = 0.3

/** What a life's machine does to it, if anything. */
export const drawWorld = (ground: Ground): Effect.Effect<Task["world"]> =>
  Effect.gen(function* () {
    const [share, kind, size] = [yield* Random.next, yield* Random.next, yield* Random.next]
    if (share >= worlds) return undefined
    const world =
      kind < 0.5
        ? ({ kind: "disk full", nth: 1 + Math.floor(20 * size) } as const)
        : ({ kind: "clock jumps", maxMs: Math.floor(86_400_000 * size) } as const)
    yield* count(ground, world.kind)
    return world
  })

/** Twice in some lives, at any moment of them: while connecting, in the snapshot, between heartbeats, while streaming. */
export const disturb = (ground: Ground) =>
  Effect.gen(function* () {
    const { proxy } = ground
    if ((yield* Random.next) >= networkFaults) return
    for (let times = 0; times < 2; times++) {
      yield* Effect.sleep(500 + (yield* Random.next) * 2500)
      const fault = kinds[Math.floor((yield* Random.next) * kinds.length)] ?? "reset"
      yield* count(ground, fault)
      if (fault !== "refused") {
        yield* proxy.inflict(fault)
        continue
      }
      yield* proxy.refuse
      yield* proxy.inflict("reset")
      yield* Effect.sleep("1 second")
      yield* proxy.restore
    }
  })

const kinds = [...Proxy.faults, "refused"] as const

/** The slot is made anew with changes lost in between: refused as it is, and read whole once its epoch is accepted. */
export const loseSlot = (ground: Ground, seed: string) =>
  Effect.gen(function* () {
    const { stand } = ground
    yield* count(ground, "slot lost")
    // What a killed ingest has left at the server goes within its timeout.
    yield* Effect.sleep("5 seconds")
    yield* Stand.release(stand)
    yield* Traffic.run(stand.url, { connections: 3, ordersMax: 60, seed: `${seed} lost`, changes: 500, run: 1 }).pipe(
      Effect.orDie
    )
    yield* Stand.createSlot(stand)
    const { code, said } = yield* Process.run(stand, { program: "ingest", untilCaughtUp: true })
    const isRefused = code === 1 && said.includes("re-created")
    const accepted = { ...stand, epoch: 2 }
    return { stand: accepted, problems: isRefused ? [] : [`a lost slot was not refused (${code}): ${said}`] }
  })

/** The ingests at work see their source go and come back. */
export const crash = ({ server }: Ground) =>
  server.crash.pipe(
    Effect.andThen(Effect.sleep("200 millis")),
    Effect.andThen(server.restart),
    Effect.andThen(Effect.sleep("1 second"))
  )

const count = ({ faults }: Ground, name: string) =>
  Effect.sync(() => {
    faults.set(name, (faults.get(name) ?? 0) + 1)
  })
