import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import { type RunFact, RunId, RunLedger } from "@northstar/core/RunLedger"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import * as WarehouseLedger from "../../src/warehouse/WarehouseLedger.ts"
import { fresh } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-outage-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const noAnswer = new ConnectorError({
  connector: "warehouse",
  operation: "execute",
  detail: "no answer",
  action: "Run it again",
  reason: new Misconfigured({ detail: "no answer" })
})

/** A sparing ledger whose warehouse can be down; while the answer is lost, a statement is done and seems to fail. */
const ledger = Effect.gen(function* () {
  const statements: Array<number> = []
  const state: { is: "up" | "down" | "mute" } = { is: "up" }
  const warehouse = yield* Warehouse
  const session = Effect.map(warehouse.session, (own) => ({
    ...own,
    execute: (sql: string) => {
      if (state.is === "down") return Effect.fail(noAnswer)
      statements.push(Buffer.byteLength(sql))
      return state.is === "mute" ? Effect.andThen(own.execute(sql), Effect.fail(noAnswer)) : own.execute(sql)
    }
  }))
  const context = yield* Layer.build(
    WarehouseLedger.layerSparing.pipe(Layer.provide(Layer.succeed(Warehouse, Warehouse.of({ ...warehouse, session }))))
  )
  const { append } = yield* Effect.provideContext(RunLedger, context)
  const say = (run: string, stream: string, second: number, fact: RunFact) =>
    append({ run: RunId.make(run), key: { pipeline: "shop", stream }, atMs: second * 1_000, fact })
  /** What is there by kind: facts, different ones, rows that they count. */
  const told = Effect.gen(function* () {
    const rows = yield* (yield* warehouse.session).query(
      `SELECT run || ' ' || kind AS k, CAST(count(*) AS INTEGER) AS n, CAST(count(DISTINCT recorded_at) AS INTEGER) AS m, CAST(sum(rows_in) AS INTEGER) AS r
      FROM northstar.runs GROUP BY 1 ORDER BY 1`
    )
    return Object.fromEntries(rows.map(({ k, m, n, r }) => [String(k), [n, m, r]]))
  })
  return { append, say, state, statements, told }
})

const committed: RunFact = { _tag: "Committed", through: "1", rows: 1, replayed: false }
const started: RunFact = { _tag: "Started", program: "ingest" }
const failed: RunFact = { _tag: "Failed", detail: "x".repeat(1_000) }

describe("the sparing ledger in an outage", () => {
  it.live("facts of twelve hours with two sources are told once each afterwards, by statements below 200 kB", () =>
    Effect.gen(function* () {
      const { say, state, statements, told } = yield* ledger
      yield* say("a", "shop/capture", 0, started)
      yield* say("b", "stripe/capture", 0, started)
      // The first statement is done although its answer is lost, the others are not.
      state.is = "mute"
      for (let second = 10; second <= 43_200; second += 10) {
        yield* say("a", "shop/capture", second, committed)
        if (second % 30 === 0) yield* say("b", "stripe/capture", second, committed)
        if (second % 60 !== 0) continue
        yield* Effect.ignore(say("c", "shop", second, failed))
        state.is = "down"
      }
      assert.lengthOf(statements, 1)
      state.is = "up"
      yield* say("c", "shop", 43_201, committed)
      assert.isBelow(Math.max(...statements), 200_000)
      assert.deepStrictEqual(yield* told, {
        "a Committed": [2, 2, 4_320],
        "a Started": [1, 1, 0],
        "b Committed": [2, 2, 1_440],
        "b Started": [1, 1, 0],
        "c Committed": [1, 1, 1],
        "c Failed": [720, 720, 0]
      })
    }).pipe(Effect.scoped, Effect.provide(fresh([], root)))
  )

  it.live("of commits that failures stand between the oldest are left out beyond a thousand, and no failure is", () =>
    Effect.gen(function* () {
      const { say, state, told } = yield* ledger
      state.is = "down"
      for (let at = 0; at < 1_500; at++) {
        yield* say("a", "shop/capture", 2 * at, { ...committed, rows: at })
        yield* Effect.ignore(say("a", "shop/capture", 2 * at + 1, { _tag: "Failed", detail: "no answer" }))
      }
      state.is = "up"
      yield* say("c", "shop", 4_000, committed)
      const { "a Committed": commits, "a Failed": failures, "c Committed": last } = yield* told
      const newest = Array.from({ length: 999 }, (_, at) => 501 + at).reduce((sum, rows) => sum + rows)
      // The first one, of 0 rows, is in the statement that may have been done: that one stays as it is.
      assert.deepStrictEqual(commits, [1_000, 1_000, newest])
      assert.deepStrictEqual(failures, [1_500, 1_500, 0])
      assert.deepStrictEqual(last, [1, 1, 1])
    }).pipe(Effect.scoped, Effect.provide(fresh([], root)))
  )

  it.live("an entry that is appended again after its writing was cut short is told once", () =>
    Effect.gen(function* () {
      const { append, say, state, told } = yield* ledger
      const again = (run: string) => ({
        run: RunId.make(run),
        key: { pipeline: "shop", stream: run },
        atMs: 2,
        fact: failed
      })
      const [tried, waits] = [again("tried"), again("waits")]
      state.is = "down"
      for (const entry of [tried, tried, waits, waits]) yield* Effect.ignore(append(entry))
      state.is = "up"
      yield* say("c", "shop", 3, committed)
      const { "tried Failed": first, "waits Failed": second } = yield* told
      assert.deepStrictEqual(
        [first, second],
        [
          [1, 1, 0],
          [1, 1, 0]
        ]
      )
    }).pipe(Effect.scoped, Effect.provide(fresh([], root)))
  )
})
