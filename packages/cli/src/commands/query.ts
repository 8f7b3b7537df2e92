import { Args, Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Query from "@northstar/connectors/project/Query"
import { isMistake } from "@northstar/connectors/warehouse/Warehouse"
import * as Failure from "../Failure.ts"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { plural, render as table } from "../TextTable.ts"

export default class QueryCommand extends NorthstarCommand {
  static override summary = "Run one read-only SQL query on the warehouse."
  static override description =
    "Tables are in the schemas curated, marts and northstar. Works while ingest runs. Anything that could write is refused."
  static override examples = [
    `<%= config.bin %> <%= command.id %> "select * from curated.orders order by id desc" --max-rows 10`,
    `<%= config.bin %> <%= command.id %> "show all tables"`
  ]
  static override args = { sql: Args.string({ required: true, description: "The query." }) }
  static override flags = {
    "max-rows": Flags.integer({ summary: "Rows shown at most.", default: 100, min: 1, max: 100_000 })
  }

  async run() {
    const { args, flags } = await this.parse(QueryCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) =>
      Query.query(project, args.sql, { rowsMax: flags["max-rows"] })
    )
    const refused = Effect.mapError(program, (error) =>
      isMistake(error) ? new Failure.WrongArgument({ detail: error.detail, action: error.action }) : error
    )
    return this.present(Output.Query, refused, render)
  }
}

const render = ({ columns, rows, truncated }: Query.QueryResult): string =>
  [
    ...(columns.length === 0
      ? []
      : [
          table(
            columns,
            rows.map((row) => columns.map((name) => row[name] ?? null))
          ),
          ""
        ]),
    truncated ? `The first ${plural(rows.length, "row")}; there are more (--max-rows).` : plural(rows.length, "row")
  ].join("\n")
