import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Effect, Random, type Scope } from "effect"
import { orderLines, orders } from "../Tables.ts"
import * as Catalogue from "./Catalogue.ts"
import * as Database from "./Database.ts"
import * as Detour from "./Detour.ts"
import * as Life from "./Life.ts"
import type { Order } from "./OnlineRetail.ts"
import { insert, type Statement } from "./Statement.ts"

/** The data set as the shop lived it: what lay behind when we start to look, and what happens then. */
export interface Plan {
  /** Fills empty tables with everything placed before the start, in a few statements. */
  readonly history: ReadonlyArray<Statement>
  /** One transaction each, in the order in which they happen. */
  readonly events: ReadonlyArray<Life.ShopEvent>
  /** The orders' lives, for whoever else has a part in them: who pays, and who ships. In the order in which they were placed. */
  readonly lives: ReadonlyArray<Life.Life>
}

/**
 * Orders as a plan: the same for the same orders, seed and start. After history and all events the tables hold exactly
 * the data set's orders and lines, in the statuses they had reached when its last order was placed.
 */
export const plan = (
  allOrders: ReadonlyArray<Order>,
  options: {
    readonly seed: string
    /** Start of live traffic on the shop's clock, Unix milliseconds; at 0 all is live. */
    readonly liveFromMs: number
  }
): Effect.Effect<Plan> =>
  Effect.map(Random.Random, (random) => {
    const endMs = allOrders.at(-1)?.placedAtMs ?? 0
    const catalogue = Catalogue.make()
    const past: Array<Life.OrderRows> = []
    const events: Array<Life.ShopEvent> = []
    const lives: Array<Life.Life> = []
    const [old, live] = split(allOrders, options.liveFromMs)
    for (const order of old) {
      catalogue.meet(order, random)
      const life = Life.draw(order, random)
      lives.push(life)
      past.push(Life.after(life, options.liveFromMs))
      events.push(...Life.between(life, options.liveFromMs, endMs))
    }
    const history = [
      ...catalogue.contents(),
      insert(
        orders,
        past.map(({ order }) => order)
      ),
      insert(
        orderLines,
        past.flatMap(({ lines }) => lines)
      )
    ]
    for (const order of live) {
      const news = catalogue.meet(order, random)
      const life = Life.draw(order, random)
      lives.push(life)
      const { placed, events: detours } =
        order.kind === "sale" ? Detour.draw(life.rows, order.placedAtMs, random) : { placed: life.rows, events: [] }
      const statements = [...news.statements, insert(orders, [placed.order]), insert(orderLines, placed.lines)]
      events.push({ atMs: order.placedAtMs, kind: order.kind === "adjustment" ? "adjusted" : "placed", statements })
      events.push(...news.events, ...detours, ...Life.between(life, 0, endMs))
    }
    return { history, events: events.toSorted((left, right) => left.atMs - right.atMs), lives }
  }).pipe(Random.withSeed(options.seed))

/** Where a replay stands. */
export interface Progress {
  /** Events committed so far, of `total`. */
  readonly done: number
  readonly total: number
  /** Rows they changed, cascades not counted. */
  readonly changed: number
  /** The shop's clock at the newest of them, Unix milliseconds. */
  readonly atMs: number
}

/** Fills the shop's empty tables in one transaction. */
export const fill = (url: string, history: Plan["history"]): Effect.Effect<void, ConnectorError> =>
  Effect.scoped(
    Effect.flatMap(Database.connect(url), (database) =>
      Effect.asVoid(database.transaction(history.filter((statement) => !isEmpty(statement))))
    )
  )

/**
 * Commits the events one after another at an even pace, or as fast as the database takes them. Stops at the first failure;
 * when interrupted, the event at hand is committed whole or not at all. Returns the number of rows that changed, cascades not counted.
 */
export const run = Effect.fn("Replay.run")(function* (
  url: string,
  events: Plan["events"],
  options: {
    readonly eventsPerSecond?: number
    readonly onProgress?: (progress: Progress) => Effect.Effect<void, ConnectorError>
  } = {}
): Effect.fn.Return<number, ConnectorError, Scope.Scope> {
  const database = yield* Database.connect(url)
  const startMs = yield* Clock.currentTimeMillis
  let changed = 0
  for (const [index, event] of events.entries()) {
    if (options.eventsPerSecond !== undefined) {
      const dueMs = startMs + (index * 1000) / options.eventsPerSecond
      const earlyMs = dueMs - (yield* Clock.currentTimeMillis)
      if (earlyMs > 0) yield* Effect.sleep(earlyMs)
    }
    for (const rows of yield* database.transaction(event.statements)) changed += rows
    if (options.onProgress)
      yield* options.onProgress({ done: index + 1, total: events.length, changed, atMs: event.atMs })
  }
  return changed
}, Effect.scoped)

const split = (all: ReadonlyArray<Order>, liveFromMs: number) => {
  const first = all.findIndex((order) => order.placedAtMs >= liveFromMs)
  return first < 0 ? ([all, []] as const) : ([all.slice(0, first), all.slice(first)] as const)
}

/** An insert without rows: its parameters are empty arrays. */
const isEmpty = (statement: Statement): boolean =>
  statement.values.every((value) => Array.isArray(value) && value.length === 0)
