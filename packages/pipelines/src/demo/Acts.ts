import * as Backfill from "@northstar/connectors/project/Backfill"
import * as Query from "@northstar/connectors/project/Query"
import { backfillKey } from "@northstar/connectors/project/Streams"
import * as Rollback from "@northstar/connectors/project/Rollback"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { Clock, type Duration, Effect, Schedule } from "effect"
import type { Meter } from "./Meter.ts"
import type { Outside } from "./Outside.ts"
import type * as Process from "./Process.ts"
import type { Scene } from "./Scene.ts"
import { count, span, type Story } from "./Story.ts"

/** What every act plays with. */
export interface Play {
  readonly scene: Scene
  readonly story: Story
  readonly meter: Meter
  readonly outside: Outside
}

/** A range of the log that was read once more. */
export interface Reread {
  /** Changes read, and how many of them the history did not know. */
  readonly changes: number
  readonly news: number
}

/** How long the ingester stays dead: long enough to see the traffic pile up. */
const deadFor = "2500 millis"

/** Waits until `condition` holds, and asks `every` so often; fails when it does not within two minutes. */
export const until = <E, R>(
  what: string,
  condition: Effect.Effect<boolean, E, R>,
  every: Duration.Input = "50 millis"
) =>
  condition.pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced(every) }),
    Effect.timeoutOrElse({ duration: "2 minutes", orElse: () => failed(`${what} within two minutes`) })
  )

/** Runs `effect` as long as the ingester lives; its unexpected end is a failure with what it said last. */
export const besides = <A, E, R>(ingester: Process.Process, effect: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    effect,
    Effect.gen(function* () {
      const code = yield* ingester.ended
      return yield* failed(
        `the ingester did not go on: it ended with code ${code}: ${lastLine(yield* ingester.output)}`
      )
    })
  )

/** Whether readers see all orders and lines that the shop had before it went live. */
export const hasHistory = (play: Play, past: { readonly orders: number; readonly lines: number }, beforeMs: number) => {
  const counted = (table: string) =>
    `(select count(*) from curated.${table} where placed_at < ${play.scene.dialect.instant(beforeMs)})`
  return Effect.map(
    select(play, `select ${counted("orders")} as orders, ${counted("order_lines")} as lines`),
    ([row]) => Number(row?.["orders"]) === past.orders && Number(row?.["lines"]) === past.lines
  )
}

/** Waits until readers see everything that is committed by now. */
export const caughtUp = Effect.fnUntraced(function* ({ meter }: Play) {
  const { transactions } = yield* meter.reading
  yield* until(
    "readers do not see what was committed",
    Effect.map(meter.reading, ({ visible }) => visible >= transactions)
  )
})

/** Kills the ingester, lets the shop go on without it, and starts it again. */
export const kill = Effect.fn("Acts.kill")(function* (play: Play, ingester: Process.Process) {
  const { meter, scene, story } = play
  const before = yield* meter.reading
  const next = yield* meter.blindfolded(
    Effect.gen(function* () {
      yield* ingester.kill
      yield* story.step(
        "bad",
        `kill -9 ${ingester.pid}: the ingester is gone in the middle of its work`,
        `${scene.afterKill} Orders keep coming in, and PostgreSQL keeps their log for the slot.`
      )
      yield* Effect.sleep(deadFor)
      return yield* scene.northstar("ingest-2", "ingest")
    })
  )
  const startedAtMs = yield* Clock.currentTimeMillis
  yield* story.step("plain", `northstar ingest starts again, as process ${next.pid}`)
  yield* besides(next, caughtUp(play))
  const now = yield* meter.reading
  const tookMs = (yield* Clock.currentTimeMillis) - startedAtMs
  yield* story.step(
    "good",
    `caught up after ${span(tookMs)}: ${count(now.published - before.published)} row changes that had piled up, and those since`,
    "Rows and watermark were committed together, so it asked the tables where they stand: nothing lost, nothing twice."
  )
  return { ingester: next, startedAtMs }
})

