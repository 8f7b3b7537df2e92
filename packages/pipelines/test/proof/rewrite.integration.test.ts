import { expect, layer } from "@effect/vitest"
import * as Postgres from "@northstar/connectors/local/Postgres"
import * as Query from "@northstar/connectors/project/Query"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { Console, Context, Effect, Fiber, Layer, Random } from "effect"
import * as Traffic from "../../src/shop/Traffic.ts"
import * as Tables from "../../src/Tables.ts"
import * as Oracle from "./Oracle.ts"
import * as Process from "./Process.ts"
import * as Settings from "./Settings.ts"
import * as Stand from "./Stand.ts"

class Server extends Context.Service<Server, Postgres.Server>()("test/Server") {
  static readonly layer: Layer.Layer<Server, ConnectorError> = Layer.effect(Server, Postgres.start())
}

const changes = Settings.isOracleFull ? 40_000 : 4000
const rewrites = Settings.isOracleFull ? 24 : 3

/** Does something to the warehouse again and again while traffic runs and an ingest follows it; returns what is wrong then. */
const meanwhile = (database: string, rewrite: (stand: Stand.Stand, index: number) => Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const { url } = yield* Server
    yield* Console.log(`${database}: NORTHSTAR_SEED=${Settings.seed}`)
    const stand = yield* Effect.acquireRelease(Stand.make(url, database), Stand.release)
    const traffic = { seed: Settings.seed, connections: 2, ordersMax: 40 }
    yield* Traffic.run(stand.url, { ...traffic, changes: 1000 })
    yield* Stand.publish(stand)
    yield* Process.catchUp(stand)
    const ingest = yield* Process.start(stand, { program: "ingest", untilCaughtUp: false })
    const trading = yield* Effect.forkScoped(
      Traffic.run(stand.url, { ...traffic, changes, run: 1, changesPerSecond: changes / (1.6 * rewrites) })
    )
    for (let index = 0; index < rewrites; index++) yield* rewrite(stand, index)
    yield* Fiber.join(trading)
    const { code, said } = yield* ingest.kill
    yield* Process.catchUp(stand)
    // What was set aside while a batch was away is judged anew by reading the log again, as the runbook says.
    yield* Process.succeed(stand, { program: "backfill", id: "anew", after: "0", through: String(head(stand)) })
    const { problems } = yield* Oracle.judge(stand, Tables.all)
    return code === undefined ? problems : [...problems, `the ingest ended (${code}): ${said}`]
  }).pipe(Effect.scoped, Random.withSeed(`${database} ${Settings.seed}`))

const head = (stand: Stand.Stand): number => Number(Oracle.logRecords(stand).at(-1)?.sequence ?? 0)

const between = (low: number, high: number): Effect.Effect<number> =>
  Effect.map(Random.next, (random) => low + Math.floor(random * (high - low)))

/** A backfill that is killed once at a random moment, and run again. */
const killedBackfill = (
  stand: Stand.Stand,
  range: { readonly id: string; readonly after: string; readonly through: string }
) =>
  Effect.gen(function* () {
    const task = { program: "backfill", ...range } as const
    const lifeMs = yield* between(300, 1500)
    yield* Effect.scoped(
      Effect.flatMap(Process.start(stand, task), ({ kill }) => Effect.andThen(Effect.sleep(lifeMs), kill))
    )
    yield* Process.succeed(stand, task)
  })

/** Batches of the ingest that nobody has taken back, with their ranges of the log. */
const standingBatches = (stand: Stand.Stand) =>
  Effect.map(
    Effect.orDie(
      Query.query(
        Stand.shop(stand).project,
        `SELECT DISTINCT batch, coalesce(after_position, '0') AS after, through_position AS through
        FROM northstar.batches WHERE stream = 'shop' AND taken_back_at IS NULL ORDER BY 1`,
        { rowsMax: 10_000 }
      )
    ),
    ({ rows }) =>
      rows.map((row) => ({
        batch: String(row["batch"]),
        after: String(row["after"]),
        through: String(row["through"])
      }))
  )

layer(Server.layer, { excludeTestServices: true })("rewriting what is there", (it) => {
  it.effect(
    "P2 backfill: backfills of random ranges beside an ingest, some killed and run again, end in the source's tables",
    () =>
      Effect.gen(function* () {
        const problems = yield* meanwhile("backfills", (stand, index) =>
          Effect.gen(function* () {
            const last = head(stand)
            const after = yield* between(0, last)
            const through = yield* between(after + 1, last + 1)
            const range = { id: String(index), after: String(after), through: String(through) }
            if (index % 2 === 0) yield* killedBackfill(stand, range)
            else yield* Process.succeed(stand, { program: "backfill", ...range })
          })
        )
        expect(problems).toEqual([])
      }),
    Settings.isOracleFull ? 600_000 : 300_000
  )

  it.effect(
    "P3 rollback: random batches taken back and read again beside an ingest end in the source's tables",
    () =>
      Effect.gen(function* () {
        const problems = yield* meanwhile("rollbacks", (stand, index) =>
          Effect.gen(function* () {
            const batches = yield* Effect.delay(standingBatches(stand), "1 second")
            const chosen = batches[yield* between(0, batches.length)]
            // A busy machine makes few batches, of many records each: all of them may be taken back by now.
            if (chosen === undefined) return
            const { batch, after, through } = chosen
            yield* Process.succeed(stand, { program: "rollback", batch })
            yield* Process.succeed(stand, { program: "backfill", id: String(index), after, through })
          })
        )
        expect(problems).toEqual([])
      }),
    Settings.isOracleFull ? 600_000 : 300_000
  )
})
