import type { DuckDBInstance } from "@duckdb/node-api"
import type { Account } from "../account/Account.ts"
import { failureOf, type LoginFailure, refused } from "./Login.ts"
import { gone, Session, type Validity } from "./Session.ts"
import { setTimeZone } from "./SessionStatement.ts"
import { SnowflakeError } from "../Statement.ts"

/** What a client logs in with. */
export interface Credentials {
  readonly user: string
  readonly token: string
  readonly role: string | undefined
  readonly warehouse: string | undefined
  readonly database: string | undefined
  readonly schema: string | undefined
  readonly parameters: Readonly<Record<string, unknown>>
}

/** The open sessions of an account, each found by its tokens. */
export class Sessions {
  readonly account: Account
  readonly validity: Validity
  readonly loginFailures: Array<LoginFailure> = []
  readonly #instance: DuckDBInstance
  readonly #open = new Map<string, Session>()
  /** Tokens of sessions that have ended. */
  readonly #closed = new Set<string>()
  #last = Date.now() * 1000

  constructor(account: Account, instance: DuckDBInstance, validity: Validity) {
    this.account = account
    this.validity = validity
    this.#instance = instance
  }

  /** By id. */
  get all(): ReadonlyMap<string, Session> {
    return this.#open
  }

  /** Opens a session for who holds the key; anybody else is only told that the token is invalid. */
  async login(credentials: Credentials): Promise<Session> {
    const user = credentials.user.toUpperCase()
    const failure = failureOf(credentials.token, {
      account: this.account.name,
      user,
      publicKey: (fingerprint) => this.account.publicKey(user, fingerprint),
      nowMs: Date.now()
    })
    if (failure !== undefined) {
      this.loginFailures.push(failure)
      throw refused()
    }
    return this.open(credentials)
  }

  /** Opens a session without asking for a key. */
  async open(who: Omit<Credentials, "token">): Promise<Session> {
    const state = this.account.login({ ...who, id: String(++this.#last) })
    for (const [name, value] of Object.entries(who.parameters)) state.parameters.set(name.toUpperCase(), String(value))
    const session = new Session(state, await this.#instance.connect(), this.account.nowMs(), this.validity)
    await setTimeZone(session)
    await session.meter.begin()
    this.#open.set(state.id, session)
    return session
  }

  /** The session of a token. Fails with 390112 (renew it with the master token), 390111 or 390104. */
  of(token: string): Session {
    const session = [...this.#open.values()].find((one) => one.token === token)
    if (session === undefined && this.#closed.has(token)) throw gone()
    if (session === undefined)
      throw new SnowflakeError("390104", "08003", "Session token is invalid or no longer exists.")
    if (this.account.nowMs() >= session.expiresMs) {
      throw new SnowflakeError("390112", "08003", "Your session has expired. Please login again.")
    }
    session.heard++
    return session
  }

  /** Gives the session of a master token a new session token. Fails with 390114 when the master token has expired too. */
  renew(masterToken: string): Session {
    const session = [...this.#open.values()].find((one) => one.masterToken === masterToken)
    if (session === undefined) throw gone()
    const nowMs = this.account.nowMs()
    if (nowMs >= session.masterExpiresMs) {
      void this.close(session)
      throw new SnowflakeError("390114", "08003", "Authentication token has expired. The user must authenticate again.")
    }
    session.renew(nowMs, this.validity)
    return session
  }

  /** Ends a session: what runs is cancelled, an open transaction rolled back. */
  async close(session: Session): Promise<void> {
    this.#open.delete(session.state.id)
    this.#closed.add(session.token)
    await session.close()
    this.account.logout(session.state)
  }
}
