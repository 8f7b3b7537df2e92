import { Effect, Schema } from "effect"
import type { Version } from "@northstar/core/Change"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import { literal } from "../warehouse/Dialect.ts"
import { versionOf } from "../warehouse/Model.ts"
import { Warehouse } from "../warehouse/Warehouse.ts"
import { type Project, tables } from "./Project.ts"
import * as Retry from "./Retry.ts"
import * as Services from "./Services.ts"

/** A text that may be masked: `undefined` where it is, `null` for NULL. */
export interface Masked {
  readonly name: string
  /** Characters; 0 for NULL. */
  readonly length: number
  readonly text: string | null | undefined
}

/** A change that was set aside. Times are Unix milliseconds. */
export interface QuarantineLine {
  /** Short name, for `show`. */
  readonly id: string
  readonly table: string
  /** Key columns. */
  readonly key: ReadonlyArray<Masked>
  readonly op: "upsert" | "delete" | "truncate"
  readonly reason: string
  /** `epoch/position/ordinal/revision` */
  readonly version: string
  readonly batch: string
  readonly committedAtMs: number | null
  readonly recordedAtMs: number | null
  /** Why it is no longer open, such as `published`; `null` while it is. */
  readonly resolution: string | null
}

/** The change as it was captured, tokenised. */
export interface QuarantineDetail extends QuarantineLine {
  readonly segment: string
  readonly values: ReadonlyArray<Masked>
  /** Columns that the change does not carry. */
  readonly unchanged: ReadonlyArray<string>
}

/** What to show. */
export interface ShowOptions {
  /** Shows values, but never those of card data columns and of columns that no contract describes. */
  readonly unmask: boolean
}

/** Quarantined changes, newest first, at most `last`; without `all` only those that are open. */
export const list = Effect.fn("Quarantine.list")(function* (
  project: Project,
  options: ShowOptions & { readonly table?: string; readonly all: boolean; readonly last: number }
) {
  const conditions = [
    ...(options.all ? [] : ["resolved_at IS NULL"]),
    ...(options.table === undefined ? [] : [`table_name = ${literal(options.table)}`])
  ]
  const rows = yield* read(project, conditions, options.last)
  return rows.map((row) => line(project, row, options))
})

/** One change by its id. An unknown one fails with `Misconfigured`. */
export const show = Effect.fn("Quarantine.show")(function* (project: Project, id: string, options: ShowOptions) {
  const [row] = yield* read(project, [`${idSql} = ${literal(id)}`], 1)
  if (row === undefined) {
    const detail = `${id} is not the id of a quarantined change`
    return yield* new ConnectorError({
      connector: "warehouse",
      operation: "show a quarantined change",
      detail,
      action: "List them with northstar quarantine list.",
      reason: new Misconfigured({ detail })
    })
  }
  const contract = contractOf(project, row.table_name)
  return {
    ...line(project, row, options),
    segment: row.segment ?? "",
    values: Object.entries(row.source_values ?? {}).map(([name, text]) => mask(contract, name, text, options)),
    unchanged: row.unchanged ?? []
  } satisfies QuarantineDetail
})

/** Distinguishes changes of one version that conflict by their batch and segment. */
const idSql =
  "left(md5(concat_ws('/', table_name, row_key, CAST(version AS VARCHAR), batch, coalesce(segment, ''))), 12)"

const Names = Schema.fromJsonString(Schema.Array(Schema.String))
const Row = Schema.Struct({
  id: Schema.String,
  table_name: Schema.String,
  row_key: Schema.NullOr(Schema.fromJsonString(Schema.Array(Schema.NullOr(Schema.String)))),
  version: Schema.BigIntFromString,
  op: Schema.FiniteFromString,
  reason: Schema.String,
  batch: Schema.String,
  segment: Schema.NullOr(Schema.String),
  committed: Schema.NullOr(Schema.FiniteFromString),
  recorded: Schema.NullOr(Schema.FiniteFromString),
  unchanged: Schema.NullOr(Names),
  source_values: Schema.NullOr(Schema.fromJsonString(Schema.Record(Schema.String, Schema.NullOr(Schema.String)))),
  resolution: Schema.NullOr(Schema.String)
})

const read = Effect.fnUntraced(function* (project: Project, conditions: ReadonlyArray<string>, last: number) {
  return yield* Effect.gen(function* () {
    const { dialect, session: open } = yield* Warehouse
    const session = yield* open
    const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`
    const rows = yield* session.query(
      `SELECT ${idSql} AS id, table_name, row_key, CAST(version AS VARCHAR) AS version, CAST(op AS VARCHAR) AS op,
        reason, batch, segment, CAST(${dialect.epochMs("source_commit_at")} AS VARCHAR) AS committed,
        CAST(${dialect.epochMs("recorded_at")} AS VARCHAR) AS recorded, unchanged, source_values, resolution
      FROM northstar.quarantine ${where} ORDER BY recorded_at DESC, version DESC LIMIT ${last}`
    )
    return yield* Effect.orDie(Schema.decodeUnknownEffect(Schema.Array(Row))(rows))
  }).pipe(Effect.scoped, Effect.retry(Retry.schedule(Retry.statementTries)), Effect.provide(Services.reading(project)))
})

const operations = ["upsert", "delete", "truncate"] as const

const line = (project: Project, row: typeof Row.Type, options: ShowOptions): QuarantineLine => {
  const contract = contractOf(project, row.table_name)
  return {
    id: row.id,
    table: row.table_name,
    key: (row.row_key ?? []).map((text, at) => mask(contract, contract?.key[at] ?? `key ${at + 1}`, text, options)),
    op: operations[row.op - 1] ?? "upsert",
    reason: row.reason,
    version: versionText(versionOf(row.version)),
    batch: row.batch,
    committedAtMs: row.committed,
    recordedAtMs: row.recorded,
    resolution: row.resolution
  }
}

const mask = (contract: Table | undefined, name: string, text: string | null, options: ShowOptions): Masked => {
  const column = contract?.columns[name]
  const isShown = text === null || (options.unmask && column !== undefined && column.tag !== "pci")
  return { name, length: text?.length ?? 0, text: isShown ? text : undefined }
}

const contractOf = (project: Project, name: string): Table | undefined =>
  tables(project).find((table) => table.name === name)

const versionText = ({ epoch, ordinal, position, revision }: Version): string =>
  `${epoch}/${position}/${ordinal}/${revision}`
