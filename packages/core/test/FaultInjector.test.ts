import { spawnSync } from "node:child_process"
import { assert, it } from "@effect/vitest"
import * as Failpoint from "@northstar/core/Failpoint"
import { FaultInjector } from "@northstar/core/testing"
import { Cause, ConfigProvider, Effect, Exit } from "effect"

const step = Failpoint.declare("test", ["one", "two"])
const steps = Effect.gen(function* () {
  yield* step("one")
  yield* step("two")
  yield* step("one")
  yield* step("two")
})

it.effect("a step passes without effect unless a test says otherwise", () => steps)

it("declared steps are listed for crash matrices", () => {
  assert.includeMembers([...Failpoint.declared()], ["test.one", "test.two"])
})

it.effect("a fault strikes once, at the n-th passing of its step", () =>
  Effect.gen(function* () {
    const injector = yield* FaultInjector.make
    yield* injector.arm({ step: "test.two", nth: 2, kind: "fail" })
    const error = yield* Effect.flip(injector.provide(steps))
    assert.strictEqual(error.reason._tag, "Unavailable")
    assert.deepStrictEqual(yield* injector.trace, ["test.one", "test.two", "test.one", "test.two"])
    yield* injector.provide(steps)
    assert.isTrue(yield* injector.hasStruck)
  })
)

it.effect("a fault at any step counts all of them", () =>
  Effect.gen(function* () {
    const injector = yield* FaultInjector.make
    yield* injector.arm({ step: "*", nth: 3, kind: "die" })
    const exit = yield* Effect.exit(injector.provide(steps))
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    assert.deepStrictEqual(yield* injector.trace, ["test.one", "test.two", "test.one"])
  })
)

it.effect("a setting that names no n-th passing is refused", () =>
  Effect.gen(function* () {
    const env = { NORTHSTAR_FAILPOINT: "test.one" }
    const exit = yield* steps.pipe(
      Effect.provide(FaultInjector.layerFromEnv),
      Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))),
      Effect.exit
    )
    assert.isTrue(Exit.isFailure(exit))
  })
)

/** A process that passes `test.one` and `test.two` twice and says so. */
const program = `
import { Effect } from "effect"
import * as Failpoint from "@northstar/core/Failpoint"
import { FaultInjector } from "@northstar/core/testing"
const step = Failpoint.declare("test", ["one", "two"])
const say = (name) => Effect.andThen(step(name), Effect.sync(() => console.log(name)))
Effect.runPromise(
  Effect.forEach(["one", "two", "one", "two"], say).pipe(Effect.provide(FaultInjector.layerFromEnv))
)`

const runProgram = (failpoint: string | undefined) => {
  const { NORTHSTAR_FAILPOINT: _, ...env } = process.env
  return spawnSync(process.execPath, ["--conditions=northstar-source", "--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    env: failpoint === undefined ? env : { ...env, NORTHSTAR_FAILPOINT: failpoint },
    encoding: "utf8"
  })
}

for (const [failpoint, said] of [
  ["test.two:2", "one\ntwo\none\n"],
  ["*:2", "one\n"]
] as const) {
  it(`a process with NORTHSTAR_FAILPOINT=${failpoint} is killed there`, () => {
    const { stdout, signal } = runProgram(failpoint)
    assert.strictEqual(signal, "SIGKILL")
    assert.strictEqual(stdout, said)
  })
}

it("a process without NORTHSTAR_FAILPOINT is not killed", () => {
  const { stdout, signal } = runProgram(undefined)
  assert.isNull(signal)
  assert.strictEqual(stdout, "one\ntwo\none\ntwo\n")
})
