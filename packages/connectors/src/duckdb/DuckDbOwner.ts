import { chmodSync, rmSync } from "node:fs"
import { createServer, type Server, type Socket } from "node:net"
import { isMainThread } from "node:worker_threads"
import { Effect, Exit, type Fiber, FiberHandle, FiberSet, Semaphore } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Connection, Engine, Result } from "./DuckDbEngine.ts"
import { fromDuckDb, lost, tooLarge } from "./DuckDbError.ts"
import * as Wire from "./DuckDbWire.ts"

/** Clients' statements at once. Each holds one of Node's four worker threads, which the owner's own work needs too. */
const statementsMax = 3

/** How long a closing owner lets clients' statements finish. */
const closeWithin = "2 seconds"

/**
 * Serves the engine's file to other processes of this user at a Unix domain socket, until the scope closes: then nothing
 * new is accepted, running statements get two seconds, open transactions of clients are rolled back. A socket file
 * left by a dead owner is replaced, which is safe because whoever holds the engine holds the file's lock.
 */
export const serve = Effect.fn("DuckDbOwner.serve")(function* (engine: Engine, path: string) {
  const fork = yield* FiberSet.makeRuntime()
  const turns = yield* Effect.acquireRelease(Semaphore.make(statementsMax), (turns) =>
    Effect.timeoutOption(Effect.interruptible(turns.take(statementsMax)), closeWithin)
  )
  const server = createServer((socket) => {
    // Without a listener, a client that died would end the owner; what follows from it comes as "close".
    socket.on("error", () => undefined)
    fork(converse(engine, turns, socket))
  })
  yield* Effect.acquireRelease(listen(server, path), () => Effect.sync(() => server.close()))
})

/** One client: a connection of its own, and one statement at a time until the socket closes. */
const converse = (engine: Engine, turns: Semaphore.Semaphore, socket: Socket): Effect.Effect<void> =>
  Effect.gen(function* () {
    const connection = yield* engine.connect
    const fork = yield* FiberHandle.makeRuntime<never>()
    yield* Effect.callback<void>((resume) => {
      socket.on("close", () => resume(Effect.void))
      if (socket.destroyed) return resume(Effect.void)
      let running: Fiber.Fiber<void> | undefined
      Wire.listen(socket, (request) => {
        if (request.type === "cancel") running?.interruptUnsafe()
        if (request.type === "run") running = fork(answer(connection, turns, socket, request))
      })
      send(socket, { type: "hello", protocol: Wire.protocol, pid: process.pid })
    })
  }).pipe(
    Effect.scoped,
    Effect.ensuring(Effect.sync(() => socket.destroy())),
    Effect.catch((error) => Effect.logWarning("a client of the database was refused", error.message))
  )

/** Runs a client's statement and sends what came of it, also when it was cancelled. */
const answer = (
  connection: Connection,
  turns: Semaphore.Semaphore,
  socket: Socket,
  { sql, parameters, rowsMax }: Extract<Wire.Request, { type: "run" }>
): Effect.Effect<void> =>
  turns.withPermit(connection.run(sql, parameters, rowsMax)).pipe(
    Effect.onExit((exit) => Effect.sync(() => send(socket, toReply(exit)))),
    Effect.ignore
  )

const toReply = (exit: Exit.Exit<Result, ConnectorError>): Wire.Reply => {
  if (Exit.isSuccess(exit)) return { type: "done", result: exit.value }
  const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
  return { type: "failed", error: failure?.error ?? lost("execute", "the statement was cancelled") }
}

const send = (socket: Socket, reply: Wire.Reply): void => {
  if (socket.destroyed) return
  const frame = Wire.frame(reply) ?? Wire.frame({ type: "failed", error: tooLarge("the result is larger than 256 MB") })
  socket.write(frame!)
}

/** Binds the socket so that nobody but this user can connect, not even between its creation and a `chmod`. */
const listen = (server: Server, path: string): Effect.Effect<void, ConnectorError> =>
  Effect.callback((resume) => {
    server.once("error", (cause) => resume(Effect.fail(fromDuckDb("listen", { file: path }, cause))))
    const mask = isMainThread ? process.umask(0o177) : undefined
    try {
      rmSync(path, { force: true })
      server.listen(path, () => {
        chmodSync(path, 0o600)
        resume(Effect.void)
      })
    } catch (cause) {
      resume(Effect.fail(fromDuckDb("listen", { file: path }, cause)))
    } finally {
      if (mask !== undefined) process.umask(mask)
    }
  })
