import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http"
import type { Faults } from "./Faults.ts"
import { bodyOf, type Call, failure, reply, success } from "./HttpCall.ts"
import { login, renew } from "./HttpLogin.ts"
import { abort, chunk, monitor, query, result } from "./HttpQuery.ts"
import type { Server } from "./Server.ts"

/** Snowflake's HTTP interface as its Node driver uses it; what it does not use is 404. */
export const createHttp = (server: Server, faults: Faults): HttpServer =>
  createServer((request, response) => {
    void handle(server, faults, request, response).catch((cause: unknown) => {
      if (!response.writableEnded) reply(response, failure(cause))
    })
  })

const handle = async (
  server: Server,
  faults: Faults,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  const url = new URL(request.url ?? "/", `http://${request.headers.host ?? "127.0.0.1"}`)
  const token = /^Snowflake Token="(.*)"$/.exec(request.headers.authorization ?? "")?.[1] ?? ""
  const call = { server, faults, url, token, body: await bodyOf(request), response }
  const route = `${request.method} ${url.pathname.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, ":id").replace(/\d+/g, ":n")}`
  const run = routes[route]
  if (run === undefined) {
    response.writeHead(404).end()
    return
  }
  await run(call)
}

const routes: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  "POST /session/v:n/login-request": login,
  "POST /session/token-request": renew,
  "POST /session/heartbeat": async ({ server, token, response }) => {
    const session = server.sessions.of(token)
    session.heartbeat(server.account.nowMs(), server.sessions.validity)
    reply(response, success(null))
  },
  "POST /session": async ({ server, token, response }) => {
    await server.sessions.close(server.sessions.of(token))
    reply(response, success(null))
  },
  "POST /telemetry/send": async ({ response }) => reply(response, success("Log Received")),
  "POST /queries/v:n/query-request": query,
  "POST /queries/v:n/abort-request": abort,
  "POST /queries/:id/abort-request": abort,
  "GET /queries/:id/result": result,
  "GET /monitoring/queries/:id": monitor,
  "GET /chunks/:n/:id/:n": chunk
}
