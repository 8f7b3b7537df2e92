import { assert, it } from "@effect/vitest"
import { Effect, Option, Schedule, Stream } from "effect"
import * as Pipeline from "@northstar/core/Pipeline"
import { unbounded } from "@northstar/core/Position"
import { RunLedger } from "@northstar/core/RunLedger"
import * as Stage from "@northstar/core/Stage"
import { FaultInjector } from "@northstar/core/testing"
import * as FilesSource from "../../src/files/FilesSource.ts"
import * as Verdict from "../../src/files/Verdict.ts"
import * as LandingLog from "../../src/landing/LandingLog.ts"
import { ObjectStore } from "../../src/landing/ObjectStore.ts"
import { guarded } from "../landing/Blocks.ts"
import { contents, DuckDb } from "../landing/Stores.ts"
import { contract, header, inWorld, source } from "./Drops.ts"

const stream = "shop/partner"

/** Captures everything there is; tries again at once what may pass. */
const capture = (path: string) =>
  Pipeline.run(
    Pipeline.make({
      key: { pipeline: "shop", stream },
      source: source(path, [contract({ redelivery: "replaces" })]),
      stage: Stage.map(guarded),
      sink: LandingLog.sink({ stream, revision: 0 }),
      retry: Schedule.recurs(20)
    }),
    { program: "capture", untilCaughtUp: true }
  ).pipe(Effect.provide(RunLedger.layerMemory))

const line = (id: string) => `${id};sent;23.11.2026 10:00;1;\n`
const deliveries: ReadonlyArray<readonly [string, string]> = [
  ["in/a.csv", `${header}\n${line("A")}${line("B")}`],
  ["in/b.csv", "what is this"],
  ["in/c.csv", `${header}\n${line("C")}broken\n`],
  ["in/a.csv", `${header}\n${line("B")}${line("D")}`],
  ["in/c.csv", `${header}\n`],
  ["in/b.csv", `${header}\n${line("E")}`]
]

/** Runs a history, each delivery captured before the next one comes; `capture` may be cut off and run again. */
const history = (run: (path: string) => Effect.Effect<unknown, never, ObjectStore>) =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      for (const [n, [key, content]] of deliveries.entries()) {
        put(key, content, n)
        yield* run(path)
      }
      const landed = yield* contents(stream)
      const refused = yield* FilesSource.refused(stream)
      return { landed, refused: refused.map(({ sequence, detail }) => [sequence, detail]) }
    })
  )

const services = DuckDb.layer

it.effect(
  "P1 crash: a capture that is cut off at any step and run again lands what one lands that was not",
  () =>
    Effect.gen(function* () {
      const expected = yield* history((path) => Effect.orDie(capture(path)))
      assert.strictEqual(expected.landed.length, 9)
      assert.strictEqual(expected.refused.length, 1)
      const injector = yield* FaultInjector.make
      const kinds = ["fail", "die", "interrupt"] as const
      let struck = 0
      // Every fourth step, a failure, a defect and an interruption in turn.
      for (let nth = 1; nth <= 57; nth += 4) {
        const kind = kinds[nth % 3] ?? "fail"
        const found = yield* history((path) =>
          Effect.gen(function* () {
            yield* injector.arm({ step: "*", nth, kind })
            yield* Effect.exit(injector.provide(capture(path)))
            if (yield* injector.hasStruck) struck++
            yield* injector.arm()
            yield* Effect.orDie(capture(path))
          })
        )
        assert.deepStrictEqual(found, expected, `${kind} at step ${nth}`)
      }
      assert.isAbove(struck, 15)
    }).pipe(Effect.provide(services)),
  120_000
)

it.effect("A1 accounting: rows of a file are rows that land, flagged or not", () =>
  inWorld(({ path, put }) =>
    Effect.gen(function* () {
      const rows = Array.from({ length: 40_000 }, (_, n) => (n % 7 === 0 ? `${n};x\n` : line(`S${n % 9_000}`)))
      put("in/a.csv", `${header}\n${rows.join("")}`)
      yield* capture(path)
      const [record] = yield* Stream.runCollect(LandingLog.records(stream, unbounded))
      assert.strictEqual(
        record?.files.reduce((sum, file) => sum + file.rows, 0),
        40_000
      )
      const accepted = Option.getOrThrow(yield* Verdict.accepted(stream, "1".padStart(20, "0")))
      assert.deepInclude(accepted, { rows: 40_000, flagged: Math.ceil(40_000 / 7) })
      const landed = yield* contents(stream)
      assert.strictEqual(landed.filter((row) => row.includes("malformed:fields")).length, accepted.flagged)
    })
  ).pipe(Effect.provide(services))
)
