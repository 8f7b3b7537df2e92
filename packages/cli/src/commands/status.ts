import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Status from "@northstar/connectors/project/Status"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { plural, render as table, span } from "../TextTable.ts"

export default class StatusCommand extends NorthstarCommand {
  static override summary = "Show how fresh each table is, what is parked or quarantined, and the last batches."
  static override description = "Reads the landing log and the warehouse, never the source. Works while ingest runs."

  async run() {
    const { flags } = await this.parse(StatusCommand)
    return this.present(Output.Status, Effect.flatMap(Load.project(flags.config), Status.status), render)
  }
}

const render = ({ batches, pipeline, sources, tables }: Status.StatusReport): string => {
  const standing = tables.map(({ completeThrough, held, lagMs, parked, quarantined, rows, source, table }) => [
    source,
    table,
    rows,
    seconds(completeThrough),
    lagMs === null ? "" : span(lagMs),
    quarantined,
    held,
    parked === null ? "" : "parked"
  ])
  const logs = sources.map(({ failing, kind, log, refusedFiles, source }) => [
    source,
    kind,
    log === null ? "empty: run northstar ingest" : `at ${log.head}, ${plural(log.behind, "record")} not loaded`,
    [
      ...(failing === null ? [] : ["FAILING"]),
      ...(refusedFiles === 0 ? [] : [`${plural(refusedFiles, "file")} refused: northstar files list`])
    ].join(", ")
  ])
  return [
    `Pipeline ${pipeline}.`,
    "",
    table(["source", "kind", "landing log", ""], logs),
    ...sources.flatMap(({ failing, source }) => (failing === null ? [] : ["", `${source} is failing: ${failing}`])),
    "",
    table(["source", "table", "rows", "complete through", "lag", "quarantined", "held", ""], standing),
    ...tables.flatMap(({ parked, table }) =>
      parked === null ? [] : [``, `${table} is parked: ${parked}. Correct its contract, then run northstar ingest.`]
    ),
    "",
    table(
      ["batch", "recorded", "rows", "published", "superseded", "quarantined", ""],
      batches.map((batch) => [
        batch.batch,
        seconds(batch.recordedAt),
        batch.rows,
        batch.published,
        batch.superseded,
        batch.quarantined,
        batch.takenBack ? "taken back" : ""
      ])
    )
  ].join("\n")
}

const seconds = (iso: string | null): string => (iso === null ? "" : iso.replace("T", " ").slice(0, 19))
