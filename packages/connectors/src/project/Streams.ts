import { Effect } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import type { StreamKey } from "@northstar/core/Position"
import * as Stage from "@northstar/core/Stage"
import type { Block } from "../landing/Block.ts"
import * as LandingLog from "../landing/LandingLog.ts"
import type { Segment } from "../landing/Segment.ts"
import type { PostgresPosition } from "../postgres/Position.ts"
import * as PostgresSource from "../postgres/Source.ts"
import * as WarehouseSink from "../warehouse/WarehouseSink.ts"
import type { Project } from "./Project.ts"
import { schedule } from "./Retry.ts"

/** Contract and tokenisation under which this build captures; raised when either changes what lands. */
const revision = 1

/** Attempts after which a program that may pass on its own gives up: about an hour of an outside system's silence. */
const tries = 120

/** Key of the watermarks that ingest loads by. */
export const loadKey = (project: Project): StreamKey => ({ pipeline: project.name, stream: "main" })

/** Key of a backfill's own watermarks: it never moves those of ingest. */
export const backfillKey = (project: Project, id: string): StreamKey => ({
  pipeline: project.name,
  stream: `backfill/${id}`
})

/** The first arrow: source changes into the landing log. */
export const capture = Effect.fn("Streams.capture")(function* (project: Project) {
  const { source } = project
  if (source.url === undefined) return yield* noUrl(project)
  yield* refuseCardData(project)
  return Pipeline.make({
    key: { pipeline: project.name, stream: "capture" },
    source: PostgresSource.make({
      url: source.url,
      slot: source.slot,
      publication: source.publication,
      tables: project.tables,
      epoch: source.epoch,
      heartbeatEvery: `${source.heartbeatSeconds} seconds`,
      guard: source.guard,
      snapshot: { id: `initial-${source.epoch}`, tables: project.tables, ...source.snapshot }
    }),
    stage: Stage.identity<Block>(),
    sink: LandingLog.sink({
      stream: project.name,
      revision,
      // Sound: the log's positions are of the one type that this pipeline's source has.
      epochOf: (through) => (through as PostgresPosition).epoch
    }),
    retry: schedule(tries)
  })
})

/** The second arrow: the landing log into the warehouse; `catchUp` loads one table alone. */
export const load = (project: Project, key: StreamKey, catchUp?: string) =>
  Pipeline.make({
    key,
    source: LandingLog.source({ stream: project.name }),
    stage: Stage.identity<Segment>(),
    sink: WarehouseSink.make({ tables: project.tables, ...(catchUp === undefined ? {} : { catchUp }) }),
    retry: schedule(tries)
  })

/** Card data may not land as it is, and nothing here makes tokens of it yet. */
const refuseCardData = (project: Project) => {
  const tagged = project.tables.flatMap(({ name, columns }) =>
    Object.entries(columns).flatMap(([column, { tag }]) => (tag === "pci" ? [`${name}.${column}`] : []))
  )
  return tagged.length === 0
    ? Effect.void
    : Effect.fail(
        new ConnectorError({
          connector: "postgres",
          operation: "capture",
          detail: `${tagged.join(", ")} hold card data, which this version cannot replace by tokens`,
          action: 'Take the columns out of the contract: with newColumns "ignore" they are never captured',
          reason: new Misconfigured({ detail: "card data" })
        })
      )
}

/** The source's URL is not set. */
export const noUrl = (project: Project) =>
  new ConnectorError({
    connector: "postgres",
    operation: "connect",
    detail: `project ${project.name} has no source URL`,
    action: "Set the environment variable that northstar.config.ts takes it from, such as NORTHSTAR_POSTGRES_URL",
    reason: new Misconfigured({ detail: "source url" })
  })
