import { Args } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Runs from "@northstar/connectors/project/Runs"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { count, instant, plural, render as table } from "../../TextTable.ts"

export default class RunsShowCommand extends NorthstarCommand {
  static override summary = "Show the commits and verdicts of one run."
  static override args = { run: Args.string({ required: true, description: "As northstar runs list names it." }) }

  async run() {
    const { args, flags } = await this.parse(RunsShowCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) => Runs.show(project, args.run))
    return this.present(Output.RunsShow, program, render)
  }
}

const render = (run: Runs.RunDetail): string =>
  [
    `${run.run}: ${run.program} of ${run.stream}, ${run.outcome}, ${plural(run.rows, "row")} in ${plural(run.batches, "batch", "batches")}`,
    ...(run.detail === "" ? [] : [run.detail]),
    "",
    table(
      ["at", "what", ""],
      run.facts.map(({ atMs, fact }) => [instant(atMs), fact._tag, said(fact)])
    )
  ].join("\n")

const said = (fact: Runs.RunDetail["facts"][number]["fact"]): string => {
  switch (fact._tag) {
    case "Started":
      return fact.program
    case "Committed":
      return `${plural(fact.rows, "row")} through ${fact.through}${fact.replayed ? ", known already" : ""}`
    case "Judged":
      return `${fact.expectation}: ${count(fact.failed)} of ${plural(fact.rows, "row")} break it`
    case "Failed":
      return fact.detail
    case "Ended":
      return fact.outcome
  }
}
