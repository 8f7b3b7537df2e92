import { Clock, Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Catalog from "../postgres/Catalog.ts"
import * as Connection from "../postgres/Connection.ts"
import { misconfigured } from "../postgres/Failure.ts"
import { literal } from "../postgres/Sql.ts"
import * as Slot from "../postgres/Slot.ts"
import { checkServer } from "../postgres/ServerCheck.ts"
import type { Finding } from "./Doctor.ts"
import type { PostgresFeed } from "./Project.ts"

/** Findings about the source, in the order in which they depend on each other. Reads catalogues only. */
export const examine = (feed: PostgresFeed): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const { publication, slot, url } = feed.source
    if (url === undefined) return []
    const connection = yield* Connection.open({ url })
    const server = yield* check("server", checkServer(connection, slot), ({ major, slotsFree, sendersFree }) =>
      ok(`PostgreSQL ${major}, wal_level logical, ${slotsFree} slots and ${sendersFree} WAL senders free`)
    )
    const rest = yield* Effect.all([
      check("role", role(connection, feed), ok),
      check("tables", tables(connection, feed), (found) => found),
      check("publication", Slot.checkPublication(connection, publication, feed.tables), () =>
        ok(`${publication} publishes all ${feed.tables.length} tables`)
      ),
      check("slot", slotState(connection, feed), (found) => found),
      check("clock", clock(connection), (found) => found)
    ])
    return [{ name: "source", status: "ok", detail: "reachable", action: "" } as const, server, ...rest]
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => Effect.succeed([failure("source", error)]))
  )

type Outcome = Omit<Finding, "name">

const ok = (detail: string): Outcome => ({ status: "ok", detail, action: "" })

const failure = (name: string, error: ConnectorError): Finding => ({
  name,
  status: "fail",
  detail: error.detail,
  action: error.action
})

const check = <A>(name: string, effect: Effect.Effect<A, ConnectorError>, f: (value: A) => Outcome) =>
  effect.pipe(
    Effect.map((value): Finding => ({ name, ...f(value) })),
    Effect.catch((error) => Effect.succeed(failure(name, error)))
  )

const role = Effect.fnUntraced(function* (connection: Connection.Connection, feed: PostgresFeed) {
  yield* Slot.checkRights(connection, feed.tables)
  const [row] = yield* connection.query(`
    SELECT current_user::text, (r.rolsuper OR r.rolreplication OR EXISTS (
      SELECT FROM pg_roles s WHERE s.rolname = 'rds_replication' AND pg_has_role(r.oid, s.oid, 'MEMBER')))::text
    FROM pg_roles r WHERE r.rolname = current_user`)
  const [name, mayReplicate] = row ?? []
  if (mayReplicate === "true") return `${name} may replicate and read all tables`
  return yield* misconfigured(
    "look at the role",
    `the role ${name ?? ""} has no REPLICATION right`,
    "Run northstar source apply with an owner's URL, or ALTER ROLE … REPLICATION (Amazon RDS: GRANT rds_replication)."
  )
})

const tables = Effect.fnUntraced(function* (connection: Connection.Connection, feed: PostgresFeed) {
  const catalog = yield* Catalog.read(connection)
  const problems = feed.tables.flatMap((contract): ReadonlyArray<Outcome> => {
    const table = Catalog.find(catalog, contract.source)
    if (table === undefined) {
      const detail = `${contract.source} does not exist`
      return [{ status: "fail", detail, action: "Create it, or remove it from the project." }]
    }
    const problem = Catalog.unpublishable(table)
    if (problem !== undefined) return [{ status: "fail", ...problem }]
    const { added, key, removed, retyped } = Catalog.drift(contract, table)
    const broken = [...removed, ...retyped.map(({ name }) => name), ...(key === undefined ? [] : ["its primary key"])]
    const action = `Bring the contract of ${contract.name} to what the table is.`
    if (broken.length > 0) {
      return [
        { status: "fail", detail: `${contract.source} no longer fits its contract: ${broken.join(", ")}`, action }
      ]
    }
    if (added.length === 0) return []
    const names = added.map(({ name }) => name).join(", ")
    return [
      { status: "warn", detail: `${contract.source} has columns that its contract does not name: ${names}`, action }
    ]
  })
  if (problems.length === 0) return ok("every table exists, has a primary key and fits its contract")
  return {
    status: problems.some(({ status }) => status === "fail") ? "fail" : "warn",
    detail: problems.map(({ detail }) => detail).join("; "),
    action: [...new Set(problems.map(({ action }) => action))].join(" ")
  } satisfies Outcome
})

const slotState = Effect.fnUntraced(function* (connection: Connection.Connection, { source }: PostgresFeed) {
  const { walStatus } = yield* Slot.read(connection, source.slot, 15)
  const [row] = yield* connection.query(
    `SELECT active::text, coalesce(active_pid::text, ''), pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::text
    FROM pg_replication_slots WHERE slot_name = ${literal(source.slot)}`
  )
  const [active, pid, retained] = row ?? []
  const held = Number(retained ?? 0)
  const detail = `${source.slot} is ${active === "true" ? `read by PID ${pid}` : "idle"} and keeps ${(held / 1024 ** 2).toFixed(0)} MiB of WAL (wal_status ${walStatus})`
  if (walStatus === "lost") {
    const action = "The history is gone: drop the slot, raise source.epoch by one, and run northstar source apply."
    return { status: "fail", detail, action } satisfies Outcome
  }
  if (walStatus === "unreserved" || held > source.guard.warnBytes) {
    const action = "Run northstar ingest: the server keeps WAL on its disk until it is captured."
    return { status: "warn", detail, action } satisfies Outcome
  }
  return ok(detail)
})

/** Clocks further apart than this make lags meaningless. */
const skewMaxMs = 2000

const clock = Effect.fnUntraced(function* (connection: Connection.Connection) {
  const before = yield* Clock.currentTimeMillis
  const [row] = yield* connection.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text")
  const after = yield* Clock.currentTimeMillis
  // Against the middle of the question: half of the way there and back is not skew.
  const skewMs = Math.round(Number(row?.[0]) - (before + after) / 2)
  const detail = `the source's clock is ${Math.abs(skewMs)} ms ${skewMs < 0 ? "behind" : "ahead of"} ours`
  if (Math.abs(skewMs) <= skewMaxMs) return ok(detail)
  return {
    status: "warn",
    detail,
    action: "Synchronise both clocks (NTP): lags are computed from them."
  } satisfies Outcome
})
