import { Effect, Redacted } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { Connection } from "../postgres/Connection.ts"
import { open } from "../postgres/Connection.ts"
import * as Plan from "../postgres/Plan.ts"
import { literal } from "../postgres/Sql.ts"
import type { PostgresFeed } from "./Project.ts"

/** What the source lacks for this project. */
export interface SetupPlan {
  readonly slot: string
  readonly publication: string
  /** The role that capture connects as. */
  readonly role: string
  readonly steps: ReadonlyArray<Plan.Step>
  /** All steps, for `psql`. */
  readonly sql: string
}

/** Reads the source as its owner and says what is missing; changes nothing. */
export const plan = Effect.fn("SourceSetup.plan")(function* (feed: PostgresFeed, owner: Redacted.Redacted) {
  return yield* Effect.scoped(Effect.flatMap(open({ url: owner }), (connection) => planOn(connection, feed)))
})

/** Plans again and applies what it finds, as the owner. Steps that take something away are applied only when `destructive`. */
export const apply = Effect.fn("SourceSetup.apply")(function* (
  feed: PostgresFeed,
  owner: Redacted.Redacted,
  options: { readonly destructive: boolean }
) {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* open({ url: owner })
      yield* Plan.checkServer(connection, feed.source.slot)
      const planned = yield* planOn(connection, feed)
      const refused = planned.steps.filter((step) => step.destructive)
      if (refused.length > 0 && !options.destructive) {
        return yield* misconfigured(
          `the plan takes away what somebody may use: ${refused.map((step) => step.description).join("; ")}`,
          "Read it with northstar source plan; then run northstar source apply --allow-destructive."
        )
      }
      yield* Plan.apply(connection, planned.steps)
      return planned
    })
  )
})

/** The steps towards capturing the project's tables as `role`. */
export const steps = (connection: Connection, feed: PostgresFeed, role: string) =>
  Plan.make(connection, {
    publication: feed.source.publication,
    slot: feed.source.slot,
    role,
    tables: feed.tables,
    failover: true
  })

/** The statements of a plan as one script. */
export const render = (steps: ReadonlyArray<Plan.Step>): string =>
  steps.map((step) => `-- ${step.description.replaceAll(/\s+/g, " ")}\n${step.sql};\n`).join("\n")

/** The role of a session. */
export const currentRole = Effect.fnUntraced(function* (connection: Connection) {
  const [row] = yield* connection.query("SELECT current_user::text")
  return row?.[0] ?? ""
})

/** Whether the session may create the publication and the slot: it owns every table, may create in the database and may replicate. */
export const isOwner = Effect.fnUntraced(function* (connection: Connection, feed: PostgresFeed) {
  const sources = feed.tables.map((table) => literal(table.source)).join(", ")
  const [row] = yield* connection.query(`
    SELECT (r.rolsuper OR (
      (r.rolreplication OR EXISTS (SELECT FROM pg_roles s WHERE s.rolname = 'rds_replication' AND pg_has_role(r.oid, s.oid, 'MEMBER')))
      AND has_database_privilege(current_database(), 'CREATE')
      AND NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname || '.' || c.relname IN (${sources}) AND NOT pg_has_role(r.oid, c.relowner, 'USAGE')
      )))::text
    FROM pg_roles r WHERE r.rolname = current_user`)
  return row?.[0] === "true"
})

const planOn = Effect.fnUntraced(function* (connection: Connection, feed: PostgresFeed) {
  const role = yield* captureRole(connection, feed)
  const planned = yield* steps(connection, feed, role)
  return {
    slot: feed.source.slot,
    publication: feed.source.publication,
    role,
    steps: planned,
    sql: render(planned)
  } satisfies SetupPlan
})

/** The user of the source's URL; without a URL the owner itself captures. */
const captureRole = Effect.fnUntraced(function* (connection: Connection, feed: PostgresFeed) {
  const url = feed.source.url
  if (url === undefined) return yield* currentRole(connection)
  const text = Redacted.value(url)
  const user = URL.canParse(text) ? decodeURIComponent(new URL(text).username) : ""
  return user === "" ? yield* currentRole(connection) : user
})

const misconfigured = (detail: string, action: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "postgres",
      operation: "set the source up",
      detail,
      action,
      reason: new Misconfigured({ detail })
    })
  )
