import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Connection } from "./Connection.ts"
import { misconfigured } from "./Failure.ts"
import { literal } from "./Sql.ts"

/** What is set up at a source, as far as a plan has to know. */
export interface SourceState {
  readonly major: number
  /** Amazon RDS and Aurora: replication is a granted role there, not an attribute. */
  readonly isRds: boolean
  readonly publication: Publication | undefined
  readonly role:
    | { readonly canLogin: boolean; readonly canReplicate: boolean; readonly seesAllRows: boolean }
    | undefined
  /** Schemas that the role may use. */
  readonly schemas: ReadonlySet<string>
  /** What the role may read, by source name. */
  readonly grants: ReadonlyMap<string, Grant>
  readonly hasSlot: boolean
}

export interface Publication {
  /** Publishes every operation, and partitions as their root. */
  readonly complete: boolean
  /** Schemas of which every table is published. */
  readonly schemas: ReadonlyArray<string>
  readonly tables: ReadonlyArray<PublishedTable>
}

export interface PublishedTable {
  readonly source: string
  /** `undefined` is all of them. */
  readonly columns: ReadonlyArray<string> | undefined
  /** Publishes only some rows. */
  readonly filtered: boolean
}

export interface Grant {
  /** May read the whole table. */
  readonly all: boolean
  /** Columns that may be read, by whatever right. */
  readonly columns: ReadonlyArray<string>
  /** Columns that may be read by a grant to the role itself. */
  readonly direct: ReadonlyArray<string>
}

/** Names of what a plan is about. */
export interface Names {
  readonly publication: string
  readonly slot: string
  readonly role: string
}

/**
 * Reads the state. Fails with `Misconfigured` for what no step could mend: a publication of all tables, a slot of another
 * database or plugin.
 */
export const read = Effect.fn("SourceState.read")(function* (connection: Connection, names: Names) {
  const [server] = yield* connection.query(
    "SELECT current_setting('server_version_num'), EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication')::text"
  )
  const isRds = server?.[1] === "true"
  const [role] = yield* connection.query(roleSql(names.role, isRds))
  const schemas = yield* connection.query(schemasSql(names.role))
  const grants = yield* connection.query(grantsSql(names.role))
  return {
    major: Math.floor(Number(server?.[0]) / 10_000),
    isRds,
    publication: yield* readPublication(connection, names.publication),
    role:
      role === undefined
        ? undefined
        : { canLogin: role[0] === "true", canReplicate: role[1] === "true", seesAllRows: role[2] === "true" },
    schemas: new Set(schemas.map((row) => row[0] ?? "")),
    grants: new Map(
      grants.map(([source, all, columns, direct]) => [
        source ?? "",
        { all: all === "true", columns: nameList(columns) ?? [], direct: nameList(direct) ?? [] }
      ])
    ),
    hasSlot: yield* hasSlot(connection, names.slot)
  } satisfies SourceState
})

const readPublication = Effect.fnUntraced(function* (
  connection: Connection,
  name: string
): Effect.fn.Return<Publication | undefined, ConnectorError> {
  const [publication] = yield* connection.query(publicationSql(name))
  if (publication === undefined) return undefined
  if (publication[0] === "true") {
    return yield* misconfigured(
      "plan the source",
      `publication ${name} is FOR ALL TABLES, which publishes tables without a primary key too`,
      "Name another publication, or drop this one."
    )
  }
  const tables = yield* connection.query(publishedSql(name))
  return {
    complete: publication[1] === "true",
    schemas: nameList(publication[2]) ?? [],
    tables: tables.map(([source, columns, filtered]) => ({
      source: source ?? "",
      columns: nameList(columns),
      filtered: filtered === "true"
    }))
  }
})

const hasSlot = Effect.fnUntraced(function* (
  connection: Connection,
  name: string
): Effect.fn.Return<boolean, ConnectorError> {
  const [slot] = yield* connection.query(
    `SELECT coalesce(plugin = 'pgoutput' AND database = current_database(), false)::text
     FROM pg_replication_slots WHERE slot_name = ${literal(name)}`
  )
  if (slot === undefined || slot[0] === "true") return slot !== undefined
  return yield* misconfigured(
    "plan the source",
    `slot ${name} exists for another database or another plugin than pgoutput`,
    "Name another slot, or drop this one."
  )
})

/** A list of names as the server's `json_agg` wrote it. */
const nameList = (json: string | null | undefined): ReadonlyArray<string> | undefined =>
  // Sound: the statements below build it from `name` values only.
  json === null || json === undefined ? undefined : (JSON.parse(json) as ReadonlyArray<string>)

const roleSql = (role: string, isRds: boolean) => `
  SELECT rolcanlogin::text,
    (rolsuper OR rolreplication ${isRds ? "OR pg_has_role(oid, 'rds_replication', 'MEMBER')" : ""})::text,
    (rolsuper OR rolbypassrls)::text
  FROM pg_roles WHERE rolname = ${literal(role)}`

const schemasSql = (role: string) => `
  SELECT n.nspname FROM pg_roles r, pg_namespace n
  WHERE r.rolname = ${literal(role)} AND has_schema_privilege(r.oid, n.oid, 'USAGE')`

const grantsSql = (role: string) => `
  SELECT n.nspname || '.' || c.relname, has_table_privilege(r.oid, c.oid, 'SELECT')::text,
    columns.readable, columns.direct
  FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL (
    SELECT json_agg(a.attname) FILTER (WHERE has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'))::text AS readable,
      json_agg(a.attname) FILTER (WHERE EXISTS (
        SELECT FROM (SELECT (aclexplode(c.relacl)).* UNION ALL SELECT (aclexplode(a.attacl)).*) g
        WHERE g.grantee = r.oid AND g.privilege_type = 'SELECT'))::text AS direct
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  ) columns
  WHERE r.rolname = ${literal(role)} AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND has_any_column_privilege(r.oid, c.oid, 'SELECT')`

const publicationSql = (name: string) => `
  SELECT p.puballtables::text,
    (p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot)::text,
    (SELECT coalesce(json_agg(n.nspname ORDER BY n.nspname), '[]') FROM pg_publication_namespace pn
      JOIN pg_namespace n ON n.oid = pn.pnnspid WHERE pn.pnpubid = p.oid)::text
  FROM pg_publication p WHERE p.pubname = ${literal(name)}`

const publishedSql = (name: string) => `
  SELECT n.nspname || '.' || c.relname,
    CASE WHEN pr.prattrs IS NOT NULL THEN (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum = ANY (pr.prattrs::int2[]))::text END,
    (pr.prqual IS NOT NULL)::text
  FROM pg_publication p JOIN pg_publication_rel pr ON pr.prpubid = p.oid
  JOIN pg_class c ON c.oid = pr.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE p.pubname = ${literal(name)} ORDER BY 1`
