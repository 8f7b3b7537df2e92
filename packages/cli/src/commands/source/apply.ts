import { Flags } from "@oclif/core"
import { Effect, Redacted } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as SourceSetup from "@northstar/connectors/project/SourceSetup"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"
import { ownerUrl } from "../../OwnerUrl.ts"

export default class SourceApplyCommand extends NorthstarCommand {
  static override summary = "Prepare the source database: publication, rights and slot."
  static override description =
    "Does what northstar source plan shows. Never publishes a table without a primary key: that would make its UPDATEs fail."
  static override flags = {
    "owner-url": ownerUrl(),
    "allow-destructive": Flags.boolean({
      summary: "Also stop publishing, or withdraw, what the project does not need.",
      default: false
    })
  }

  async run() {
    const { flags } = await this.parse(SourceApplyCommand)
    const program = Effect.flatMap(Load.postgres(flags.config), (feed) =>
      SourceSetup.apply(feed, Redacted.make(flags["owner-url"]), { destructive: flags["allow-destructive"] })
    )
    return this.present(Output.SourcePlan, program, render)
  }
}

const render = ({ role, steps }: SourceSetup.SetupPlan): string =>
  steps.length === 0
    ? `Nothing to do: the source is prepared for ${role}.`
    : ["Done:", ...steps.map(({ description }) => `  ${description}`)].join("\n")
