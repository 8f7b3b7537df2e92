import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as WarehouseSetup from "@northstar/connectors/project/WarehouseSetup"
import { administrator, administratorFlags } from "../../Administrator.ts"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { plural } from "../../TextTable.ts"

export default class WarehousePlanCommand extends NorthstarCommand {
  static override summary = "Show what the warehouse lacks, as SQL; changes nothing."
  static override description =
    "Tables, columns and marts. In Snowflake also databases, schemas, stage, roles, grants, virtual warehouses, resource " +
    "monitors and masking policies, read as an administrator."
  static override flags = {
    "admin-user": administratorFlags.user,
    "admin-key-file": administratorFlags.keyFile,
    "admin-role": administratorFlags.role,
    sql: Flags.boolean({ summary: "Print the SQL and nothing else.", exclusive: ["json"], default: false })
  }

  async run() {
    const { flags } = await this.parse(WarehousePlanCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) =>
      WarehouseSetup.plan(project, administrator(flags))
    )
    return this.present(Output.WarehousePlan, program, (plan) => (flags.sql ? plan.sql : render(plan)))
  }
}

const render = ({ sql, steps, warehouse }: WarehouseSetup.SetupPlan): string =>
  steps.length === 0
    ? `Nothing to do: ${warehouse} is as the project describes it.`
    : [
        `${plural(steps.length, "step")} for ${warehouse} (nothing has been changed):`,
        "",
        sql,
        ...steps
          .filter(({ destructive }) => destructive)
          .map(({ description }) => `-- Rewrites data, needs --allow-destructive: ${description}`),
        "Next: northstar warehouse apply"
      ].join("\n")
