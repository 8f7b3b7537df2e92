import { assert, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as SnowflakeAccount from "./SnowflakeAccount.ts"

it.live("a cycle that finds nothing new starts no warehouse and writes nothing", () =>
  Effect.gen(function* () {
    const { local, land, cycle } = yield* SnowflakeAccount.make
    const usage = () => local.warehouses().get("NORTHSTAR_LOAD")!
    yield* land(1, [["1", "5.00", "2026-06-01"]])
    assert.strictEqual((yield* cycle()).rows, 1)
    for (let idle = 0; idle < 3; idle++) {
      local.advance(Duration.minutes(30))
      const before = usage()
      const statements = local.history().length
      assert.strictEqual((yield* cycle()).rows, 0)
      const ran = local
        .history()
        .slice(statements)
        .filter(({ warehouse }) => warehouse !== undefined)
      assert.deepStrictEqual(
        ran.map(({ text }) => text),
        [],
        `idle cycle ${idle + 1}`
      )
      assert.deepStrictEqual(usage(), before)
    }
    local.advance(Duration.minutes(30))
    yield* land(2, [["2", "6.00", "2026-06-02"]])
    assert.strictEqual((yield* cycle()).rows, 1)
    assert.strictEqual(usage().resumes, 2)
  }).pipe(Effect.scoped)
)