/** Starts a second ingester on purpose and waits for its end. */
export const rival = Effect.fn("Acts.rival")(function* ({ scene, story }: Play) {
  const startedAtMs = yield* Clock.currentTimeMillis
  const second = yield* scene.northstar("second-ingest", "ingest", "--source", "shop")
  yield* story.step(
    "bad",
    `a second northstar ingest of the shop is started on purpose, as process ${second.pid}`,
    "A scheduler that starts a task twice is how the old pipeline came by duplicate orders."
  )
  const code = yield* second.ended
  const tookMs = (yield* Clock.currentTimeMillis) - startedAtMs
  const refused = code === busyCode
  yield* story.step(
    refused ? "good" : "bad",
    refused
      ? `the second one gives up after ${span(tookMs)}, exit code ${code} (busy): the slot is in use`
      : `the second one ended with code ${code} instead of ${busyCode}: ${lastLine(yield* second.output)}`,
    "Until then both loaded the same batches: the one that came second found the watermark moved and wrote nothing."
  )
  return refused
}, Effect.scoped)

/** The exit code that says that another task holds what this one needs. */
const busyCode = 6

/** Reads what is loaded of the landing log again while everything goes on. */
export const backfill = Effect.fn("Acts.backfill")(function* (play: Play) {
  const { story } = play
  yield* story.step(
    "plain",
    "northstar backfill reads the landing log again from its beginning, beside the ingester",
    "On a key of its own, from our own files: the source is not asked, and production loads go on."
  )
  const startedAtMs = yield* Clock.currentTimeMillis
  // What lies beyond is captured and not loaded yet: there the backfill would be first, and rightly publish it.
  const [loaded] = yield* select(play, "select max(through) as through from northstar.watermarks where stream = 'shop'")
  const read = yield* reread(play, { through: String(loaded?.["through"]) })
  const tookMs = (yield* Clock.currentTimeMillis) - startedAtMs
  yield* story.step(
    read.news === 0 ? "good" : "bad",
    `${count(read.changes)} row changes read again in ${span(tookMs)}, ${count(read.news)} of them news`,
    "Each change carries its version, and a version that is known already changes nothing."
  )
  return read
})

/** Changes that a batch worth taking back holds at least. */
const takenMin = 10

/** Takes the newest batch back that was published after an instant and holds more than a heartbeat. Returns where it lies in the log. */
export const rollback = Effect.fn("Acts.rollback")(function* (play: Play, sinceMs: number) {
  const { scene, story } = play
  const { dialect, project } = scene
  const [row] = yield* select(
    play,
    `select batch from northstar.batches where stream = 'shop' and recorded_at >= ${dialect.instant(sinceMs)}
      group by batch having sum(published) >= ${takenMin} order by max(recorded_at) desc limit 1`
  )
  // A heartbeat that is being published holds the same locks for a moment.
  const plan = yield* Rollback.apply(project, String(row?.["batch"])).pipe(
    Effect.retry({ times: 20, while: (error) => error.isRetryable, schedule: Schedule.spaced("100 millis") })
  )
  const total = (field: "changes" | "keys") => plan.lines.reduce((sum, each) => sum + each[field], 0)
  yield* story.step(
    "bad",
    `northstar rollback takes batch ${BigInt(plan.through)} back: ${count(total("changes"))} changes of ${count(total("keys"))} rows`,
    "Every row it touched is computed anew from the changes that remain, in one transaction."
  )
  return { batch: plan.batch, after: plan.after ?? "0", through: plan.through, changes: total("changes") }
})

/** Reads a range of the log again, `(after, through]`, and counts what became of it. */
export const reread = Effect.fn("Acts.reread")(function* (
  play: Play,
  range: { readonly after?: string; readonly through?: string }
) {
  const { id } = yield* Backfill.fromLog(play.scene.shop, range)
  const { tables } = play.scene.shop
  const { pipeline, stream } = backfillKey(play.scene.shop, id)
  const batches = `${pipeline}/${stream}/`
  const news = tables.map(
    (table) =>
      `select count(*) as n from curated.${table.name}__history where left(_batch, ${batches.length}) = '${batches}'`
  )
  const [row] = yield* select(
    play,
    `select coalesce(sum(rows_in), 0) as changes, (select sum(n) from (${news.join(" union all ")}) counted) as news
      from northstar.batches where stream = '${stream}'`
  )
  return { changes: Number(row?.["changes"]), news: Number(row?.["news"]) } satisfies Reread
})

/** The first row of a query, as `northstar query` runs it. */
const select = ({ scene }: Play, sql: string) =>
  Effect.map(Query.query(scene.project, sql, { rowsMax: 1 }), ({ rows }) => rows)

const lastLine = (output: string): string => output.trimEnd().split("\n").at(-1) ?? ""

const failed = (detail: string) =>
  Effect.fail(
    new ConnectorError({
      connector: "demo",
      operation: "go on",
      detail,
      action: "Read the logs beside the demo's configuration, and report it.",
      reason: new Misconfigured({ detail })
    })
  )
