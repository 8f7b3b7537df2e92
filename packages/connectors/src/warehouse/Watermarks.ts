import { Effect, Option } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { WatermarkConflict } from "@northstar/core/WatermarkStore"
import type { StreamKey } from "@northstar/core/Position"
import { type Dialect, literal } from "./Dialect.ts"
import type { Session } from "./Warehouse.ts"

/** Where one table of one stream stands in the warehouse. */
export interface TableWatermark {
  readonly table: string
  /** Encoded position; `none` before the first batch. */
  readonly through: Option.Option<string>
  /** Why the table is parked: its changes keep landing but are not loaded. */
  readonly parked: Option.Option<{ readonly reason: string; readonly contract: string }>
}

const ofStream = (key: StreamKey): string => `pipeline = ${literal(key.pipeline)} AND stream = ${literal(key.stream)}`

/** The watermarks of a stream's tables, those without a row included. */
export const load = Effect.fnUntraced(function* (session: Session, key: StreamKey, tables: ReadonlyArray<string>) {
  const rows = yield* session.query(
    `SELECT table_name, through, parked_reason, parked_contract FROM northstar.watermarks WHERE ${ofStream(key)}`
  )
  return tables.map((table): TableWatermark => {
    const row = rows.find((candidate) => candidate["table_name"] === table)
    const text = (name: string) => Option.fromNullishOr(row?.[name]).pipe(Option.map(String))
    return {
      table,
      through: text("through"),
      parked: Option.map(text("parked_reason"), (reason) => ({
        reason,
        contract: Option.getOrElse(text("parked_contract"), () => "")
      }))
    }
  })
})

/** Takes the tables' lock rows, in one order. A table without one was never prepared: two tasks could load it at once. */
export const lock = Effect.fnUntraced(function* (session: Session, tables: ReadonlyArray<string>) {
  const locked = yield* session.execute(
    `UPDATE northstar.tables SET locks = locks + 1 WHERE table_name IN (${tables.toSorted().map(literal).join(", ")})`
  )
  if (locked >= tables.length) return
  return yield* new ConnectorError({
    connector: "warehouse",
    operation: "lock",
    detail: `${tables.length - locked} of the tables ${tables.join(", ")} are not prepared in the warehouse`,
    action: "Start the program again: it prepares the tables of its configuration first",
    reason: new Misconfigured({ detail: "tables" })
  })
})

/**
 * Takes the tables' lock rows and only then compares: an engine that lets a blocked UPDATE go on with an old snapshot
 * compares in the next statement, which sees what the other publisher committed. Tables `leftOut` must be parked: one
 * that another task let rejoin meanwhile would fall behind.
 */
export const lockAndCompare = Effect.fnUntraced(function* (
  session: Session,
  key: StreamKey,
  tables: ReadonlyArray<string>,
  after: Option.Option<string>,
  leftOut: ReadonlyArray<string> = []
) {
  if (tables.length === 0) return
  yield* lock(session, tables)
  const standing = yield* load(session, key, tables)
  const main = furthest(standing)
  const others = yield* load(session, key, leftOut)
  const fits =
    standing.every(({ through }) => Option.isNone(through) || same(through, after)) &&
    same(main, after) &&
    others.every(({ parked }) => Option.isSome(parked))
  if (!fits) return yield* new WatermarkConflict({ key, batchAfter: after, watermark: main })
})

/** The position that a stream's tables share; tables without a row join it. Log positions sort as their texts do. */
export const furthest = (watermarks: ReadonlyArray<TableWatermark>): Option.Option<string> =>
  watermarks.reduce<Option.Option<string>>(
    (main, { through }) => (Option.getOrElse(through, () => "") > Option.getOrElse(main, () => "") ? through : main),
    Option.none()
  )

const same = (left: Option.Option<string>, right: Option.Option<string>): boolean =>
  Option.getOrUndefined(left) === Option.getOrUndefined(right)

/** What a batch says about time, Unix milliseconds. */
export interface Times {
  readonly committedAtMs: Option.Option<number>
  readonly completeThroughMs: Option.Option<number>
  readonly nowMs: number
}

/** Moves the watermarks of the tables that a batch carries. */
export const move = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  key: StreamKey,
  tables: ReadonlyArray<string>,
  to: { readonly positionType: string; readonly through: string; readonly times: Times }
) {
  const { times } = to
  const instant = (ms: Option.Option<number>, column: string) =>
    Option.match(ms, { onNone: () => column, onSome: (value) => dialect.instant(value) })
  for (const table of tables) {
    const where = `${ofStream(key)} AND table_name = ${literal(table)}`
    const updated = yield* session.execute(
      `UPDATE northstar.watermarks SET through = ${literal(to.through)}, position_type = ${literal(to.positionType)},
        committed_at = ${instant(times.committedAtMs, "committed_at")}, complete_through = ${instant(times.completeThroughMs, "complete_through")},
        moved_at = ${dialect.instant(times.nowMs)} WHERE ${where}`
    )
    if (updated > 0) continue
    yield* session.execute(
      `INSERT INTO northstar.watermarks SELECT ${literal(key.pipeline)}, ${literal(key.stream)}, ${literal(table)}, ${literal(to.positionType)}, ${literal(to.through)},
        ${instant(times.committedAtMs, "NULL")}, ${instant(times.completeThroughMs, "NULL")}, NULL, NULL, ${dialect.instant(times.nowMs)}`
    )
  }
})

/** Parks a table where it stands: it is left out of batches until its contract changes. */
export const park = Effect.fnUntraced(function* (
  session: Session,
  dialect: Dialect,
  key: StreamKey,
  table: string,
  parked: { readonly reason: string; readonly contract: string; readonly positionType: string; readonly nowMs: number }
) {
  const set = `parked_reason = ${literal(parked.reason)}, parked_contract = ${literal(parked.contract)}`
  const updated = yield* session.execute(
    `UPDATE northstar.watermarks SET ${set} WHERE ${ofStream(key)} AND table_name = ${literal(table)}`
  )
  if (updated > 0) return
  yield* session.execute(
    `INSERT INTO northstar.watermarks SELECT ${literal(key.pipeline)}, ${literal(key.stream)}, ${literal(table)}, ${literal(parked.positionType)}, NULL, NULL, NULL,
      ${literal(parked.reason)}, ${literal(parked.contract)}, ${dialect.instant(parked.nowMs)}`
  )
})

/**
 * Lets a parked table load with the others again if it stands where they do, and says whether; the others may have moved
 * on since it caught up. `tables` are all of the stream's.
 */
export const rejoin = (session: Session, key: StreamKey, table: string, tables: ReadonlyArray<string>) =>
  session.transaction(
    Effect.gen(function* () {
      yield* lock(session, tables)
      const others = `SELECT max(through) FROM northstar.watermarks WHERE ${ofStream(key)} AND parked_reason IS NULL`
      const rejoined = yield* session.execute(
        `UPDATE northstar.watermarks SET parked_reason = NULL, parked_contract = NULL WHERE ${ofStream(key)} AND table_name = ${literal(table)} AND through = coalesce((${others}), through)`
      )
      return rejoined > 0
    })
  )

/** Removes a stream's watermarks: it is finished, and the log need not be kept for it. */
export const forget = (session: Session, key: StreamKey) =>
  session.execute(`DELETE FROM northstar.watermarks WHERE ${ofStream(key)}`)
