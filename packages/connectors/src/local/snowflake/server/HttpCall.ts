import type { IncomingMessage, ServerResponse } from "node:http"
import { gunzipSync } from "node:zlib"
import { toSnowflake } from "../engine/Execution.ts"
import type { Faults } from "./Faults.ts"
import type { Server } from "./Server.ts"
import { SnowflakeError } from "../Statement.ts"

/** Bytes of a request's body at most, before decompression. */
const bodyBytesMax = 64 * 1024 * 1024

/** A request in hand. It is answered once, or its connection destroyed. */
export interface Call {
  readonly server: Server
  readonly faults: Faults
  readonly url: URL
  readonly token: string
  readonly body: Readonly<Record<string, unknown>>
  readonly response: ServerResponse
}

/** The JSON of a request's body, which may be gzipped; empty if there is none. */
export const bodyOf = async (request: IncomingMessage): Promise<Call["body"]> => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw new SnowflakeError("001003", "42000", "The request is too large.")
    chunks.push(chunk)
  }
  const raw = Buffer.concat(chunks)
  const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw).toString()
  return text === "" ? {} : record(JSON.parse(text))
}

/** The value if it is an object, else an empty one. */
export const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}

/** Snowflake's answer around `data`. */
export const success = (data: unknown) => ({ success: true, code: null, message: null, data })

/** Snowflake's answer in place of a result: HTTP 200 with `success: false`. */
export const failure = (cause: unknown, queryId?: string): object => {
  const { code, sqlState, message } = toSnowflake(cause)
  return { success: false, code, message, data: { sqlState, errorCode: code, queryId: queryId ?? null } }
}

/** Sends an answer. */
export const reply = (response: ServerResponse, body: object): void => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}
