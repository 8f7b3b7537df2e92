import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import { Clock, Effect, type Scope } from "effect"
import type { Faults } from "./Faults.ts"
import { Http, type Logged } from "./Http.ts"
import { make, type World, type WorldOptions } from "./World.ts"

/** A running Stripe of our own: `new Stripe(apiKey, { host, port, protocol: "http" })` talks to it. */
export interface LocalStripe {
  readonly host: string
  readonly port: number
  readonly apiKey: string
  /** The account behind the API: what happens is done here. */
  readonly world: World
  /** What goes wrong; the world's own. */
  readonly faults: Faults
  /** The requests so far, oldest first; of very many the last ones. */
  readonly requests: ReadonlyArray<Logged>
}

export interface StartOptions extends WorldOptions {
  /** Default 0: any free one. */
  readonly port?: number
}

/**
 * Starts the server on the loopback interface, until the scope closes; it lives in this process. Its limits and its
 * request log go by Effect's `Clock`.
 */
export const start = (options: StartOptions = {}): Effect.Effect<LocalStripe, ConnectorError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const world = yield* make(options)
    const http = new Http(world, apiKey, () => clock.currentTimeMillisUnsafe())
    const server = yield* Effect.acquireRelease(listen(http, options.port ?? 0), close)
    const { port } = server.address() as AddressInfo
    return { host, port, apiKey, world, faults: world.faults, requests: http.log }
  })

const host = "127.0.0.1"

/** Opens nothing but this server. */
const apiKey = "sk_test_northstar_local"

const listen = (http: Http, port: number): Effect.Effect<Server, ConnectorError> =>
  Effect.callback((resume) => {
    const server = createServer((request, response) => serve(http, request, response))
    server.once("error", (cause) => resume(Effect.fail(failure(cause))))
    server.listen(port, host, () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    // Callers keep their connections open for the next request.
    server.closeAllConnections()
  })

const serve = (http: Http, request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const { method = "GET", url = "/" } = request
    // Of the headers that matter none may come twice.
    const headers = request.headers as Record<string, string | undefined>
    const answer = http.answer({ method, url, headers, body: Buffer.concat(chunks).toString("utf8") })
    if (answer === undefined) request.socket.destroy()
    else response.writeHead(answer.status, answer.headers).end(answer.body)
  })
}

const failure = (cause: Error): ConnectorError =>
  new ConnectorError({
    connector: "local Stripe",
    operation: "start",
    detail: `the port cannot be opened: ${cause.message}`,
    action: "Choose another port, or none.",
    reason: new Unavailable({ cause })
  })
