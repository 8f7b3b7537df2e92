import { Context, type Effect, type Scope } from "effect"
import { type ConnectorError, InvalidData, Misconfigured, Unavailable } from "@northstar/core/ConnectorError"
import type { ObjectStore } from "../landing/ObjectStore.ts"
import type { Segment } from "../landing/Segment.ts"
import type { Dialect } from "./Dialect.ts"

/** A value of a result: 64-bit integers and decimals as text, so that no digit is lost. */
export type SqlValue = string | number | boolean | null

/** The only door to SQL, with one engine behind it. */
export class Warehouse extends Context.Service<
  Warehouse,
  {
    readonly dialect: Dialect
    /** Opens a session: one connection, one transaction at a time. Closing the scope rolls back what is open. */
    readonly session: Effect.Effect<Session, ConnectorError, Scope.Scope>
    /**
     * Makes segments of one table readable by `dialect.segments` in this session until the scope closes: copies them here,
     * or loads them into a table of the session. Fails with `InvalidData` where a file is not what the log recorded.
     */
    readonly attach: (
      session: Session,
      table: string,
      segments: ReadonlyArray<Segment>
    ) => Effect.Effect<ReadonlyArray<AttachedSegment>, ConnectorError, ObjectStore | Scope.Scope>
    /** What the session's statements took whose `StatementTag` names a batch; absent where work costs nothing. */
    readonly usage?: (session: Session, batch: string) => Effect.Effect<Usage, ConnectorError>
  }
>()("@northstar/connectors/Warehouse") {}

/** A segment with what `dialect.segments` reads it by (a verified local path, or its path in an external stage). */
export interface AttachedSegment {
  readonly segment: Segment
  readonly file: string
}

/** What some statements took. */
export interface Usage {
  /** The virtual warehouse that they ran on, and its size as the engine spells it. */
  readonly warehouse: string
  readonly size: string
  readonly statements: number
  /** Time of the statements that a warehouse had to run for, milliseconds. */
  readonly warehouseMs: number
  readonly bytesScanned: number
}

/** One connection to the warehouse. */
export interface Session {
  /** Runs one statement; parameters replace `?` in order. Returns the number of rows it changed. */
  readonly execute: (sql: string, parameters?: ReadonlyArray<SqlValue>) => Effect.Effect<number, ConnectorError>
  /** Runs one query whose result fits in memory. Fails with `InvalidData` beyond `rowsMax` (default 100,000) rows. */
  readonly query: (
    sql: string,
    parameters?: ReadonlyArray<SqlValue>,
    options?: { readonly rowsMax?: number }
  ) => Effect.Effect<ReadonlyArray<Readonly<Record<string, SqlValue>>>, ConnectorError>
  /** Runs `effect` between BEGIN and COMMIT; any failure or interruption rolls back. */
  readonly transaction: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ConnectorError, R>
}

const conflict = "transaction conflict"

/** Why a transaction failed that got in another's way: run again in its session, it may succeed. */
export const conflictReason = (): Unavailable => new Unavailable({ cause: conflict })

/** Whether that is why; a session that is lost is `Unavailable` as well, and only a new one helps. */
export const isConflict = ({ reason }: ConnectorError): boolean =>
  reason._tag === "Unavailable" && reason.cause === conflict

const mistake = "wrong statement"

/** Why a statement failed that is wrong itself: its SQL, or what it does with the values it reads. */
export const mistakeReason = (): InvalidData => new InvalidData({ detail: mistake })

/** Why a statement failed that names what is not there: it is wrong itself, or the warehouse is not set up. */
export const missingReason = (): Misconfigured => new Misconfigured({ detail: mistake })

/** Whether it is one of the two: whoever wrote the statement can correct it. */
export const isMistake = ({ reason }: ConnectorError): boolean => "detail" in reason && reason.detail === mistake

/**
 * What statements are run for: pipeline, stream, run, batch. An engine with a query history keeps it there (Snowflake: the
 * query tag), so that each cycle's cost can be told. Provide it around the effects it is true of.
 */
export const StatementTag = Context.Reference<Readonly<Record<string, string>>>(
  "@northstar/connectors/Warehouse/StatementTag",
  { defaultValue: () => ({}) }
)
