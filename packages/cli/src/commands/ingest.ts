import { Flags } from "@oclif/core"
import { Effect } from "effect"
import * as Ingest from "@northstar/connectors/project/Ingest"
import * as Load from "@northstar/connectors/project/Load"
import { NorthstarCommand } from "../NorthstarCommand.ts"
import * as Output from "../Output.ts"
import { count, plural, span } from "../TextTable.ts"

export default class IngestCommand extends NorthstarCommand {
  static override summary = "Capture the sources' changes and load them into the warehouse."
  static override description =
    "Goes on until it is stopped (Ctrl-C, SIGTERM: the current batch is finished or abandoned), and resumes where it " +
    "stands after any kill. A second one beside it does no harm. A source that fails does not stop the others."
  static override examples = [
    "<%= config.bin %> <%= command.id %>",
    "<%= config.bin %> <%= command.id %> --until-caught-up --json"
  ]
  static override flags = {
    source: Flags.string({ summary: "Only this source; may be repeated.", multiple: true, helpValue: "<name>" }),
    "until-caught-up": Flags.boolean({
      summary:
        "End when everything that was at the sources before the start is visible, or after two minutes without an answer.",
      default: false
    })
  }

  async run() {
    const { flags } = await this.parse(IngestCommand)
    const lanes = new Map<string, Ingest.Progress>()
    const program = Effect.flatMap(Load.ingested(flags.config), (project) =>
      Ingest.ingest(project, {
        untilCaughtUp: flags["until-caught-up"],
        ...(flags.source === undefined ? {} : { sources: flags.source }),
        onProgress: (progress) =>
          this.progress.update(line([...lanes.set(`${progress.source} ${progress.stage}`, progress).values()]))
      })
    )
    return this.present(Output.Ingest, program, render)
  }
}

const line = (lanes: ReadonlyArray<Ingest.Progress>): string => {
  const part = (stage: Ingest.Progress["stage"], verb: string) => {
    const of = lanes.filter((lane) => lane.stage === stage)
    if (of.length === 0) return []
    const sum = (f: (lane: Ingest.Progress) => number) => of.reduce((total, lane) => total + f(lane), 0)
    const lags = of.flatMap(({ lagMs }) => (lagMs === null ? [] : [lagMs]))
    const lag = lags.length === 0 ? "" : `, ${span(Math.max(...lags))} behind`
    const batches = plural(
      sum((lane) => lane.batches),
      "batch",
      "batches"
    )
    return [
      `${verb} ${plural(
        sum((lane) => lane.rows),
        "change"
      )} in ${batches}${lag}`
    ]
  }
  return [...part("capture", "captured"), ...part("load", "loaded")].join(" · ")
}

const render = ({ parked, sources }: Ingest.IngestSummary): string =>
  [
    ...sources.map(
      ({ captured, loaded, source }) =>
        `${source} is caught up: captured ${plural(captured.rows, "change")}, loaded ${count(loaded.rows)}.`
    ),
    ...parked.map(({ reason, table }) => `Parked: ${table} lands but is not loaded: ${reason}. Correct its contract.`)
  ].join("\n")
