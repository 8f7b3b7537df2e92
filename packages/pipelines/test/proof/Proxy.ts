import { createServer, type AddressInfo, type Server, Socket } from "node:net"
import { Effect, type Scope } from "effect"

/**
 * What a network does to connections.
 * * `reset`: both ends are told, as by a router that restarts.
 * * `half-open`: the client is told and the server is not, as when a machine loses its address: the server goes on
 *   believing in its client until its own timeout.
 * * `silent`: nobody is told, and no byte passes any more.
 * * `slow`: every byte comes 50 ms late.
 * * `throttled`: 200 kB a second in each direction.
 */
export const faults = ["reset", "half-open", "silent", "slow", "throttled"] as const
type Fault = (typeof faults)[number]

/** A way to a server that a test can disturb. */
export interface Proxy {
  /** The server's URL by this way. */
  readonly url: string
  /** Disturbs the connections there are; later ones are as they should be. */
  readonly inflict: (fault: Fault) => Effect.Effect<void>
  /** Connections refused until `restore`. */
  readonly refuse: Effect.Effect<void>
  readonly restore: Effect.Effect<void>
  /** Connections open on both sides. */
  readonly connections: Effect.Effect<number>
}

const delayMs = 50
const throttledBytesPerSecond = 200_000

/** Opens a way to the server of a URL, on a port of its own, until the scope closes. */
export const make = (serverUrl: string): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const target = new URL(serverUrl)
    const ways = new Set<Way>()
    let isRefusing = false
    const listener = yield* Effect.acquireRelease(
      listen((client) => {
        if (isRefusing) return client.destroy()
        const way = new Way(client, Number(target.port), target.hostname, () => ways.delete(way))
        ways.add(way)
      }),
      (server) =>
        Effect.sync(() => {
          server.close()
          for (const way of ways) way.inflict("reset")
        })
    )
    const url = new URL(serverUrl)
    url.host = `127.0.0.1:${(listener.address() as AddressInfo).port}`
    const setRefusing = (to: boolean) =>
      Effect.sync(() => {
        isRefusing = to
      })
    return {
      url: url.href,
      inflict: (fault) =>
        Effect.sync(() => {
          for (const way of ways) way.inflict(fault)
        }),
      refuse: setRefusing(true),
      restore: setRefusing(false),
      connections: Effect.sync(() => ways.size)
    }
  })

const listen = (onClient: (client: Socket) => void): Effect.Effect<Server> =>
  Effect.callback((resume) => {
    const server = createServer({ noDelay: true, allowHalfOpen: false }, onClient)
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

/** One connection: two sockets and what passes between them. */
class Way {
  private readonly client: Socket
  private readonly server: Socket
  private readonly onGone: () => void
  private fault: Fault | undefined

  constructor(client: Socket, port: number, host: string, onGone: () => void) {
    this.client = client
    this.onGone = onGone
    this.server = new Socket().setNoDelay(true).connect(port, host)
    this.pass(client, this.server)
    this.pass(this.server, client)
  }

  inflict(fault: Fault): void {
    // What is cut stays cut.
    if (this.fault === "half-open" || this.fault === "silent") return
    this.fault = fault
    if (fault === "reset") {
      this.client.resetAndDestroy()
      this.server.resetAndDestroy()
    }
    if (fault === "half-open") this.client.resetAndDestroy()
  }

  private pass(from: Socket, to: Socket): void {
    from.on("data", (chunk) => this.forward(from, to, chunk))
    from.on("error", () => {})
    from.on("close", () => {
      if (from === this.server) this.onGone()
      // The other end hears of it, unless nothing passes.
      if (this.fault !== "half-open" && this.fault !== "silent") to.destroySoon()
    })
  }

  private forward(from: Socket, to: Socket, chunk: Buffer): void {
    if (this.fault === "half-open" || this.fault === "silent") return
    if (to.destroyed) return
    if (this.fault === undefined || this.fault === "reset") {
      if (!to.write(chunk)) {
        from.pause()
        to.once("drain", () => from.resume())
      }
      return
    }
    const restMs = this.fault === "slow" ? delayMs : (1000 * chunk.length) / throttledBytesPerSecond
    // One chunk at a time: the order of bytes must hold.
    from.pause()
    setTimeout(() => {
      from.resume()
      if (this.fault !== "half-open" && this.fault !== "silent" && !to.destroyed) to.write(chunk)
    }, restMs)
  }
}
