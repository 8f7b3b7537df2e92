import { Effect } from "effect"
import type { Connection } from "./Connection.ts"
import { misconfigured } from "./Failure.ts"
import { literal } from "./Sql.ts"

/** What a server offers to replication. */
export interface Capacity {
  readonly major: number
  /** Slots and WAL senders that are not in use. */
  readonly slotsFree: number
  readonly sendersFree: number
}

/**
 * Checks that a server can be captured from: PostgreSQL 15 to 18, `wal_level = logical`, and a free WAL sender and slot
 * unless the slot exists. Each failure is `Misconfigured` and names the setting to change.
 */
export const checkServer = Effect.fn("ServerCheck.checkServer")(function* (connection: Connection, slot: string) {
  const [row] = yield* connection.query(serverSql(slot))
  const [version, walLevel, slotsFree, sendersFree, exists, isActive] = row ?? []
  const major = Math.floor(Number(version) / 10_000)
  const refuse = (detail: string, action: string) => misconfigured("check the server", detail, action)
  if (major < majorMin || major > majorMax) {
    return yield* refuse(`PostgreSQL ${major} is not supported`, `Use PostgreSQL ${majorMin} to ${majorMax}.`)
  }
  if (walLevel !== "logical") {
    return yield* refuse(
      `wal_level is ${walLevel}, not logical`,
      "Run ALTER SYSTEM SET wal_level = 'logical' and restart the server (Amazon RDS: set rds.logical_replication = 1 in its parameter group and reboot)."
    )
  }
  if (Number(slotsFree) < 1 && exists !== "true") {
    return yield* refuse(
      "every replication slot is in use",
      "Raise max_replication_slots and restart the server, or drop a slot that nobody needs."
    )
  }
  if (Number(sendersFree) < 1 && isActive !== "true") {
    return yield* refuse(
      "every WAL sender is in use",
      "Raise max_wal_senders and restart the server, or stop a replication client."
    )
  }
  return { major, slotsFree: Number(slotsFree), sendersFree: Number(sendersFree) } satisfies Capacity
})

const majorMin = 15
const majorMax = 18

const serverSql = (slot: string) => `
  SELECT current_setting('server_version_num'), current_setting('wal_level'),
    current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),
    current_setting('max_wal_senders')::int
      - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'),
    EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${literal(slot)})::text,
    EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = ${literal(slot)} AND active)::text`
