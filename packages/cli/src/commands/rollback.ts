import { Args, Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Rollback from "@northstar/connectors/project/Rollback"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { render as table } from "../TextTable.ts"

export default class RollbackCommand extends NorthstarCommand {
  static override summary = "Take one published batch back; without --apply, say what that would change."
  static override description =
    "The batch's changes leave the history and every row they touched is computed anew from what remains. " +
    "Watermarks stay: northstar backfill over the batch's range of the log brings it back."
  static override examples = [
    "<%= config.bin %> <%= command.id %> <batch>",
    "<%= config.bin %> <%= command.id %> <batch> --apply"
  ]
  static override args = {
    batch: Args.string({ required: true, description: "The batch, as northstar status names it." })
  }
  static override flags = { apply: Flags.boolean({ summary: "Do it.", default: false }) }

  async run() {
    const { args, flags } = await this.parse(RollbackCommand)
    const act = flags.apply ? Rollback.apply : Rollback.plan
    const program = Effect.flatMap(Load.project(flags.config), (project) => act(project, args.batch)).pipe(
      Effect.map((plan) => ({ applied: flags.apply, ...plan }))
    )
    return this.present(Output.Rollback, program, render)
  }
}

const render = ({ after, applied, batch, lines, through }: typeof Output.Rollback.Type): string =>
  [
    applied ? `Took ${batch} back.` : `Taking ${batch} back would change (nothing has been changed):`,
    "",
    table(
      ["table", "changes removed", "rows computed anew", "quarantined removed"],
      lines.map((line) => [line.table, line.changes, line.keys, line.quarantined])
    ),
    "",
    applied
      ? `Bring it back: northstar backfill --after ${after ?? "0"} --through ${through} --apply`
      : `Next: northstar rollback ${batch} --apply`
  ].join("\n")
