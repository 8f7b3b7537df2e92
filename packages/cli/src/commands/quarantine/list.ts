import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Load from "@northstar/connectors/project/Load"
import * as Quarantine from "@northstar/connectors/project/Quarantine"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import { masked } from "../../MaskedText.ts"
import * as Output from "../../Output.ts"
import { instant, plural, render as table } from "../../TextTable.ts"

export default class QuarantineListCommand extends NorthstarCommand {
  static override summary = "List the changes that were set aside, with the reason."
  static override flags = {
    table: Flags.string({ summary: "Only this table.", helpValue: "<name>" }),
    all: Flags.boolean({ summary: "Also those that were published since.", default: false }),
    last: Flags.integer({ summary: "The newest so many.", default: 50, min: 1, max: 10_000 }),
    unmask: Flags.boolean({ summary: "Show keys, except card data.", default: false })
  }

  async run() {
    const { flags } = await this.parse(QuarantineListCommand)
    const { all, last, unmask } = flags
    const options = { all, last, unmask, ...(flags.table === undefined ? {} : { table: flags.table }) }
    const program = Effect.flatMap(Load.project(flags.config), (project) => Quarantine.list(project, options)).pipe(
      Effect.map((changes) => ({ changes }))
    )
    return this.present(Output.QuarantineList, program, render)
  }
}

const render = ({ changes }: { readonly changes: ReadonlyArray<Quarantine.QuarantineLine> }): string =>
  changes.length === 0
    ? "Nothing is quarantined."
    : [
        table(
          ["id", "table", "key", "operation", "reason", "recorded", ""],
          changes.map((change) => [
            change.id,
            change.table,
            change.key.map(masked).join(", "),
            change.op,
            change.reason,
            instant(change.recordedAtMs),
            change.resolution ?? ""
          ])
        ),
        "",
        `${plural(changes.length, "change")}. Next: northstar quarantine show <id>`
      ].join("\n")
