import type { Duplex } from "node:stream"
import { Duration, Effect, Redacted, type Scope, Semaphore } from "effect"
import { Client, type CustomTypesConfig } from "pg"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { fromDriver, misconfigured, unavailable } from "./Failure.ts"
import {
  Frames,
  dataRow,
  errorResponse,
  type OnMessage,
  query as queryMessage,
  readError,
  readyForQuery
} from "./Wire.ts"

/** Texts of a result's rows, exactly as the server wrote them; `null` is NULL. */
export type Rows = ReadonlyArray<ReadonlyArray<string | null>>

/** One session of a PostgreSQL server whose texts mean the same in every session (see `sessionSettings`). */
export interface Connection {
  /** PID of the server's process for this session. */
  readonly processId: number
  /** Runs statements one at a time. Without `params` several may be joined by `;`: the last one's rows are returned. */
  readonly query: (
    sql: string,
    params?: ReadonlyArray<string | number | bigint | null | ReadonlyArray<string>>
  ) => Effect.Effect<Rows, ConnectorError>
  /**
   * Runs one statement and hands over the body of each DataRow message straight from the socket's buffer: an int16
   * column count, then per column an int32 length (−1 is NULL) and the text. `onRow` must copy what it keeps. An
   * interruption ends the session.
   */
  readonly scan: (
    sql: string,
    onRow: (buffer: Buffer, start: number, end: number) => void
  ) => Effect.Effect<void, ConnectorError>
  /**
   * Takes the idle socket away from the driver, for good: protocol messages go to `onMessage`, and how it ended to
   * `onEnd`, once. Everything is in the caller's hands from here, pausing and resuming the socket included.
   */
  readonly raw: (onMessage: OnMessage, onEnd: (error: ConnectorError) => void) => Raw
}

/** A socket taken over by `raw`. */
export interface Raw {
  readonly socket: Duplex
  /** Hands messages on again that `onMessage` held. */
  readonly proceed: () => void
}

/** How to open a session. */
export interface Options {
  readonly url: Redacted.Redacted | string
  /** Opens a walsender session, which also understands replication commands. Default: an ordinary one. */
  readonly replication?: boolean
  /** Longest run of a statement. Default: 30 s. */
  readonly statementTimeout?: Duration.Input
}

const statementTimeoutDefault = Duration.seconds(30)
const lockTimeoutMs = 5000
/** The server ends a statement by its own timeout; one of which nothing is heard for so much longer is on a dead connection. */
const answerMargin = Duration.seconds(10)
const connectTimeoutMs = 10_000
const keepAliveMs = 30_000

/**
 * Settings that decide how values print. The search path is empty of user schemas, so that every name in a statement
 * and every type name in an answer says its schema.
 */
const sessionSettings =
  "set datestyle = 'ISO, MDY'; set intervalstyle = postgres; set extra_float_digits = 3; set timezone = 'UTC'; " +
  "set bytea_output = hex; set xmloption = content; set client_encoding = 'UTF8'; set search_path = pg_catalog; " +
  `set lock_timeout = ${lockTimeoutMs}; set idle_in_transaction_session_timeout = 60000; `

/** Opens a session until the scope closes. Wrong URL: `Misconfigured`; refused login: `Unauthorized`; no answer: `Unavailable`. */
export const open = Effect.fn("Connection.open")(function* (
  options: Options
): Effect.fn.Return<Connection, ConnectorError, Scope.Scope> {
  const url = Redacted.isRedacted(options.url) ? Redacted.value(options.url) : options.url
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    const shape = "postgres://user:password@host:5432/database"
    return yield* misconfigured("connect", "the URL is not one of PostgreSQL", `Write it as ${shape}.`)
  }
  const { client, lost } = yield* Effect.acquireRelease(connect(url, options.replication === true), ({ client }) =>
    Effect.sync(() => socketOf(client).destroy())
  )
  const oneAtATime = yield* Semaphore.make(1)
  const timeoutMs = Duration.toMillis(options.statementTimeout ?? statementTimeoutDefault)
  const answerMax = Duration.sum(timeoutMs === 0 ? statementTimeoutDefault : Duration.millis(timeoutMs), answerMargin)
  const bounded = <A>(answer: Effect.Effect<A, ConnectorError>) =>
    answer.pipe(Effect.timeoutOrElse({ duration: answerMax, orElse: () => silent(client) }), oneAtATime.withPermits(1))
  const query: Connection["query"] = (sql, params) =>
    bounded(
      Effect.tryPromise({
        try: () => runQuery(client, sql, params),
        catch: (cause) => fromDriver("query", lost() ?? cause)
      })
    )
  yield* query(`${sessionSettings} set statement_timeout = ${timeoutMs}`)
  return {
    // Sound: the driver knows the PID from the server's start-up messages; its types leave the field out.
    processId: (client as unknown as { readonly processID: number }).processID,
    query,
    scan: (sql, onRow) => bounded(scan(client, sql, onRow)),
    raw: (onMessage, onEnd) => takeOver(socketOf(client), onMessage, onEnd)
  }
})

