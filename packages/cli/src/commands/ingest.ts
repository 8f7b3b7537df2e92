import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Ingest from "@northstar/connectors/project/Ingest"
import * as Load from "@northstar/connectors/project/Load"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { count, plural, span } from "../TextTable.ts"

export default class IngestCommand extends NorthstarCommand {
  static override summary = "Capture the source's changes and load them into the warehouse."
  static override description =
    "Goes on until it is stopped (Ctrl-C, SIGTERM: the current batch is finished or abandoned), and resumes where it " +
    "stands after any kill. A second one beside it does no harm."
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --until-caught-up --json"
  ]
  static override flags = {
    "until-caught-up": Flags.boolean({
      summary: "End when everything committed at the source before the start is visible.",
      default: false
    })
  }

  async run() {
    const { flags } = await this.parse(IngestCommand)
    const lanes = new Map<Ingest.Progress["stage"], Ingest.Progress>()
    const program = Effect.flatMap(Load.projectWithSource(flags.config), (project) =>
      Ingest.ingest(project, {
        untilCaughtUp: flags["until-caught-up"],
        onProgress: (progress) => this.progress.update(line(lanes.set(progress.stage, progress)))
      })
    )
    return this.present(Output.Ingest, program, render)
  }
}

const line = (lanes: ReadonlyMap<Ingest.Progress["stage"], Ingest.Progress>): string => {
  const part = (stage: Ingest.Progress["stage"], verb: string) => {
    const lane = lanes.get(stage)
    if (lane === undefined) return []
    const lag = lane.lagMs === null ? "" : `, ${span(lane.lagMs)} behind`
    return [`${verb} ${plural(lane.rows, "change")} in ${plural(lane.batches, "batch", "batches")}${lag}`]
  }
  return [...part("capture", "captured"), ...part("load", "loaded")].join(" · ")
}

const render = ({ captured, loaded, parked }: Ingest.IngestSummary): string =>
  [
    `Caught up: captured ${plural(captured.rows, "change")}, loaded ${count(loaded.rows)}.`,
    ...parked.map(({ reason, table }) => `Parked: ${table} lands but is not loaded: ${reason}. Correct its contract.`)
  ].join("\n")
