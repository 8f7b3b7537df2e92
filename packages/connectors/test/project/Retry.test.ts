import { assert, it } from "@effect/vitest"
import { Duration, Effect, Exit, Option, Schedule } from "effect"
import * as Column from "@northstar/core/Column"
import { Busy, ConnectorError, Unavailable } from "@northstar/core/ConnectorError"
import type { RunError } from "@northstar/core/Pipeline"
import type { Source } from "@northstar/core/Source"
import * as Table from "@northstar/core/Table"
import type { Block } from "../../src/landing/Block.ts"
import * as CommitLog from "../../src/landing/CommitLog.ts"
import * as Project from "../../src/project/Project.ts"
import { schedule } from "../../src/project/Retry.ts"
import { capture, load, loadKey } from "../../src/project/Streams.ts"

const failure = (reason: ConnectorError["reason"]): ConnectorError =>
  new ConnectorError({ connector: "test", operation: "test", detail: "it failed", action: "Wait", reason })

const away = failure(new Unavailable({ cause: "cut" }))
const held = failure(new Busy({ holder: "PID 1" }))
const dead = failure(new Busy({ holder: "PID 1", leavesWithin: Duration.seconds(77) }))

/** Milliseconds that a schedule goes on for when everything fails: `first` for so many times, then `then`; at most `triesMax` tries. */
const lasts = (first: RunError, times: number, then: RunError, retry = schedule(100), triesMax = 100) =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(retry)
    let firstMs = 0
    let nowMs = 0
    for (let attempt = 0; attempt < triesMax; attempt++) {
      if (attempt === times) firstMs = nowMs
      const exit = yield* Effect.exit(step(nowMs, attempt < times ? first : then))
      if (Exit.isFailure(exit)) return Option.some(nowMs - firstMs)
      nowMs += Duration.toMillis(exit.value[1])
    }
    return Option.none()
  })

it.effect("what another task holds is given up after some seconds, however long an outage came before", () =>
  Effect.gen(function* () {
    for (const outage of [0, 3, 40]) {
      const lasted = Option.getOrThrow(yield* lasts(away, outage, held))
      assert.isAtLeast(lasted, 6000)
      assert.isAtMost(lasted, 40_000)
    }
  })
)

it.effect("a holder that may be dead is waited for until it must be gone, and not much longer", () =>
  Effect.gen(function* () {
    for (const outage of [0, 40]) {
      const lasted = Option.getOrThrow(yield* lasts(away, outage, dead))
      assert.isAtLeast(lasted, 77_000)
      assert.isAtMost(lasted, 83_000)
    }
  })
)

it.effect("a run that is to end soon waits for a dead holder, too", () =>
  Effect.gen(function* () {
    const slow = failure(new Busy({ holder: "PID 1", leavesWithin: Duration.minutes(11) }))
    assert.isAtLeast(Option.getOrThrow(yield* lasts(slow, 0, slow, schedule(1000, "2 minutes"), 1000)), 660_000)
  })
)

it.effect("an outside system that does not answer is tried again for an hour", () =>
  Effect.gen(function* () {
    assert.isTrue(Option.isNone(yield* lasts(away, 0, away)))
  })
)

it.effect("a run until caught up gives up after two minutes on what does not answer, source or warehouse", () =>
  Effect.gen(function* () {
    const table = Table.make("t", { key: ["id"], columns: { id: Column.text } })
    const config = Project.postgres({ url: undefined, tables: [table] })
    const feed = Project.feed(Project.define({ name: "p", sources: [config] }), config)
    const source: Source<Block, bigint> = { name: "none", position: CommitLog.position, open: Effect.never }
    const pipelines = [
      yield* capture(feed, source, { untilCaughtUp: true }),
      load(feed, loadKey(feed), { untilCaughtUp: true })
    ]
    for (const { retry } of pipelines) {
      const lasted = Option.getOrThrow(yield* lasts(away, 0, away, retry))
      assert.isAtLeast(lasted, 100_000)
      assert.isAtMost(lasted, 160_000)
    }
    const endless = [yield* capture(feed, source, { untilCaughtUp: false }), load(feed, loadKey(feed))]
    for (const { retry } of endless) assert.isTrue(Option.isNone(yield* lasts(away, 0, away, retry)))
  })
)

it.effect("two failures that took minutes each do not end it: the third does", () =>
  Effect.gen(function* () {
    const step = yield* Schedule.toStep(schedule(100, "2 minutes"))
    const isOn = (nowMs: number) => Effect.map(Effect.exit(step(nowMs, away)), Exit.isSuccess)
    assert.deepStrictEqual(yield* Effect.forEach([0, 600_000, 601_000], isOn), [true, true, false])
  })
)
