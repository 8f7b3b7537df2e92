import { Duration, Effect, Option } from "effect"
import { ConnectorError, HistoryLost, Unauthorized } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import type { Connection } from "./Connection.ts"
import { busy, invalid, misconfigured } from "./Failure.ts"
import { format, parseLsn, type PostgresPosition } from "./Position.ts"
import { relation } from "./Sql.ts"

/** A replication slot as it stands. */
export interface Slot {
  /** Everything before is confirmed: the server will not send it again. */
  readonly confirmed: bigint
  readonly walStatus: string | null
  /** PID of the server's process that streams from it now. */
  readonly holder: string | null
  /** Kept in step with a failover slot of a primary (17 and newer); stays set after a promotion. */
  readonly isSynced: boolean
}

/** The server that answered, by `IDENTIFY_SYSTEM`. */
export interface System {
  readonly identifier: string
  readonly timeline: number
  /** End of the flushed WAL. */
  readonly flushed: bigint
}

/** Reads the slot; a missing one, or one that is not ours to use, is `Misconfigured`. */
export const read = Effect.fn("Slot.read")(function* (
  connection: Connection,
  slot: string,
  major: number
): Effect.fn.Return<Slot, ConnectorError> {
  const synced = major >= 17 ? "synced" : "false"
  const [row] = yield* connection.query(
    `select coalesce(plugin, ''), database = current_database(), confirmed_flush_lsn, wal_status, ${synced}, active_pid
     from pg_replication_slots where slot_name = $1`,
    [slot]
  )
  const apply = "Run `northstar source apply` with an owner's URL."
  if (row === undefined) return yield* misconfigured("open the slot", `replication slot ${slot} does not exist`, apply)
  const [plugin, isHere, confirmed, walStatus, isSynced, holder] = row
  if (plugin !== "pgoutput" || isHere !== "t" || typeof confirmed !== "string") {
    const detail = `replication slot ${slot} is of another plugin than pgoutput or of another database`
    return yield* misconfigured("open the slot", detail, "Name another slot.")
  }
  return {
    confirmed: parseLsn(confirmed),
    walStatus: walStatus ?? null,
    isSynced: isSynced === "t",
    holder: holder ?? null
  }
})

/**
 * The slot once nobody streams from it. `own` is the PID of a walsender that this process has left: after a cut the server
 * learns of it only by `wal_sender_timeout`, so it is ended here. (Should that number name another reader by now, it too
 * only has to connect again.) Anybody else's is `Busy`, for as long as a dead one may stay.
 */
export const free = Effect.fn("Slot.free")(function* (
  connection: Connection,
  name: string,
  { major, own }: { readonly major: number; readonly own: number | undefined }
): Effect.fn.Return<Slot, ConnectorError> {
  let slot = yield* read(connection, name, major)
  for (let look = 0; look < ownLooks && slot.holder !== null && slot.holder === String(own); look++) {
    yield* connection.query(
      "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active_pid = $2",
      [name, slot.holder]
    )
    yield* Effect.sleep("100 millis")
    slot = yield* read(connection, name, major)
  }
  if (slot.holder === null) return slot
  const [row] = yield* connection.query("select setting from pg_settings where name = 'wal_sender_timeout'")
  const timeoutMs = Number(row?.[0] ?? 0) || timeoutDefaultMs
  const holder = `PID ${slot.holder}`
  // The server looks at its clock now and then, not at the moment itself.
  const leavesWithin = Duration.millis(timeoutMs * 1.2 + 5000)
  return yield* busy("start", `slot ${name} is in use by ${holder}`, holder, leavesWithin)
})

/** Looks at a slot whose holder is being ended, a tenth of a second apart. */
const ownLooks = 20
/** PostgreSQL's own default of `wal_sender_timeout`, where none is set. */
const timeoutDefaultMs = 60_000

/** Asks a walsender session who it is. */
export const identify = Effect.fn("Slot.identify")(function* (walsender: Connection) {
  const [row] = yield* walsender.query("IDENTIFY_SYSTEM")
  const [identifier, timeline, flushed] = row ?? []
  if (typeof identifier !== "string" || typeof timeline !== "string" || typeof flushed !== "string") {
    return yield* invalid("identify the server", "the server did not say who it is")
  }
  return { identifier, timeline: Number(timeline), flushed: parseLsn(flushed) } satisfies System
})

