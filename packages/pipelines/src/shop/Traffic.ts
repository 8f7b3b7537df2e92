import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Clock, Effect, Random, type Scope } from "effect"
import * as Action from "./Action.ts"
import * as Database from "./Database.ts"
import type { Statement } from "./Statement.ts"

/** What traffic has done. */
export interface Counts {
  /** Committed, those without a change included. */
  readonly transactions: number
  /** Undone on purpose, or by the database because of a deadlock. */
  readonly rolledBack: number
  /** Rows that committed statements inserted, updated or deleted; neither cascades nor truncated rows are counted. */
  readonly changes: number
}

/** How much traffic, of what. */
export interface Options {
  /** Determines each connection's statements; how the connections interleave is up to the database. */
  readonly seed: string
  /** Traffic ends after this many committed changes; as transactions are whole, a few more. */
  readonly changes: number
  /** Connections at work at once. */
  readonly connections: number
  /** Orders that one statement touches at most; one touches a fifth of it on average. */
  readonly ordersMax: number
  /** Default: as fast as the database goes. */
  readonly changesPerSecond?: number
  /** Where to start numbering orders: a later run on the same tables takes a larger one. Default 0. */
  readonly run?: number
}

/**
 * Random histories over the shop's tables, which must exist: inserts, updates of many and of single rows, key updates that
 * cascade, long notes rewritten and left alone, deletes and the same keys again, rare truncates, savepoints rolled back,
 * transactions over several tables, rolled back, and empty. Made in the server, so tens of thousands of changes a second.
 * All rows satisfy the contracts.
 */
export const run = Effect.fn("Traffic.run")(function* (
  url: string,
  options: Options
): Effect.fn.Return<Counts, ConnectorError> {
  const total = { transactions: 0, rolledBack: 0, changes: 0 }
  const workers = Array.from({ length: options.connections }, (_, worker) =>
    Effect.scoped(work(url, options, worker, total)).pipe(Random.withSeed(`${options.seed} ${worker}`))
  )
  yield* Effect.all(workers, { concurrency: "unbounded", discard: true })
  return total
})

type Totals = { -readonly [K in keyof Counts]: Counts[K] }

const work = Effect.fnUntraced(function* (
  url: string,
  options: Options,
  worker: number,
  total: Totals
): Effect.fn.Return<void, ConnectorError, Scope.Scope> {
  const random = yield* Random.Random
  const database = yield* Database.connect(url)
  yield* database.script("set lock_timeout = '10s'")
  const lane = Action.lane(worker, options.run ?? 0, options.ordersMax)
  const startMs = yield* Clock.currentTimeMillis
  while (total.changes < options.changes) {
    if (options.changesPerSecond !== undefined) {
      const dueMs = startMs + (1000 * total.changes) / options.changesPerSecond
      const earlyMs = dueMs - (yield* Clock.currentTimeMillis)
      if (earlyMs > 0) yield* Effect.sleep(earlyMs)
    }
    const { statements, counts } = transaction(lane, random)
    const end = random.nextDoubleUnsafe() < 0.05 ? "rollback" : "commit"
    const outcome = yield* database
      .transaction(statements, end)
      .pipe(Effect.catchIf(Database.isConflict, () => Effect.succeed(undefined)))
    if (outcome === undefined || end === "rollback") total.rolledBack += 1
    else {
      total.transactions += 1
      for (const [index, changed] of outcome.entries()) {
        if (counts[index] === true) total.changes += changed
      }
    }
  }
})

/** No statement, one, or a few, and for each whether it lasts: a savepoint undoes some. */
const transaction = (lane: Action.Lane, random: Random.Random) => {
  const actions = Math.floor(4 * random.nextDoubleUnsafe() ** 2 + 0.9)
  const statements: Array<Statement> = []
  const counts: Array<boolean> = []
  for (let index = 0; index < actions; index++) {
    const action = Action.draw(lane, random)
    const isUndone = random.nextDoubleUnsafe() < 0.05
    const whole = isUndone ? [savepoint, ...action, rollbackToSavepoint] : action
    statements.push(...whole)
    counts.push(...whole.map(() => !isUndone))
  }
  return { statements, counts }
}

const savepoint: Statement = { text: "savepoint s", values: [] }
const rollbackToSavepoint: Statement = { text: "rollback to savepoint s", values: [] }
