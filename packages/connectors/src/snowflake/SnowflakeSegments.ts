import { Effect, type Scope } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { declare } from "@northstar/core/Failpoint"
import type { Segment } from "../landing/Segment.ts"
import { type Dialect, literal } from "../warehouse/Dialect.ts"
import type { AttachedSegment, Session } from "../warehouse/Warehouse.ts"
import { schema } from "./SnowflakeConfig.ts"
import { refused } from "./SnowflakeError.ts"

const step = declare("snowflake", ["attached"])

/** Files of one COPY: Snowflake's limit of an explicit list. */
const filesMax = 1_000

/** The segment's own columns as the raw table has them: `_committed_at` is in Unix microseconds. */
const own: ReadonlyArray<readonly [name: string, type: string]> = [
  ["_op", "NUMBER(38,0)"],
  ["_position", "NUMBER(38,0)"],
  ["_ordinal", "NUMBER(38,0)"],
  ["_committed_at", "NUMBER(38,0)"],
  ["_unchanged", "VARCHAR"],
  ["_moved_from", "VARCHAR"],
  ["_flagged", "VARCHAR"]
]

/** Where segments are found, and how their columns are named. */
export interface Options {
  readonly dialect: Dialect
  /** The external stage over the landing log. */
  readonly stage: string
}

/**
 * Copies segments of one table into a new temporary table of the session, dropped when the scope closes: `own`, then
 * `_segment_file` and `_segment_row`, then every column of every relation as text under `dialect.id(name)`. A temporary
 * table is always empty at first, so that Snowflake's load metadata never decides what is loaded. `file` of an attached
 * segment is `<table>|<value of _segment_file>`. Fails with `InvalidData` unless every file has the rows that the log recorded.
 */
export const attach = Effect.fn("SnowflakeSegments.attach")(function* (
  session: Session,
  { dialect, stage }: Options,
  table: string,
  segments: ReadonlyArray<Segment>
): Effect.fn.Return<ReadonlyArray<AttachedSegment>, ConnectorError, Scope.Scope> {
  if (segments.length === 0) return []
  const raw = yield* rawTable(session, dialect, table, segments)
  for (const group of Map.groupBy(segments, ({ file }) => file.fingerprint).values()) {
    for (let start = 0; start < group.length; start += filesMax) {
      yield* session.execute(copy(dialect, raw, stage, group.slice(start, start + filesMax)))
    }
  }
  const attached = yield* verify(session, raw, segments)
  yield* step("attached")
  return attached
})

/** Raw tables made so far, by which each has a name of its own in its session. */
let tables = 0

const rawTable = (session: Session, dialect: Dialect, table: string, segments: ReadonlyArray<Segment>) => {
  const raw = `${schema}.raw_${table
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .slice(0, 60)}_${++tables}`
  const texts = new Set(segments.flatMap(({ columns }) => columns.map(({ name }) => dialect.id(name))))
  const columns = [
    ...own.map(([name, type]) => `${name} ${type}`),
    "_segment_file VARCHAR",
    "_segment_row NUMBER(38,0)",
    ...[...texts].map((name) => `${name} VARCHAR`)
  ]
  return Effect.acquireRelease(
    Effect.as(session.execute(`CREATE TEMPORARY TABLE ${raw} (${columns.join(", ")})`), raw),
    // What cannot be dropped ends with the session.
    () => Effect.ignore(session.execute(`DROP TABLE IF EXISTS ${raw}`)),
    { interruptible: true }
  )
}

/** One COPY of files of one relation. `NULL_IF = ()`, since by default the text `\N` would become NULL. */
const copy = (dialect: Dialect, raw: string, stage: string, segments: ReadonlyArray<Segment>): string => {
  const texts = segments[0]!.columns.map(({ name }) => name)
  const target = [
    ...own.map(([name]) => name),
    "_segment_file",
    "_segment_row",
    ...texts.map((name) => dialect.id(name))
  ]
  const source = [
    ...own.map(([name, type]) => `${field(name)}::${type}`),
    "METADATA$FILENAME",
    "METADATA$FILE_ROW_NUMBER",
    ...texts.map((name) => `${field(name)}::VARCHAR`)
  ]
  return `COPY INTO ${raw} (${target.join(", ")})
FROM (SELECT ${source.join(", ")} FROM @${stage})
FILES = (${segments.map(({ file }) => literal(file.path)).join(", ")})
FILE_FORMAT = (TYPE = PARQUET NULL_IF = ()) ON_ERROR = ABORT_STATEMENT FORCE = TRUE`
}

/** A column of a Parquet file, by its exact name. */
const field = (name: string): string => `$1:"${name.replaceAll('"', '""')}"`

/**
 * Compares what is in the raw table with the log, file by file. Snowflake names files by their path in the bucket: the key
 * after whatever path the stage's URL has.
 */
const verify = Effect.fnUntraced(function* (session: Session, raw: string, segments: ReadonlyArray<Segment>) {
  const loaded = yield* session.query(
    `SELECT _segment_file AS f, count(*) AS n FROM ${raw} GROUP BY _segment_file`,
    [],
    { rowsMax: segments.length }
  )
  const files = loaded.map(({ f, n }) => ({ name: String(f), rows: Number(n) }))
  const attached: Array<AttachedSegment> = []
  for (const segment of segments) {
    const { path, rows } = segment.file
    const found = files.filter(({ name }) => name === path || name.endsWith(`/${path}`))
    const written = found.reduce((sum, file) => sum + file.rows, 0)
    if (found.length > 1 || written !== rows) {
      return yield* refused(
        "load",
        `${path}: ${written} rows loaded of ${rows} that the log recorded`,
        "Nothing was published. Check that the stage's URL is the landing log's, and the log's segments (northstar doctor)"
      )
    }
    attached.push({ segment, file: `${raw}|${found[0]?.name ?? path}` })
  }
  return attached
})
