import type { KeyObject } from "node:crypto"
import { authorise, isReplacing } from "./Authorisation.ts"
import { run as runStatement, isReadOnly } from "./AccountStatement.ts"
import { copyInto, type LoadHistory, type RunSql } from "./CopyInto.ts"
import { type Ddl, define } from "./Definitions.ts"
import { Grants } from "./Grants.ts"
import { type KeySlot, PublicKeys } from "./PublicKeys.ts"
import { objectKey, permanentObject, temporaryObject } from "../sql/Names.ts"
import { denied, notFound, qualified, type Securable, Securables, shown } from "./Securable.ts"
import type { StageFiles } from "./StageFiles.ts"
import { createSystemRoles } from "./SystemRoles.ts"
import {
  type Copy,
  type ObjectName,
  type ResultTable,
  type SessionState,
  SnowflakeError,
  type Statement
} from "../Statement.ts"
import { isExceeded, type ResourceMonitor, VirtualWarehouse } from "./VirtualWarehouse.ts"

export { isReplacing }

/** A statement about the account. */
export type AccountStatement = Extract<Statement, { readonly _tag: "Account" }>

/** A column of a table, as DESCRIBE TABLE prints it. */
export interface DescribedColumn {
  readonly name: string
  /** Snowflake's type, such as `NUMBER(38,0)`. */
  readonly type: string
  readonly nullable: boolean
}

/** What an account starts from. */
export interface AccountOptions {
  readonly name: string
  /** Unix milliseconds: time is only ever read from here, so that tests can move it. */
  readonly nowMs: () => number
  /** A user with the role ACCOUNTADMIN; `publicKey` is PEM (spki). */
  readonly admin: { readonly user: string; readonly publicKey: string }
  /** Files behind `s3://` stages; `file:///` stages need no handler. */
  readonly s3?: StageFiles
}

/** What happens on a warehouse from here on counts as one statement, until `end`. */
export interface WarehouseUse {
  readonly warehouse: string
  /** `X-Small` … */
  readonly size: string
  readonly end: () => void
}

/**
 * The account side of the local Snowflake, in memory: who there is, who may do what, which warehouses run, and what
 * was loaded from where. Tables themselves live in the engine, which says with `defined` what it has created or dropped.
 * Every method throws `SnowflakeError` as Snowflake answers. Not played: row access policies, tags, secondary roles,
 * several clusters, intervals of monitors; masking policies are kept and reported, and not applied to results.
 */
export class Account {
  readonly name: string
  readonly nowMs: () => number
  readonly securables = new Securables()
  readonly grants = new Grants()
  readonly warehouses = new Map<string, VirtualWarehouse>()
  readonly monitors = new Map<string, ResourceMonitor>()
  /** Masking policies by table and column. */
  readonly masks = new Map<string, Map<string, string>>()
  readonly s3: StageFiles | undefined
  readonly #keys = new PublicKeys()
  readonly #loads = new Map<string, LoadHistory>()

  constructor(options: AccountOptions) {
    this.name = options.name.toUpperCase()
    this.nowMs = options.nowMs
    this.s3 = options.s3
    createSystemRoles(this)
    const user = options.admin.user.toUpperCase()
    this.create({ kind: "USER", name: shown(user), label: user, owner: "ACCOUNTADMIN" }).properties.set(
      "DEFAULT_ROLE",
      "ACCOUNTADMIN"
    )
    this.setKey(user, "RSA_PUBLIC_KEY", options.admin.publicKey)
    this.grants.enrol({
      role: "ACCOUNTADMIN",
      to: "USER",
      grantee: shown(user),
      grantedBy: "",
      createdMs: this.nowMs()
    })
  }

  /** The account itself, on which global privileges are granted. */
  get root(): Securable {
    return this.securables.find("ACCOUNT", this.name)!
  }

