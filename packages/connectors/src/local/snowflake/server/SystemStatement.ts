import type { Locks } from "../engine/Locks.ts"
import { message } from "../engine/ResultSet.ts"
import { cancelled, type Session } from "./Session.ts"
import { type ResultColumn, type ResultTable, SnowflakeError } from "../Statement.ts"

/** What statements about the running server act on. */
export interface Running {
  readonly sessions: ReadonlyMap<string, Session>
  readonly locks: Locks
  readonly close: (session: Session) => Promise<void>
}

const calls = /^\s*SELECT\s+SYSTEM\$(ABORT_SESSION|ABORT_TRANSACTION)\s*\(\s*'?(\d+)'?\s*\)\s*;?\s*$/i
const shows = /^\s*SHOW\s+(TRANSACTIONS|LOCKS)(?:\s+IN\s+ACCOUNT)?\s*;?\s*$/i
const own = /^\s*SELECT\s+(CURRENT_TRANSACTION|LAST_QUERY_ID)\s*\(\s*\)\s*;?\s*$/i

/**
 * Statements about sessions, transactions and locks, which only the server knows; anything else is not one. A user acts on
 * sessions of the same user, ACCOUNTADMIN on all.
 */
export const systemStatement = (
  sql: string
): ((running: Running, session: Session) => Promise<ResultTable>) | undefined => {
  const [, call, id = ""] = calls.exec(sql) ?? []
  if (call !== undefined) {
    const abort = call.toUpperCase() === "ABORT_SESSION" ? abortSession : abortTransaction
    return (running, session) => abort(running, session, id)
  }
  const show = shows.exec(sql)?.[1]?.toUpperCase()
  if (show !== undefined) {
    return (running, session) =>
      Promise.resolve(show === "LOCKS" ? locks(running, session) : transactions(running, session))
  }
  const name = own.exec(sql)?.[1]?.toUpperCase()
  if (name === undefined) return undefined
  return (_, session) => {
    const open = session.transaction?.ended === false ? session.transaction.transaction : null
    const value = name === "CURRENT_TRANSACTION" ? open : (session.lastQueryId ?? null)
    return Promise.resolve({ columns: [text(`${name}()`)], rows: [[value]] })
  }
}

const abortSession = async (running: Running, session: Session, id: string): Promise<ResultTable> => {
  const { state } = session
  const target = running.sessions.get(id)
  // A statement cannot wait for the end of its own session.
  if (target === undefined || target === session || !mayAct(state, target)) {
    throw new SnowflakeError(
      "001003",
      "42000",
      `SQL compilation error:\nSession ${id} does not exist or not authorized.`
    )
  }
  await running.close(target)
  return message("session terminated.", `SYSTEM$ABORT_SESSION(${id})`)
}

const abortTransaction = async (running: Running, session: Session, id: string): Promise<ResultTable> => {
  const { state } = session
  const target = [...running.sessions.values()].find(({ transaction }) => transaction?.transaction === id)
  if (target === undefined || target === session || !mayAct(state, target)) {
    throw new SnowflakeError(
      "001003",
      "42000",
      `SQL compilation error:\nTransaction ${id} does not exist or not authorized.`
    )
  }
  const { transaction } = target
  for (const request of target.requests.values()) if (!request.finished) request.cancel.abort(cancelled())
  await target.inTurn(async () => transaction?.rollback())
  return message(`Aborted transaction id: ${id}`, `SYSTEM$ABORT_TRANSACTION(${id})`)
}

const mayAct = (state: Session["state"], target: Session): boolean =>
  state.role === "ACCOUNTADMIN" || state.user === target.state.user

const transactions = (running: Running, { state }: Session): ResultTable => ({
  columns: ["id", "user", "session", "name", "started_on", "state", "scope"].map(text),
  rows: [...running.sessions.values()].flatMap((session) => {
    const { transaction } = session
    if (transaction === undefined || transaction.ended || !mayAct(state, session)) return []
    const { user, id } = session.state
    return [[transaction.transaction, user, id, transaction.transaction, iso(transaction.startedMs), "running", "0"]]
  })
})

const locks = (running: Running, { state }: Session): ResultTable => ({
  columns: [
    "session",
    "resource",
    "type",
    "transaction",
    "transaction_started_on",
    "status",
    "acquired_on",
    "query_id"
  ].map(text),
  rows: running.locks.list().flatMap(({ key, owner, status, sinceMs }) => {
    const session = running.sessions.get(owner.session)
    if (session === undefined || !mayAct(state, session)) return []
    const started = iso(session.transaction?.startedMs ?? sinceMs ?? 0)
    const acquired = sinceMs === undefined ? null : iso(sinceMs)
    return [
      [owner.session, key.replaceAll("\0", "."), "PARTITIONS", owner.transaction, started, status, acquired, null]
    ]
  })
})

const text = (name: string): ResultColumn => ({ name, type: "text", nullable: true })

const iso = (ms: number): string => new Date(ms).toISOString()
