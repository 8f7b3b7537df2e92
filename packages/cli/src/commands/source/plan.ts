import { Flags } from "@oclif/core"
import { Effect, Redacted } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as SourceSetup from "@northstar/connectors/project/SourceSetup"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { ownerUrl } from "../../OwnerUrl.ts"
import { plural } from "../../TextTable.ts"

export default class SourcePlanCommand extends NorthstarCommand {
  static override summary = "Show what the source database lacks, as SQL; changes nothing."
  static override flags = {
    "owner-url": ownerUrl(),
    sql: Flags.boolean({ summary: "Print the SQL and nothing else.", exclusive: ["json"], default: false })
  }

  async run() {
    const { flags } = await this.parse(SourcePlanCommand)
    const program = Effect.flatMap(Load.postgres(flags.config), (feed) =>
      SourceSetup.plan(feed, Redacted.make(flags["owner-url"]))
    )
    return this.present(Output.SourcePlan, program, (plan) => (flags.sql ? plan.sql : render(plan)))
  }
}

const render = ({ role, sql, steps }: SourceSetup.SetupPlan): string =>
  steps.length === 0
    ? `Nothing to do: the source is prepared for ${role}.`
    : [
        `${plural(steps.length, "step")} (nothing has been changed):`,
        "",
        sql,
        ...(steps.some((step) => step.destructive)
          ? ["-- Takes something away: apply needs --allow-destructive."]
          : []),
        "Next: northstar source apply --owner-url <url>, or run the SQL as the owner."
      ].join("\n")