  /** The key of a user with a fingerprint such as `SHA256:…`; undefined if there is none, or no such user. */
  publicKey(user: string, fingerprint: string): KeyObject | undefined {
    return this.#keys.find(user.toUpperCase(), fingerprint)
  }

  /** Sets one of the two keys of a user, given as PEM or as its base64 alone. */
  setKey(user: string, slot: KeySlot, text: string): void {
    this.securables.find("USER", shown(user))?.properties.set(`${slot}_FP`, this.#keys.set(user, slot, text))
  }

  /** The state of a new session of a user whose token was verified. */
  login(request: {
    readonly id: string
    readonly user: string
    readonly role?: string | undefined
    readonly warehouse?: string | undefined
    readonly database?: string | undefined
    readonly schema?: string | undefined
  }): SessionState {
    const user = request.user.toUpperCase()
    const found = this.securables.find("USER", shown(user))
    if (found === undefined || found.properties.get("DISABLED") === "TRUE") {
      throw new SnowflakeError("390100", "08001", "Incorrect username or password was specified.")
    }
    const role = request.role?.toUpperCase() ?? found.properties.get("DEFAULT_ROLE") ?? "PUBLIC"
    if (!this.grants.rolesOf(found.name).has(role)) {
      throw new SnowflakeError(
        "390189",
        "08001",
        `Role '${role}' specified in the connect string is not granted to this user. Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC.`
      )
    }
    return {
      id: request.id,
      user,
      role,
      warehouse: request.warehouse?.toUpperCase() ?? found.properties.get("DEFAULT_WAREHOUSE"),
      database: request.database?.toUpperCase(),
      schema: request.schema?.toUpperCase(),
      parameters: new Map([["TIMEZONE", "America/Los_Angeles"]]),
      temporary: new Set()
    }
  }

  /** Forgets what was loaded into tables that a session alone could see. */
  logout(session: SessionState): void {
    for (const key of this.#loads.keys()) if (key.startsWith(`${session.id} `)) this.#loads.delete(key)
  }

  /** Whether an account statement only shows: all others commit the open transaction first, as DDL does. */
  isReadOnly(statement: AccountStatement): boolean {
    return isReadOnly(statement.tokens)
  }

  /** Runs a statement about the account. `columnsOf` gives the columns of a table or view. */
  async execute(
    statement: AccountStatement,
    session: SessionState,
    columnsOf: (name: ObjectName) => Promise<ReadonlyArray<DescribedColumn>> = () => Promise.resolve([])
  ): Promise<ResultTable> {
    return runStatement(this, session, statement.tokens, columnsOf)
  }

  /** Refuses what the session's role may not do, or names that do not exist, before anything runs. */
  authorise(session: SessionState, statement: Statement): void {
    authorise(this, session, statement)
  }

  /** Resumes the session's warehouse if need be; whoever gets it says when the statement has ended. */
  requireWarehouse(session: SessionState): WarehouseUse {
    const name = session.warehouse
    const found = name === undefined ? undefined : this.securables.find("WAREHOUSE", shown(name))
    const warehouse = found === undefined ? undefined : this.warehouses.get(found.name)
    if (found === undefined || warehouse === undefined || !this.grants.has(session.role, found, "USAGE")) {
      throw noWarehouse()
    }
    const monitor = this.exceededMonitor(warehouse)
    if (monitor !== undefined) {
      throw new SnowflakeError(
        "090073",
        "22000",
        `Warehouse '${found.label}' cannot be resumed because resource monitor '${monitor}' has exceeded its quota.`
      )
    }
    if (warehouse.state === "SUSPENDED" && !warehouse.autoResume) throw noWarehouse()
    warehouse.resume()
    return { warehouse: found.label, size: warehouse.size, end: warehouse.begin() }
  }

  /** Credits used by the warehouses that a monitor watches. */
  creditsUsed(monitor: string): number {
    const watchesAll = this.monitors.get(monitor)?.isAccount ?? false
    return [...this.warehouses.values()]
      .filter(({ resourceMonitor }) => watchesAll || resourceMonitor === monitor)
      .reduce((sum, { credits }) => sum + credits, 0)
  }

  /** The monitor, of the warehouse or of the account, that keeps a warehouse from running. */
  exceededMonitor(warehouse: VirtualWarehouse): string | undefined {
    return [...this.monitors].find(
      ([name, monitor]) =>
        (monitor.isAccount || name === warehouse.resourceMonitor) && isExceeded(monitor, this.creditsUsed(name))
    )?.[0]
  }

  /**
   * Loads files of an external stage in one statement. `runSql` runs DuckDB's SQL in the session's transaction. What was
   * loaded is remembered with the table even if the caller rolls back: whether Snowflake forgets it then is not documented.
   */
  async copy(statement: Copy, session: SessionState, runSql: RunSql): Promise<ResultTable> {
    const isTemporary = this.isTemporary(session, statement.target)
    const target = isTemporary ? temporaryObject(statement.target) : permanentObject(statement.target)
    const name = qualified(statement.target)
    const key = isTemporary ? `${session.id} ${name}` : name
    const history = this.#loads.get(key) ?? new Map<string, string>()
    this.#loads.set(key, history)
    const stage = this.securables.find("STAGE", qualified(statement.stage))
    if (stage === undefined) throw notFound("Stage", qualified(statement.stage))
    return copyInto(statement, { url: stage.properties.get("URL")!, s3: this.s3, history, target, runSql })
  }

  /** Registers what the engine has just created, replaced, altered, truncated or dropped; `text` is the statement as it came. */
  defined(session: SessionState, ddl: Ddl, text = ""): void {
    define(this, session, ddl, text)
  }

  /** Forgets what was loaded into a table that is empty again, or gone. */
  forgetLoads(key: string): void {
    this.#loads.delete(key)
  }

  /** Whether a name means a temporary table of this session. */
  isTemporary(session: SessionState, name: ObjectName): boolean {
    return session.temporary.has(objectKey(name))
  }

  /** Adds an object that a role of the account owns from now on. */
  create(
    added: Pick<Securable, "kind" | "name" | "label" | "owner"> & {
      readonly database?: string
      readonly schema?: string
      readonly comment?: string
    }
  ): Securable {
    const securable = this.securables.add({
      database: undefined,
      schema: undefined,
      comment: "",
      ...added,
      createdMs: this.nowMs()
    })
    if (added.database !== undefined) {
      const schema = added.schema === undefined ? "" : `${shown(added.database)}.${shown(added.schema)}`
      this.grants.fulfil(securable, schema, shown(added.database))
    }
    return securable
  }

  /** Removes an object with all grants on it. */
  drop(securable: Securable): void {
    this.securables.remove(securable)
    this.grants.forget(securable)
    this.masks.delete(securable.name)
    if (securable.kind === "TABLE") this.#loads.delete(securable.name)
    if (securable.kind === "WAREHOUSE") this.warehouses.delete(securable.name)
    if (securable.kind === "RESOURCE MONITOR") this.monitors.delete(securable.name)
    if (securable.kind === "USER") this.#keys.remove(securable.label)
  }

  /** A role, warehouse or other object of the account that this session's role may see. */
  visible(session: SessionState, kind: Securable["kind"], name: string, word: string): Securable {
    const found = this.securables.find(kind, name)
    if (found === undefined || !this.grants.sees(session.role, found)) throw notFound(word, name)
    return found
  }

  /** Refuses unless the session's role has one of the privileges on the account. */
  requireGlobal(session: SessionState, privilege: string): void {
    if (!this.grants.has(session.role, this.root, privilege)) throw denied("account", this.name)
  }
}

const noWarehouse = (): SnowflakeError =>
  new SnowflakeError(
    "000606",
    "57P03",
    "No active warehouse selected in the current session.  Select an active warehouse with the 'use warehouse' command.\n"
  )
