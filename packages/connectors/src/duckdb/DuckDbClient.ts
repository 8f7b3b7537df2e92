import { connect as openSocket, type Socket } from "node:net"
import { Effect, Semaphore } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Connection, Result } from "./DuckDbEngine.ts"
import { busy, lost, tooLarge } from "./DuckDbError.ts"
import * as Wire from "./DuckDbWire.ts"

/** How long an owner may take to greet a new client. */
const helloWithin = "5 seconds"

interface Link {
  readonly socket: Socket
  readonly pid: number
  /** Takes the answer to the statement under way; `undefined` when the owner is gone. */
  onReply: ((reply: Wire.Reply | undefined) => void) | undefined
}

/**
 * A connection through the process that owns the file; closing the scope rolls back what is open. Fails with `Busy` if
 * nobody answers at `path`. When the owner dies, the statement under way and all later ones fail with `Unavailable`.
 */
export const connect = Effect.fn("DuckDbClient.connect")(function* (path: string) {
  const link = yield* Effect.acquireRelease(
    greet(path).pipe(
      Effect.timeoutOrElse({ duration: helloWithin, orElse: () => Effect.fail(busy(path, "its owner")) })
    ),
    ({ socket }) => Effect.sync(() => socket.destroy()),
    { interruptible: true }
  )
  const turn = Semaphore.makeUnsafe(1)
  const connection: Connection = {
    run: (sql, parameters, rowsMax) =>
      turn.withPermit(ask(link, { type: "run", sql, parameters, ...(rowsMax === undefined ? {} : { rowsMax }) }))
  }
  return connection
})

const greet = (path: string): Effect.Effect<Link, ConnectorError> =>
  Effect.callback((resume) => {
    const socket = openSocket(path)
    const refused = () => resume(Effect.fail(busy(path, "its owner")))
    socket.on("error", refused)
    let link: Link | undefined
    Wire.listen(socket, (reply) => {
      if (reply.type === "done" || reply.type === "failed") return link?.onReply?.(reply)
      if (reply.type !== "hello") return
      if (reply.protocol !== Wire.protocol) return refused()
      link = { socket, pid: reply.pid, onReply: undefined }
      resume(Effect.succeed(link))
    })
    socket.on("close", () => {
      refused()
      link?.onReply?.(undefined)
    })
    return Effect.sync(() => socket.destroy())
  })

/** Sends a statement and waits for its answer; interruption cancels it and waits for that answer. */
const ask = (link: Link, request: Extract<Wire.Request, { type: "run" }>): Effect.Effect<Result, ConnectorError> =>
  Effect.callback((resume) => {
    const frame = Wire.frame(request)
    if (frame === undefined) return resume(Effect.fail(tooLarge("the statement is larger than 256 MB")))
    if (link.socket.destroyed) return resume(Effect.fail(ownerGone(link.pid, request.sql)))
    link.onReply = (reply) => {
      link.onReply = undefined
      if (reply?.type === "done") resume(Effect.succeed(reply.result))
      else resume(Effect.fail(reply?.type === "failed" ? reply.error : ownerGone(link.pid, request.sql)))
    }
    link.socket.write(frame)
    return cancel(link)
  })

const cancel = (link: Link): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (link.onReply === undefined) return resume(Effect.void)
    link.onReply = () => {
      link.onReply = undefined
      resume(Effect.void)
    }
    const frame = Wire.frame({ type: "cancel" })
    if (frame !== undefined) link.socket.write(frame)
  })

const ownerGone = (pid: number, sql: string): ConnectorError =>
  /^\s*commit/i.test(sql)
    ? lost(
        "commit",
        `process ${pid}, which owns the database file, went away during COMMIT: whether it committed is unknown`,
        "Read in a new session where the work stands, and repeat it only if it is not there"
      )
    : lost("execute", `process ${pid}, which owns the database file, went away; the open transaction was rolled back`)
