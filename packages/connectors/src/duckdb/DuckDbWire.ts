import type { Socket } from "node:net"
import { Schema } from "effect"
import { ConnectorError } from "@northstar/core/ConnectorError"
import type { SqlValue } from "../warehouse/Warehouse.ts"
import type { Result } from "./DuckDbEngine.ts"

/**
 * What a client and the owner of the file say to each other: frames of a 4-byte big-endian length and a JSON text. The
 * owner greets with its process id once the client's connection is open. A client has one statement under way: it
 * sends `run` and waits for `done` or `failed`; `cancel` asks to end the statement, which is then answered as usual.
 * Closing the socket rolls back what is open.
 */
export type Request =
  | {
      readonly type: "run"
      readonly sql: string
      readonly parameters: ReadonlyArray<SqlValue>
      readonly rowsMax?: number
    }
  | { readonly type: "cancel" }

/** What the owner says. */
export type Reply =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  | { readonly type: "done"; readonly result: Result }
  | { readonly type: "failed"; readonly error: ConnectorError }

/** Raised when either side could misread the other. */
export const protocol = 1

/** Largest frame, in bytes. */
export const frameBytesMax = 256 * 1024 * 1024

const errors = Schema.toCodecJson(ConnectorError)
const encodeError = Schema.encodeSync(errors)
const decodeError = Schema.decodeUnknownSync(errors)

/** A message as one frame; `undefined` if it is larger than `frameBytesMax`. */
export const frame = (message: Request | Reply): Buffer | undefined => {
  const body = Buffer.from(JSON.stringify(toJson(message)))
  if (body.length > frameBytesMax) return undefined
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  return Buffer.concat([head, body])
}

/** Calls `onMessage` for each whole frame that arrives; whatever is not one of ours closes the socket. */
export const listen = (socket: Socket, onMessage: (message: Request | Reply) => void): void => {
  let chunks: Array<Buffer> = []
  let size = 0
  let need = 4
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    size += chunk.length
    while (size >= need) {
      const all: Buffer = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const end = 4 + all.readUInt32BE(0)
      chunks = [all]
      need = end
      if (end > 4 + frameBytesMax) return void socket.destroy()
      if (size < end) return
      const message = parse(all.subarray(4, end))
      if (message === undefined) return void socket.destroy()
      chunks = [all.subarray(end)]
      size -= end
      need = 4
      onMessage(message)
    }
  })
}

/** Both ends are this module, run by the same user (the socket is his alone), so the shape is not checked again. */
const parse = (body: Buffer): Request | Reply | undefined => {
  try {
    return fromJson(JSON.parse(body.toString("utf8"))) as Request | Reply
  } catch {
    return undefined
  }
}

/** JSON has no NaN, no infinity and no negative zero. */
const toWire = (value: SqlValue): unknown =>
  typeof value !== "number" || (Number.isFinite(value) && !Object.is(value, -0))
    ? value
    : { number: Object.is(value, -0) ? "-0" : String(value) }

const fromWire = (value: SqlValue | { readonly number: string }): SqlValue =>
  typeof value === "object" && value !== null ? Number(value.number) : value

const toJson = (message: Request | Reply): unknown => {
  switch (message.type) {
    case "run":
      return { ...message, parameters: message.parameters.map(toWire) }
    case "done":
      return { ...message, result: { ...message.result, rows: message.result.rows.map((row) => row.map(toWire)) } }
    case "failed":
      return { ...message, error: encodeError(message.error) }
    default:
      return message
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- the only place that sees a message before it has a type
const fromJson = (message: any): unknown => {
  switch (message.type) {
    case "run":
      return { ...message, parameters: message.parameters.map(fromWire) }
    case "done": {
      const rows: Array<Array<SqlValue>> = message.result.rows
      return { ...message, result: { ...message.result, rows: rows.map((row) => row.map(fromWire)) } }
    }
    case "failed":
      return { ...message, error: decodeError(message.error) }
    default:
      return message
  }
}
