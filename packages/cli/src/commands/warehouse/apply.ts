import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as WarehouseSetup from "@northstar/connectors/project/WarehouseSetup"
import { administrator, administratorFlags } from "../../Administrator.ts"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"

export default class WarehouseApplyCommand extends NorthstarCommand {
  static override summary = "Bring the warehouse to what the project describes."
  static override description =
    "Does what northstar warehouse plan shows. What rewrites stored data, such as another type of a column, is left undone " +
    "and named unless it is allowed. Run it before a new version of the project starts."
  static override flags = {
    "admin-user": administratorFlags.user,
    "admin-key-file": administratorFlags.keyFile,
    "admin-role": administratorFlags.role,
    "allow-destructive": Flags.boolean({ summary: "Also do what rewrites stored data.", default: false })
  }

  async run() {
    const { flags } = await this.parse(WarehouseApplyCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) =>
      WarehouseSetup.apply(project, administrator(flags), { destructive: flags["allow-destructive"] })
    )
    return this.present(Output.WarehouseApply, program, render)
  }
}

const render = ({ applied, left, warehouse }: WarehouseSetup.Setup): string =>
  [
    ...(applied.length === 0
      ? [left.length === 0 ? `Nothing to do: ${warehouse} is as the project describes it.` : "Nothing was done."]
      : ["Done:", ...applied.map(({ description }) => `  ${description}`)]),
    ...(left.length === 0
      ? []
      : [
          "Left, since it rewrites stored data:",
          ...left.map(({ description }) => `  ${description}`),
          "Next: stop northstar ingest, then northstar warehouse apply --allow-destructive"
        ])
  ].join("\n")
