import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Reconcile from "@northstar/connectors/project/Reconcile"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { plural, render as table } from "../TextTable.ts"

export default class ReconcileCommand extends NorthstarCommand {
  static override summary = "Compare the source with the curated tables, down to the rows that differ."
  static override description =
    "Counts and checksums of key ranges, in short throttled reads; keys that change meanwhile are read again. By default " +
    "rows of recent days, where a table has an event column. Exit code 3 when they do not agree."
  static override flags = {
    table: Flags.string({ summary: "Only this table; may be repeated.", multiple: true, helpValue: "<name>" }),
    full: Flags.boolean({ summary: "Whole tables.", default: false }),
    "recent-days": Flags.integer({ summary: "Days back from now.", default: 7, min: 1, exclusive: ["full"] })
  }

  async run() {
    const { flags } = await this.parse(ReconcileCommand)
    const program = Effect.flatMap(Load.postgresWithUrl(flags.config), (feed) =>
      Reconcile.reconcile(feed, {
        ...(flags.table === undefined ? {} : { tables: flags.table }),
        full: flags.full,
        recentDays: flags["recent-days"],
        onProgress: ({ rows, table }) => this.progress.update(`${table}: ${plural(rows, "row")} compared`)
      })
    )
    const report = await this.present(Output.Reconcile, program, render)
    if (!report.agree) this.endWith("differences")
    return report
  }
}

const examplesMax = 20

const render = ({ agree, parked, tables }: Reconcile.ReconcileReport): string => {
  const differences = tables.flatMap(({ differences, table }) =>
    differences.map(({ key, kind }) => [table, key.join(", "), kind])
  )
  return [
    table(
      ["table", "source rows", "curated rows", "ranges", "differences", "unresolved", "since"],
      tables.map((line) => [
        line.table,
        line.sourceRows,
        line.curatedRows,
        line.ranges,
        line.differences.length,
        line.unresolved,
        line.since ?? "the beginning"
      ])
    ),
    ...(differences.length === 0 ? [] : ["", table(["table", "key", "difference"], differences.slice(0, examplesMax))]),
    ...(differences.length > examplesMax ? [`… and ${differences.length - examplesMax} more (--json shows all)`] : []),
    ...(parked.length === 0
      ? []
      : ["", `Not compared, since they are parked: ${parked.join(", ")} (northstar status says why).`]),
    "",
    agree
      ? "Source and curated agree."
      : "Source and curated do NOT agree. Next: northstar backfill, then reconcile again."
  ].join("\n")
}