/** The driver's client, and the error that ended it, if any: later queries only say that it is not queryable. */
interface Connected {
  readonly client: Client
  readonly lost: () => unknown
}

const connect = (url: string, replication: boolean): Effect.Effect<Connected, ConnectorError> =>
  Effect.tryPromise({
    try: async () => {
      let lost: unknown
      const client = new Client({
        connectionString: url,
        application_name: "northstar",
        connectionTimeoutMillis: connectTimeoutMs,
        keepAlive: true,
        keepAliveInitialDelayMillis: keepAliveMs,
        // Sound: the driver passes it to the server; its types leave the option out.
        ...(replication ? ({ replication: "database" } as object) : {})
      })
      // Without a listener a lost connection would end this process.
      client.on("error", (error) => {
        lost ??= error
      })
      await client.connect()
      return { client, lost: () => lost }
    },
    catch: (cause) => fromDriver("connect", cause)
  })

/** Ends a session whose server is not heard any more: what it answers later would be taken for the next answer. */
const silent = (client: Client) =>
  Effect.suspend(() => {
    socketOf(client).destroy()
    return Effect.fail(unavailable("query", "the server did not answer"))
  })

/** Texts as they come. Sound: the driver calls nothing else of it, and every result is asked for as text. */
const rawTexts = { getTypeParser: () => (text: string) => text } as unknown as CustomTypesConfig

const runQuery = async (client: Client, sql: string, params: Parameters<Connection["query"]>[1]): Promise<Rows> => {
  const result = await client.query<Array<string | null>>({
    text: sql,
    rowMode: "array",
    types: rawTexts,
    ...(params === undefined
      ? {}
      : { values: params.map((value) => (typeof value === "bigint" ? String(value) : value)) })
  })
  // Sound: for several statements the driver returns an array of results, which its types do not say.
  const last = Array.isArray(result) ? (result as Array<typeof result>).at(-1) : result
  return last?.rows ?? []
}

/** Sound: the driver keeps its socket there; its types leave the field out. */
const socketOf = (client: Client): Duplex =>
  (client as unknown as { readonly connection: { stream: Duplex } }).connection.stream

/** Runs a simple query on the idle socket and gives it back to the driver when the server is ready again. */
const scan = (
  client: Client,
  sql: string,
  onRow: (buffer: Buffer, start: number, end: number) => void
): Effect.Effect<void, ConnectorError> =>
  Effect.callback<void, ConnectorError>((resume) => {
    const socket = socketOf(client)
    let failure: ConnectorError | undefined
    const drivers = socket.listeners("data")
    const settle = (effect: Effect.Effect<void, ConnectorError>) => {
      socket.removeListener("data", onData)
      socket.removeListener("close", onClose)
      for (const listener of drivers) socket.on("data", listener as (chunk: Buffer) => void)
      resume(effect)
    }
    const frames = new Frames((type, buffer, start, end) => {
      if (type === dataRow) onRow(buffer, start, end)
      else if (type === errorResponse) failure = fromDriver("query", readError(buffer, start, end))
      else if (type === readyForQuery) settle(failure === undefined ? Effect.void : Effect.fail(failure))
      return true
    })
    const onData = (chunk: Buffer) => {
      try {
        frames.push(chunk)
      } catch (cause) {
        settle(Effect.fail(fromDriver("query", cause)))
        socket.destroy()
      }
    }
    const onClose = () => settle(Effect.fail(failure ?? unavailable("query", "the connection was closed")))
    socket.removeAllListeners("data")
    socket.on("data", onData)
    socket.on("close", onClose)
    if (socket.destroyed) return onClose()
    socket.write(queryMessage(sql))
    return Effect.sync(() => socket.destroy())
  })

const takeOver = (socket: Duplex, onMessage: OnMessage, onEnd: (error: ConnectorError) => void): Raw => {
  let ended = false
  const end = (error: ConnectorError) => {
    if (ended) return
    ended = true
    socket.removeListener("data", push)
    onEnd(error)
  }
  const frames = new Frames(onMessage)
  const push = (chunk: Buffer) => {
    try {
      frames.push(chunk)
    } catch (cause) {
      end(fromDriver("replicate", cause))
      socket.destroy()
    }
  }
  socket.removeAllListeners("data")
  socket.on("data", push)
  socket.on("error", (cause) => end(fromDriver("replicate", cause)))
  socket.on("close", () => end(unavailable("replicate", "the server closed the connection")))
  if (socket.destroyed) end(unavailable("replicate", "the connection was closed"))
  return { socket, proceed: () => push(nothing) }
}

const nothing = Buffer.alloc(0)
