import { generateKeyPairSync, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { gunzipSync, gzipSync } from "node:zlib"
import { Effect, Redacted, type Scope } from "effect"
import type { SnowflakeConfig } from "../../src/snowflake/SnowflakeConfig.ts"

/** A statement as it arrived; `attempt` counts its request id, from 1. */
export interface Arrived {
  readonly sql: string
  readonly requestId: string
  readonly attempt: number
  readonly parameters: Readonly<Record<string, unknown>>
  readonly bindings: unknown
}

/** What is sent back. `rows` holds texts as they are on the wire; `returned` and `chunks` can lie about them. */
export type Answer =
  | {
      readonly columns?: ReadonlyArray<readonly [name: string, type: string, scale?: number]>
      readonly rows?: ReadonlyArray<ReadonlyArray<string | null>>
      readonly returned?: number
      readonly chunk?: ReadonlyArray<ReadonlyArray<string | null>> | "never"
    }
  | { readonly code: string; readonly message: string }
  | { readonly status: number }
  | "garbled"
  | "cut"
  | "never"

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString()

/** A config for a server at `url`, with a key that any server without users accepts. */
const configOf = (url: string): SnowflakeConfig => ({
  account: "scripted",
  user: "loader",
  role: "northstar_loader",
  warehouse: "load_wh",
  database: "northstar",
  privateKey: Redacted.make(pem),
  accessUrl: url
})

/** An HTTP server that answers the driver's requests as told: for what a real Snowflake does only on a bad day. */
export const start = (
  answer: (statement: Arrived) => Answer
): Effect.Effect<
  { readonly config: SnowflakeConfig; readonly arrived: Array<Arrived>; readonly paths: Array<string> },
  never,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const arrived: Array<Arrived> = []
    const paths: Array<string> = []
    const chunks = new Map<string, ReadonlyArray<ReadonlyArray<string | null>>>()
    const waiting = new Map<string, ServerResponse>()
    const server = createServer((request, response) => {
      void bodyOf(request).then((body) => {
        const url = new URL(request.url ?? "/", "http://localhost")
        paths.push(url.pathname)
        if (url.pathname === "/session/v1/login-request") return json(response, login)
        if (url.pathname === "/queries/v1/query-request") {
          const requestId = url.searchParams.get("requestId") ?? ""
          const attempt = arrived.filter((other) => other.requestId === requestId).length + 1
          const statement = {
            sql: String(body["sqlText"]),
            requestId,
            attempt,
            parameters: Object(body["parameters"]),
            bindings: body["bindings"]
          }
          arrived.push(statement)
          waiting.set(requestId, response)
          return send(
            request,
            response,
            statement.sql.startsWith("ALTER SESSION")
              ? {}
              : statement.sql.includes("CURRENT_SESSION")
                ? { columns: [["ID", "text"]], rows: [["4711"]] }
                : answer(statement),
            chunks
          )
        }
        if (url.pathname.endsWith("/abort-request")) {
          const cancelled = waiting.get(String(body["requestId"]))
          if (cancelled !== undefined)
            json(cancelled, {
              success: false,
              code: "000604",
              message: "SQL execution canceled",
              data: { queryId: randomUUID(), sqlState: "57014" }
            })
        }
        const chunk = chunks.get(url.pathname)
        if (chunk !== undefined) {
          const text = JSON.stringify(chunk).slice(1, -1)
          return response
            .writeHead(200, { "content-encoding": "gzip", "content-type": "text/plain" })
            .end(gzipSync(text))
        }
        if (url.pathname.startsWith("/chunk-never"))
          return response.writeHead(200, { "content-type": "text/plain" }).write("[")
        return json(response, { success: true, data: {} })
      })
    })
    yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
    )
    // Sound: the server listens on a TCP port.
    const { port } = server.address() as AddressInfo
    return { config: configOf(`http://127.0.0.1:${port}`), arrived, paths }
  })

const login = {
  success: true,
  data: {
    token: "t",
    masterToken: "m",
    validityInSeconds: 3600,
    masterValidityInSeconds: 14_400,
    sessionId: 4711,
    parameters: [
      { name: "TIMEZONE", value: "UTC" },
      { name: "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", value: 65_280 }
    ],
    sessionInfo: {}
  }
}

const formats = [
  ["TIMEZONE", "UTC"],
  ["DATE_OUTPUT_FORMAT", "YYYY-MM-DD"],
  ["TIME_OUTPUT_FORMAT", "HH24:MI:SS.FF6"],
  ["TIMESTAMP_NTZ_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF6"],
  ["TIMESTAMP_TZ_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM"],
  ["TIMESTAMP_LTZ_OUTPUT_FORMAT", "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM"],
  ["BINARY_OUTPUT_FORMAT", "HEX"]
].map(([name, value]) => ({ name, value }))

const bodyOf = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const parts: Array<Buffer> = []
  for await (const part of request) parts.push(Buffer.from(part))
  const bytes = Buffer.concat(parts)
  const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString()
  return text === "" ? {} : Object(JSON.parse(text))
}

const json = (response: ServerResponse, body: unknown): void => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}

const send = (
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  chunks: Map<string, ReadonlyArray<ReadonlyArray<string | null>>>
): void => {
  if (answer === "never") return
  if (answer === "cut") return void request.socket.destroy()
  if (answer === "garbled")
    return void response.writeHead(200, { "content-type": "application/json" }).end('{"success": tr')
  if ("status" in answer) return void response.writeHead(answer.status).end("no")
  const queryId = randomUUID()
  if ("code" in answer) return json(response, { success: false, ...answer, data: { queryId, sqlState: "22000" } })
  const { columns = [["status", "text"]], rows = [["done"]], chunk } = answer
  const path = chunk === "never" ? "/chunk-never" : `/chunk/${queryId}`
  if (chunk !== undefined && chunk !== "never") chunks.set(path, chunk)
  const data = {
    queryId,
    version: 1,
    parameters: formats,
    rowtype: columns.map(([name, type, scale = 0]) => ({
      name,
      type,
      scale,
      precision: 38,
      nullable: true,
      length: null
    })),
    rowset: rows,
    total: answer.returned ?? rows.length,
    returned: answer.returned ?? rows.length,
    statementTypeId: 4096,
    ...(chunk === undefined
      ? {}
      : {
          chunks: [
            {
              url: `http://${request.headers.host}${path}`,
              rowCount: chunk === "never" ? 1 : chunk.length,
              uncompressedSize: 10,
              compressedSize: 10
            }
          ]
        })
  }
  json(response, { success: true, code: null, message: null, data })
}
