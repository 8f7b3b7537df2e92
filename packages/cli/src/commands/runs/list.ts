import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Runs from "@northstar/connectors/project/Runs"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { instant, render as table, span } from "../../TextTable.ts"

export default class RunsListCommand extends NorthstarCommand {
  static override summary = "List the last runs and how they ended."
  static override flags = {
    last: Flags.integer({ summary: "The newest so many.", default: 20, min: 1, max: 1000 })
  }

  async run() {
    const { flags } = await this.parse(RunsListCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) =>
      Runs.list(project, { last: flags.last })
    ).pipe(Effect.map((runs) => ({ runs })))
    return this.present(Output.RunsList, program, render)
  }
}

const render = ({ runs }: { readonly runs: ReadonlyArray<Runs.RunLine> }): string =>
  table(
    ["run", "program", "started", "for", "outcome", "batches", "rows"],
    runs.map((run) => [
      run.run,
      run.program,
      instant(run.startedAtMs),
      span(run.seenAtMs - run.startedAtMs),
      run.outcome,
      run.batches,
      run.rows
    ])
  )
