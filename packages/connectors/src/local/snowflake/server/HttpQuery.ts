import { randomUUID } from "node:crypto"
import type { Outcome } from "../engine/Engine.ts"
import type { Fault } from "./Faults.ts"
import { type Call, failure, record, reply, success } from "./HttpCall.ts"
import { clientParameters, parameter } from "./Parameters.ts"
import { chunkBody, chunkRows, chunkSizes, rowType } from "../engine/ResultSet.ts"
import type { Submission } from "./Server.ts"
import { cancelled, gone, type Request, type Session } from "./Session.ts"
import { SnowflakeError } from "../Statement.ts"

/** Runs a statement, with the faults that strike it. */
export const query = async (call: Call): Promise<void> => {
  const { server, faults, body, url } = call
  const session = server.sessions.of(call.token)
  const requestId = url.searchParams.get("requestId") ?? randomUUID()
  const known = session.requests.get(requestId)
  const submission = toSubmission(body)
  const drawn = faults.draw(known?.sql ?? submission.sqlText)
  if (await strikes(call, session, drawn, "before")) return
  const slow = drawn.find((fault) => fault.kind === "slow")
  const request = server.submit(session, requestId, submission, slow?.delayMs)
  abortDetached(call, session, request)
  let told = request
  if (known === undefined && drawn.some(({ kind }) => kind === "twice")) {
    await request.answer.catch(() => undefined)
    told = server.submit(session, `${requestId} again`, submission)
  }
  if (drawn.some((fault) => "when" in fault && fault.when === "after")) {
    await told.answer.catch(() => undefined)
    if (await strikes(call, session, drawn, "after")) return
  }
  await answer(call, session, told, body["asyncExec"] === true ? 0 : server.engine.behaviour.inProgressAfterMs)
}

/** Ends the statement some time after its client has hung up without an answer and was not heard of again. */
const abortDetached = ({ response, server }: Call, session: Session, request: Request): void => {
  response.once("close", () => {
    const isAsked = parameter(session.state.parameters, "ABORT_DETACHED_QUERY").toUpperCase() === "TRUE"
    if (response.writableEnded || request.finished || !isAsked) return
    const { heard } = session
    const end = (): void => {
      if (session.heard === heard) request.cancel.abort(cancelled())
    }
    setTimeout(end, server.engine.behaviour.detachedAbortMs).unref()
  })
}

/** Whether a fault took the place of the answer. */
const strikes = async (
  { server, response }: Call,
  session: Session,
  drawn: ReadonlyArray<Fault>,
  when: "before" | "after"
): Promise<boolean> => {
  for (const fault of drawn) {
    if (fault.kind === "gone" && when === "before") {
      if (fault.detached) session.detach()
      else await server.sessions.close(session)
      throw gone()
    }
    if ((fault.kind !== "drop" && fault.kind !== "status") || fault.when !== when) continue
    if (fault.kind === "drop") response.destroy()
    else response.writeHead(fault.status).end()
    return true
  }
  return false
}

/** Sends a statement's outcome, or after `patienceMs` where to ask for it. */
const answer = async (
  { response, url }: Call,
  session: Session,
  request: Request,
  patienceMs: number
): Promise<void> => {
  let timer: NodeJS.Timeout | undefined
  const impatience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), patienceMs)
  })
  const { queryId } = request
  try {
    const outcome = await Promise.race([request.answer, impatience])
    if (outcome !== undefined) return reply(response, success(toData(session, queryId, outcome, url.origin)))
    const code = patienceMs === 0 ? "333334" : "333333"
    reply(response, {
      ...success({ queryId, getResultUrl: `/queries/${queryId}/result` }),
      code,
      message: "Query execution in progress."
    })
  } catch (cause) {
    reply(response, failure(cause, queryId))
  } finally {
    clearTimeout(timer)
  }
}

const toData = (session: Session, queryId: string, { table, type }: Outcome, origin: string): object => {
  const { state } = session
  return {
    parameters: clientParameters(state.parameters),
    rowtype: rowType(table),
    rowset: table.rows.slice(0, chunkRows),
    chunks: chunkSizes(table).map((rowCount, index) => ({
      rowCount,
      url: `${origin}/chunks/${state.id}/${queryId}/${index}`
    })),
    total: table.rows.length,
    returned: table.rows.length,
    queryId,
    queryResultFormat: "json",
    databaseProvider: null,
    finalDatabaseName: state.database ?? null,
    finalSchemaName: state.schema ?? null,
    finalWarehouseName: state.warehouse ?? null,
    finalRoleName: state.role,
    statementTypeId: type,
    version: 1
  }
}

/** Says how a statement stands. */
export const monitor = async (call: Call): Promise<void> => {
  const { request } = requestOf(call)
  const settled = request.answer.then(
    () => "SUCCESS",
    () => "FAILED_WITH_ERROR"
  )
  const status = request.finished ? await settled : "RUNNING"
  reply(call.response, success({ queries: [{ id: request.queryId, status, state: status }] }))
}

/** The request of the session that a URL names by its query. */
const requestOf = ({ server, token, url }: Call): { readonly session: Session; readonly request: Request } => {
  const session = server.sessions.of(token)
  const request = find(session, /[0-9a-f-]{36}/.exec(url.pathname)?.[0] ?? "")
  if (request === undefined) throw new SnowflakeError("000709", "02000", "Statement not found")
  return { session, request }
}

const find = (session: Session | undefined, queryId: string): Request | undefined =>
  [...(session?.requests.values() ?? [])].find((request) => request.queryId === queryId)

const toSubmission = (body: Call["body"]): Submission => ({
  sqlText: String(body["sqlText"]),
  bindings: record(body["bindings"]) as NonNullable<Submission["bindings"]>,
  parameters: record(body["parameters"]),
  describeOnly: body["describeOnly"] === true
})

/** Cancels a statement, given by its `requestId` or its query. */
export const abort = async (call: Call): Promise<void> => {
  const { server, token, body, url, response } = call
  const byQuery = url.pathname.startsWith("/queries/v1/") ? undefined : requestOf(call).request
  const request = byQuery ?? server.sessions.of(token).requests.get(String(body["requestId"]))
  request?.cancel.abort(cancelled())
  reply(response, success(null))
}

/** The result of a statement that was sent before. */
export const result = async (call: Call): Promise<void> => {
  const { session, request } = requestOf(call)
  await answer(call, session, request, call.server.engine.behaviour.inProgressAfterMs)
}

/** A chunk of a large result; its URL alone gives access to it. */
export const chunk = async ({ server, url, response }: Call): Promise<void> => {
  const [, , session = "", queryId = "", index = ""] = url.pathname.split("/")
  const outcome = await find(server.sessions.all.get(session), queryId)?.answer
  if (outcome === undefined) response.writeHead(404).end()
  else response.writeHead(200, { "content-encoding": "gzip" }).end(chunkBody(outcome.table, Number(index)))
}
