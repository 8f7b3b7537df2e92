import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Demo from "@northstar/pipelines/demo/Demo"
import { engines } from "@northstar/pipelines/demo/Place"
import { line, type StoryEvent } from "@northstar/pipelines/demo/Story"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"

export default class DemoCommand extends NorthstarCommand {
  static override summary =
    "Run a shop, ingest its orders while it sells, kill the ingester, and prove that nothing is lost."
  static override description =
    "Starts all servers of its own and needs no configuration. Takes a minute or two; writes a report. On a local Snowflake " +
    "the same landing logs are loaded into DuckDB at the end, too. Exit code 3 when sources and curated tables do not agree " +
    "at the end, or the two engines."
  static override flags = {
    folder: Flags.string({
      summary: "Everything is written below it.",
      default: ".northstar/demo",
      helpValue: "<folder>"
    }),
    seed: Flags.string({
      summary: "What goes wrong in the shop is drawn from it.",
      default: "northstar",
      helpValue: "<text>"
    }),
    warehouse: Flags.option({
      summary: "Where the curated tables live.",
      options: engines,
      default: "duckdb"
    })()
  }

  async run() {
    const { flags } = await this.parse(DemoCommand)
    const program = Demo.run({
      folder: flags.folder,
      seed: flags.seed,
      warehouse: flags.warehouse,
      onEvent: (event) => this.tell(event)
    })
    const found = await this.present(Output.Demo, program, ({ summary }) => summary)
    if (!found.agree) this.endWith("differences")
    return found
  }

  private tell(event: StoryEvent) {
    return event._tag === "Progress"
      ? this.progress.update(line(event))
      : Effect.sync(() => this.jsonEnabled() || this.progress.note(line(event)))
  }
}
