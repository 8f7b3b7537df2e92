import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import type { Table } from "@northstar/core/Table"
import * as Digests from "../../src/warehouse/Digests.ts"
import type { Dialect } from "../../src/warehouse/Dialect.ts"
import { make as makeModel, metadata, type Model } from "../../src/warehouse/Model.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"

/** What a warehouse holds, as canonical texts: rows of each table, sorted, and the digests of the curated ones. */
export type Dump = Readonly<Record<string, ReadonlyArray<string>>>

/** Everything that an engine's tables say, in texts that are equal for equal values. */
export const dump = (tables: ReadonlyArray<Table>): Effect.Effect<Dump, ConnectorError, Warehouse> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { dialect, session: open } = yield* Warehouse
      const session = yield* open
      const found: Record<string, ReadonlyArray<string>> = {}
      const read = Effect.fnUntraced(function* (label: string, name: string, columns: ReadonlyArray<string>) {
        const texts = columns.map((sql, index) => `${sql} AS c${index}`).join(", ")
        const rows = yield* session.query(`SELECT ${texts} FROM ${name}`)
        found[label] = rows.map((row) => JSON.stringify(Object.values(row))).toSorted()
      })
      for (const table of tables) {
        const model = makeModel(dialect, table)
        const columns = canonicalColumns(dialect, model)
        yield* read(model.name, model.curated, columns)
        const ofChange = ["CAST(_op AS VARCHAR)", "_unchanged", "_moved_from"]
        yield* read(`history of ${model.name}`, model.history, [...columns, ...ofChange])
        const digests = yield* Digests.digests(session, dialect, model, [{ after: null, through: null }])
        found[`digest of ${model.name}`] = digests.map(({ checksum, rows }) => `${rows} ${checksum}`)
      }
      for (const [name, columns] of Object.entries(control(dialect)))
        yield* read(name === "tables" ? "the list of tables" : name, `northstar.${name}`, columns)
      return found
    })
  )

const canonicalColumns = (dialect: Dialect, { columns }: Model): ReadonlyArray<string> => [
  ...columns.map(({ sql, type }) => dialect.canonical(sql, type)),
  ...metadata.map(([name, type]) => (type === "version" ? `CAST(${name} AS VARCHAR)` : dialect.canonical(name, type)))
]

/** Columns of the control tables that must agree: all of them. */
const control = (dialect: Dialect): Readonly<Record<string, ReadonlyArray<string>>> => {
  const number = (name: string) => `CAST(${name} AS VARCHAR)`
  const instant = (name: string) => dialect.canonical(name, { kind: "timestamptz" })
  const counts = ["rows_in", "published", "superseded", "quarantined", "held"].map(number)
  return {
    batches: [
      "batch",
      "pipeline",
      "stream",
      "table_name",
      "after_position",
      "through_position",
      "money",
      ...counts,
      ...["committed_at", "recorded_at", "taken_back_at"].map(instant)
    ],
    quarantine: [
      "table_name",
      "row_key",
      "reason",
      "batch",
      "segment",
      "unchanged",
      "moved_from",
      "source_values",
      ...["version", "op"].map(number),
      ...["source_commit_at", "ingested_at", "recorded_at", "resolved_at"].map(instant),
      "resolution"
    ],
    held: ["table_name", "row_key", number("version"), "missing", "batch"],
    floors: ["table_name", number("version"), "batch"],
    findings: ["batch", "table_name", "name", "severity", number("failed"), instant("recorded_at")],
    tables: ["table_name", number("locks"), number("high_version"), "relation", "contract"],
    watermarks: ["pipeline", "stream", "table_name", "position_type", "through", "parked_reason", instant("moved_at")]
  }
}
