import { Args, Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Quarantine from "@northstar/connectors/project/Quarantine"
import { masked } from "../../MaskedText.ts"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { instant, render as table } from "../../TextTable.ts"

export default class QuarantineShowCommand extends NorthstarCommand {
  static override summary = "Show one change that was set aside; its values are masked."
  static override args = { id: Args.string({ required: true, description: "As northstar quarantine list names it." }) }
  static override flags = { unmask: Flags.boolean({ summary: "Show values, except card data.", default: false }) }

  async run() {
    const { args, flags } = await this.parse(QuarantineShowCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) =>
      Quarantine.show(project, args.id, { unmask: flags.unmask })
    )
    return this.present(Output.QuarantineShow, program, render)
  }
}

const render = (change: Quarantine.QuarantineDetail): string =>
  [
    `${change.op} of ${change.table}, key ${change.key.map(masked).join(", ")}`,
    `reason     ${change.reason}${change.resolution === null ? "" : `; ${change.resolution} since`}`,
    `version    ${change.version}`,
    `committed  ${instant(change.committedAtMs)}`,
    `recorded   ${instant(change.recordedAtMs)}`,
    `batch      ${change.batch}`,
    `segment    ${change.segment}`,
    "",
    table(
      ["column", "characters", "value"],
      change.values.map((value) => [
        value.name,
        value.length,
        change.unchanged.includes(value.name) ? "(not carried by this change)" : masked(value)
      ])
    )
  ].join("\n")
