/** One measurement in a process of its own: `node Worker.ts <measurement> <options as JSON>` prints its result as JSON. */
import { Effect } from "effect"
import { RunLedger } from "@northstar/core/RunLedger"
import * as Pipeline from "@northstar/core/Pipeline"
import "@northstar/connectors/duckdb/DuckDb"
import "@northstar/connectors/landing/FolderStore"
import * as Ingest from "@northstar/connectors/project/Ingest"
import * as Services from "@northstar/connectors/project/Services"
import * as Streams from "@northstar/connectors/project/Streams"
import { drain } from "./Drain.ts"
import * as Freshness from "./Freshness.ts"
import { cost } from "./Measure.ts"
import * as Publish from "./Publish.ts"
import { project } from "./Subject.ts"

/** Options of every measurement; each uses those it needs. */
export interface Options {
  readonly url: string
  readonly folder: string
  readonly changes: number
  readonly seconds: number
}

const capture = ({ url, folder }: Options) =>
  Effect.gen(function* () {
    const pipeline = yield* Streams.capture(project(url, folder))
    const { rows } = yield* Pipeline.run(pipeline, { program: "capture", untilCaughtUp: true })
    return rows
  }).pipe(Effect.provide([RunLedger.layerMemory, Services.landing(project(url, folder).landing)]))

const ingest = ({ url, folder }: Options) =>
  Effect.map(Ingest.ingest(project(url, folder), { untilCaughtUp: true }), ({ captured }) => captured.rows)

const measurements = {
  drain: ({ url, changes }: Options) => cost(drain(url, changes)),
  capture: (options: Options) => cost(capture(options)),
  ingest: (options: Options) => cost(ingest(options)),
  publish: ({ folder }: Options) => Publish.measure(folder),
  freshness: ({ url, folder, seconds }: Options) => Freshness.watch(url, folder, seconds)
}

/** Name of a measurement. */
export type Measurement = keyof typeof measurements

const [, , measurement, options] = process.argv
const program: Effect.Effect<unknown, unknown> = measurements[measurement as Measurement](
  JSON.parse(options ?? "{}") as Options
)
process.stdout.write(`${JSON.stringify(await Effect.runPromise(program))}\n`)
process.exit(0)
