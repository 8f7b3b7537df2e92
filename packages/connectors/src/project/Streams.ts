import { Effect, Option, Predicate } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import * as Pipeline from "@northstar/core/Pipeline"
import type { StreamKey } from "@northstar/core/Position"
import type { Source } from "@northstar/core/Source"
import * as Stage from "@northstar/core/Stage"
import * as CardGuard from "../cards/CardGuard.ts"
import * as CardKeys from "../cards/CardKeys.ts"
import type { Block } from "../landing/Block.ts"
import * as LandingLog from "../landing/LandingLog.ts"
import type { Segment } from "../landing/Segment.ts"
import * as WarehouseSink from "../warehouse/WarehouseSink.ts"
import type { Feed, WarehouseConfig } from "./Project.ts"
import { schedule } from "./Retry.ts"

/** What this build makes of a source's changes; raised when that changes. A new card key raises a row's revision, too. */
const revision = 1

/** Attempts after which a program that may pass on its own gives up: about an hour of an outside system's silence. */
const tries = 120

/** Key of the watermarks that ingest loads a source's log by. */
export const loadKey = ({ project, source }: Feed): StreamKey => ({ pipeline: project.name, stream: source.name })

/** Key of a backfill's own watermarks: it never moves those of ingest. */
export const backfillKey = ({ project, source }: Feed, id: string): StreamKey => ({
  pipeline: project.name,
  stream: `${source.name}/backfill/${id}`
})

/** Key that captures of a source are recorded by; where they stand, their log knows. */
export const captureKey = ({ project, source }: Feed): StreamKey => ({
  pipeline: project.name,
  stream: `${source.name}/capture`
})

/** How card data is kept out of everything that a source's capture writes. */
export const cards = ({ project, tables }: Feed): CardGuard.GuardOptions => ({
  tables,
  keys: CardKeys.fromEnvironment,
  policy: project.cardNumbers
})

/** The first arrow: a source's changes into its landing log. */
export const capture = Effect.fnUntraced(function* <P, R>(feed: Feed, source: Source<Block, P, R>) {
  const keys = yield* CardKeys.fromEnvironment
  return Pipeline.make({
    key: captureKey(feed),
    source,
    stage: CardGuard.guard(cards(feed)),
    sink: LandingLog.sink({
      stream: feed.log,
      revision: revision + Option.match(keys, { onNone: () => 0, onSome: CardKeys.version }),
      epochOf: (through) => (Predicate.hasProperty(through, "epoch") ? Number(through.epoch) : feed.source.epoch)
    }),
    retry: schedule(tries)
  })
})

/** The second arrow: the landing log into the warehouse; `catchUp` loads one table alone. */
export const load = (feed: Feed, key: StreamKey, catchUp?: string) =>
  Pipeline.make({
    key,
    // What catches up must reach the others, empty records or not.
    source: LandingLog.source({
      stream: feed.log,
      ...(catchUp === undefined ? pace(feed.project.warehouse, key.stream !== feed.source.name) : {})
    }),
    stage: Stage.identity<Segment>(),
    sink: WarehouseSink.make({ tables: feed.tables, ...(catchUp === undefined ? {} : { catchUp }) }),
    retry: schedule(tries)
  })

/** Seconds between two loads into a warehouse that costs money while it works, unless its configuration says otherwise. */
const cadenceSeconds = 300

/** A backfill beside ingest in one DuckDB takes short turns: each of its publishes keeps ingest waiting. */
const pace = (warehouse: WarehouseConfig, isBackfill: boolean) =>
  warehouse.kind === "duckdb"
    ? { joins: !isBackfill }
    : { cadence: `${warehouse.cadenceSeconds ?? cadenceSeconds} seconds` as const }

/** The source's URL is not set. */
export const noUrl = (feed: Feed) =>
  new ConnectorError({
    connector: "postgres",
    operation: "connect",
    detail: `source ${feed.source.name} of project ${feed.project.name} has no URL`,
    action: "Set the environment variable that northstar.config.ts takes it from, such as NORTHSTAR_POSTGRES_URL",
    reason: new Misconfigured({ detail: "source url" })
  })
