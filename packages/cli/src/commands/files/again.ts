import { Args, Errors, Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Files from "@northstar/connectors/project/Files"
import * as Load from "@northstar/connectors/project/Load"
import { NorthstarCommand } from "../../NorthstarCommand.ts"
import * as Output from "../../Output.ts"

/** Unlike oclif's own integers, one that is none is wrong usage, and no large one is rounded. */
const sequence = Args.custom<bigint>({
  parse: async (text) => {
    if (!/^[1-9]\d{0,18}$/.test(text)) throw new Errors.CLIError(`${text} is not the number of a delivery`)
    return BigInt(text)
  }
})

export default class FilesAgainCommand extends NorthstarCommand {
  static override summary = "Have a refused partner file read once more, under the contract as it is now."
  static override description = "The next ingest reads it. What it holds must still lie in the drop folder."
  static override examples = ["<%= config.bin %> <%= command.id %> 42"]
  static override args = {
    number: sequence({ required: true, description: "Number of the delivery, as files list shows it." })
  }
  static override flags = {
    source: Flags.string({ summary: "Drop folder; default the first of the project.", helpValue: "<name>" })
  }

  async run() {
    const { args, flags } = await this.parse(FilesAgainCommand)
    const program = Effect.flatMap(Load.project(flags.config), (project) =>
      Files.again(project, flags.source, args.number)
    )
    return this.present(
      Output.FilesAgain,
      program,
      ({ sequence, source }) => `Delivery ${sequence} of ${source} is next.\n\nNext: northstar ingest reads it`
    )
  }
}
