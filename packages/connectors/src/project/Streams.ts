import { Duration, Effect, Option, Predicate } from "effect"
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

/** Attempts after which a failure that may pass on its own is told: about an hour of an outside system's silence. */
const tries = 120

/** A run that is to end ends sooner: whoever started it waits, and starts another. */
const patience = (untilCaughtUp: boolean) => schedule(tries, untilCaughtUp ? "2 minutes" : undefined)

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
export const capture = Effect.fnUntraced(function* <P, R>(
  feed: Feed,
  source: Source<Block, P, R>,
  { untilCaughtUp }: { readonly untilCaughtUp: boolean }
) {
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
    retry: patience(untilCaughtUp)
  })
})

/** The second arrow: the landing log into the warehouse; `catchUp` loads one table alone. */
export const load = (
  feed: Feed,
  key: StreamKey,
  { catchUp, untilCaughtUp = false }: { readonly catchUp?: string; readonly untilCaughtUp?: boolean } = {}
) =>
  Pipeline.make({
    key,
    // What catches up must reach the others, empty records or not.
    source: LandingLog.source({
      stream: feed.log,
      ...(catchUp === undefined ? pace(feed.project.warehouse, key.stream !== feed.source.name) : {})
    }),
    stage: Stage.identity<Segment>(),
    sink: WarehouseSink.make({ tables: feed.tables, ...(catchUp === undefined ? {} : { catchUp }) }),
    retry: patience(untilCaughtUp)
  })

/** Seconds between two loads into a warehouse that costs money while it works, unless its configuration says otherwise. */
const cadenceSeconds = 300

/**
 * Rows of one publish of a backfill: it holds the lock rows of its tables meanwhile, and ingest's load waits. A publish has
 * costs that do not depend on its rows, so records are joined: in DuckDB, which both share, up to what takes a few tenths
 * of a second. In Snowflake a backfill has a virtual warehouse of its own: a million rows take a LARGE one some 13 s at the
 * rate that `cost/Assumptions.ts` assumes, well within the lock timeout of 60 s and the 300 s between two loads. Ten
 * million, as a load joins, would be beyond both.
 */
const backfillRowsMax = { duckdb: 20_000, snowflake: 1_000_000 } as const

const pace = (warehouse: WarehouseConfig, isBackfill: boolean) => ({
  ...(isBackfill ? { joinedRowsMax: backfillRowsMax[warehouse.kind] } : {}),
  ...(warehouse.kind === "duckdb" ? {} : { cadence: cadenceOf(warehouse) })
})

/** Least time between two loads. */
export const cadenceOf = (warehouse: WarehouseConfig): Duration.Duration =>
  warehouse.kind === "duckdb" ? Duration.zero : Duration.seconds(warehouse.cadenceSeconds ?? cadenceSeconds)

/** The source's URL is not set. */
export const noUrl = (feed: Feed) =>
  new ConnectorError({
    connector: "postgres",
    operation: "connect",
    detail: `source ${feed.source.name} of project ${feed.project.name} has no URL`,
    action: "Set the environment variable that northstar.config.ts takes it from, such as NORTHSTAR_POSTGRES_URL",
    reason: new Misconfigured({ detail: "source url" })
  })
