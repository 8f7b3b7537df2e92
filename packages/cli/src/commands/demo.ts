import { Flags } from "@oclif/core"
import * as Demo from "@northstar/pipelines/demo/Demo"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"

export default class DemoCommand extends NorthstarCommand {
  static override summary = "Run a shop, ingest its orders while it sells, kill the ingester, and prove that nothing is lost."
  static override description =
    "Starts a PostgreSQL of its own; needs no configuration. Takes about a minute and writes a report below .northstar/."
  static override flags = {
    keep: Flags.boolean({ summary: "Leave the database running and its folder behind.", default: false }),
    seed: Flags.integer({ summary: "Another seed, another shop day.", default: 1 })
  }

  async run() {
    const { flags } = await this.parse(DemoCommand)
    const program = Demo.run({
      keep: flags.keep,
      seed: flags.seed,
      onProgress: (text) => this.progress.update(text)
    })
    return this.present(Output.Demo, program, ({ summary }) => summary)
  }
}