/** Checks that the publication exists and tells all of each table that a contract needs; else `Misconfigured`. */
export const checkPublication = Effect.fn("Slot.checkPublication")(function* (
  connection: Connection,
  publication: string,
  tables: ReadonlyArray<Table>
) {
  const refuse = (detail: string) =>
    misconfigured("open the publication", detail, "Run `northstar source apply` with an owner's URL.")
  const [operations] = yield* connection.query(
    "select pubinsert and pubupdate and pubdelete and pubtruncate from pg_publication where pubname = $1",
    [publication]
  )
  if (operations === undefined) return yield* refuse(`publication ${publication} does not exist`)
  if (operations[0] !== "t") return yield* refuse(`publication ${publication} leaves out some kind of change`)
  const published = yield* connection.query(
    `select schemaname || '.' || tablename, to_json(attnames)::text, rowfilter is not null
     from pg_publication_tables where pubname = $1`,
    [publication]
  )
  for (const table of tables) {
    const found = published.find((row) => row[0] === table.source)
    const where = `publication ${publication}: ${table.source}`
    if (found === undefined)
      return yield* refuse(`${where} is not in it (a partitioned table needs publish_via_partition_root)`)
    // Sound: the server built it from `name` values only.
    const columns = JSON.parse(found[1] ?? "[]") as ReadonlyArray<string>
    const missing = table.key.filter((name) => !columns.includes(name))
    if (missing.length > 0) return yield* refuse(`${where} is published without its key ${missing.join(", ")}`)
    if (found[2] === "t") return yield* refuse(`${where} is published with a row filter`)
  }
})

/** Checks that the role may read the tables, as snapshots do; else `Unauthorized`. */
export const checkRights = Effect.fn("Slot.checkRights")(function* (
  connection: Connection,
  tables: ReadonlyArray<Table>
): Effect.fn.Return<void, ConnectorError> {
  const [row] = yield* connection.query(
    `select string_agg(t, ', ') from unnest($1::text[]) t
     where to_regclass(t) is not null and not has_any_column_privilege(to_regclass(t)::oid, 'SELECT')`,
    [tables.map((table) => relation(table.source))]
  )
  if (typeof row?.[0] !== "string") return
  const detail = `the role may not read ${row[0]}`
  return yield* new ConnectorError({
    connector: "postgres",
    operation: "open the source",
    detail,
    action: "Grant SELECT on them to the role, or run `northstar source apply` with an owner's URL.",
    reason: new Unauthorized({ cause: new Error(detail) })
  })
})

/**
 * Law S6: whether the slot still continues from `after`. It must be the same slot of the same cluster, must not have been
 * confirmed beyond what is durable with us, and the server's WAL must reach that far. A new timeline continues ours if
 * it forked at or after our position and the slot had been synchronised.
 */
export const checkIncarnation = Effect.fn("Slot.checkIncarnation")(function* (
  walsender: Connection,
  after: PostgresPosition,
  now: { readonly system: System; readonly slot: Slot; readonly name: string }
) {
  const { system, slot } = now
  const refuse = (detail: string) => historyLost(after, detail)
  if (system.identifier !== after.systemIdentifier) {
    return yield* refuse("this is another PostgreSQL cluster than the one the position came from")
  }
  if (now.name !== after.slot) return yield* refuse(`the position is of slot ${after.slot}, not of ${now.name}`)
  if (slot.walStatus === "lost") return yield* refuse(`slot ${now.name} lost the WAL it needs (wal_status is lost)`)
  if (slot.confirmed > after.lsn) {
    return yield* refuse(`slot ${now.name} was re-created, or somebody else moved it: it starts behind our position`)
  }
  if (system.flushed < after.lsn) {
    return yield* refuse("the server's WAL ends before our position: it was restored from an older state")
  }
  if (system.timeline === after.timeline) return
  const fork = yield* forkOf(walsender, system.timeline, after.timeline)
  if (Option.isNone(fork) || fork.value < after.lsn || !slot.isSynced) {
    return yield* refuse(
      `the server is on timeline ${system.timeline}, which does not continue timeline ${after.timeline} for this slot`
    )
  }
})

/** The source cannot continue from a position. */
const historyLost = (after: PostgresPosition, detail: string): ConnectorError =>
  new ConnectorError({
    connector: "postgres",
    operation: "resume",
    detail: `${detail}; our position is ${format(after)}`,
    action:
      "Nothing was skipped. Accept the new incarnation by raising the source's epoch, which takes a new snapshot.",
    reason: new HistoryLost({ after: format(after) })
  })

/** Where `timeline`'s history left `from`. Each line of a history file: a parent timeline, the LSN where it was left, a reason. */
const forkOf = Effect.fnUntraced(function* (walsender: Connection, timeline: number, from: number) {
  if (timeline < from) return Option.none<bigint>()
  const [row] = yield* walsender.query(`TIMELINE_HISTORY ${timeline}`)
  const lines = (row?.[1] ?? "").split("\n").map((line) => line.trim().split(/\s+/))
  const left = lines.find((fields) => fields[0] === String(from))?.[1]
  return left === undefined ? Option.none<bigint>() : Option.some(parseLsn(left))
})
