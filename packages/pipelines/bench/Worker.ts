/** One measurement in a process of its own: `node Worker.ts <measurement> <options as JSON>` prints its result as JSON. */
import { Effect } from "effect"
import { RunLedger } from "@northstar/core/RunLedger"
import "@northstar/connectors/duckdb/DuckDb"
import "@northstar/connectors/landing/FolderStore"
import * as Capture from "@northstar/connectors/project/Capture"
import * as Ingest from "@northstar/connectors/project/Ingest"
import * as Services from "@northstar/connectors/project/Services"
import * as Audit from "./Audit.ts"
import { copy, drain } from "./Drain.ts"
import * as Engine from "./Engine.ts"
import * as Freshness from "./Freshness.ts"
import { cost } from "./Measure.ts"
import * as PartnerFile from "./PartnerFile.ts"
import * as Publish from "./Publish.ts"
import * as Replay from "./Replay.ts"
import { shop } from "./Subject.ts"

/** Options of every measurement; each uses those it needs. */
export interface Options {
  readonly url: string
  readonly folder: string
  readonly file: string
  /** Changes, or rows. */
  readonly changes: number
  readonly seconds: number
  /** Of several runs of offered changes on one source: which, from 0. */
  readonly run: number
}

const capture = ({ url, folder }: Options) =>
  Effect.gen(function* () {
    const { rows } = yield* Capture.run(shop(url, folder), { untilCaughtUp: true, onCommit: () => Effect.void })
    return rows
  }).pipe(Effect.provide([RunLedger.layerMemory, Services.landing(shop(url, folder).project.landing)]))

const ingest = ({ url, folder }: Options) =>
  Effect.map(
    Ingest.ingest(shop(url, folder).project, { untilCaughtUp: true }),
    ({ sources }) => sources[0]?.captured.rows ?? 0
  )

const measurements = {
  drain: ({ url, changes }: Options) => cost(drain(url, changes)),
  copy: ({ url }: Options) => cost(copy(url)),
  capture: (options: Options) => cost(capture(options)),
  ingest: (options: Options) => cost(ingest(options)),
  publish: ({ folder }: Options) => Publish.measure(folder),
  freshness: ({ url, folder, seconds, run }: Options) => Freshness.watch(url, folder, seconds, run),
  backfill: ({ url, folder, seconds }: Options) => Replay.backfill(url, folder, seconds),
  reconcile: ({ url, folder }: Options) => Audit.measure(url, folder),
  "csv-duckdb": ({ folder, file }: Options) => cost(PartnerFile.duckdb(folder, file)),
  "csv-ingest": ({ folder }: Options) => cost(PartnerFile.ingest(folder)),
  "csv-scan": ({ file }: Options) => cost(PartnerFile.scan(file)),
  "csv-scan-alone": ({ file }: Options) => cost(PartnerFile.scan(file, 1)),
  "csv-rows": ({ file }: Options) => cost(PartnerFile.rows(file)),
  "csv-blocks": ({ file }: Options) => cost(PartnerFile.blocks(file)),
  "engine-loop": ({ changes }: Options) => cost(Engine.loop(changes)),
  engine: ({ changes }: Options) => cost(Engine.engine(changes))
}

/** Name of a measurement. */
export type Measurement = keyof typeof measurements

const [, , measurement, options] = process.argv
const program: Effect.Effect<unknown, unknown> = measurements[measurement as Measurement](
  JSON.parse(options ?? "{}") as Options
)
process.stdout.write(`${JSON.stringify(await Effect.runPromise(program))}\n`)
process.exit(0)
