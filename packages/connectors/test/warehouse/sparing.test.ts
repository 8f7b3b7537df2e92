import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { type RunFact, RunId, RunLedger } from "@northstar/core/RunLedger"
import { snowflake } from "../../src/snowflake/SnowflakeDialect.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import * as WarehouseLedger from "../../src/warehouse/WarehouseLedger.ts"

/** A sparing ledger over a warehouse that counts the facts of each statement, and does not answer while told so. */
const ledger = Effect.gen(function* () {
  const written: Array<number> = []
  const state = { isDown: false }
  const down = new ConnectorError({
    connector: "warehouse",
    operation: "execute",
    detail: "no answer",
    action: "Run it again",
    reason: new Misconfigured({ detail: "no answer" })
  })
  const execute = (sql: string) =>
    Effect.suspend(() => {
      if (state.isDown) return Effect.fail(down)
      written.push(sql.split("UNION ALL").length)
      return Effect.succeed(1)
    })
  const warehouse = Warehouse.of({
    dialect: snowflake,
    session: Effect.succeed({ execute, query: () => Effect.succeed([]), transaction: (effect) => effect }),
    attach: () => Effect.succeed([])
  })
  const context = yield* Layer.build(
    WarehouseLedger.layerSparing.pipe(Layer.provide(Layer.succeed(Warehouse, warehouse)))
  )
  const { append } = yield* Effect.provideContext(RunLedger, context)
  const say = (atMs: number, stream: string, fact: RunFact) =>
    append({ run: RunId.make("run"), key: { pipeline: "shop", stream }, atMs, fact })
  return { say, state, written }
})

const committed: RunFact = { _tag: "Committed", through: "1", rows: 1, replayed: false }
const failed: RunFact = { _tag: "Failed", detail: "no answer" }

describe("the sparing ledger", () => {
  it.effect("a failure is written at once, with what waits, although something was written just before", () =>
    Effect.gen(function* () {
      const { say, written } = yield* ledger
      yield* say(1_000, "shop", committed)
      yield* say(2_000, "shop/capture", committed)
      assert.deepStrictEqual(written, [1])
      yield* say(3_000, "shop/capture", failed)
      assert.deepStrictEqual(written, [1, 2])
    }).pipe(Effect.scoped)
  )

  it.effect("failures that follow in the same lane wake the warehouse every five minutes only", () =>
    Effect.gen(function* () {
      const { say, written } = yield* ledger
      for (let second = 0; second <= 330; second += 30) yield* say(second * 1_000, "shop/capture", failed)
      assert.deepStrictEqual(written, [1, 11])
      yield* say(340_000, "stripe/capture", failed)
      assert.deepStrictEqual(written, [1, 11, 1])
    }).pipe(Effect.scoped)
  )

  it.effect("a lane that went on is heard again at its next failure", () =>
    Effect.gen(function* () {
      const { say, written } = yield* ledger
      yield* say(1_000, "shop/capture", failed)
      yield* say(2_000, "shop/capture", committed)
      yield* say(3_000, "shop/capture", failed)
      assert.deepStrictEqual(written, [1, 2])
    }).pipe(Effect.scoped)
  )

  it.effect("a failure that could not be written is written with the next one", () =>
    Effect.gen(function* () {
      const { say, state, written } = yield* ledger
      state.isDown = true
      yield* Effect.flip(say(1_000, "shop/capture", failed))
      state.isDown = false
      yield* say(2_000, "shop/capture", failed)
      assert.deepStrictEqual(written, [1, 1])
    }).pipe(Effect.scoped)
  )
})
