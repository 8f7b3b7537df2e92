import { assert, it } from "@effect/vitest"
import { Clock, Console, Effect } from "effect"
import { type Act, refusals } from "./Refusals.ts"
import * as SnowflakeAccount from "./SnowflakeAccount.ts"

it.live(
  "whatever is wrong with the account, a cycle says what and what to do, and nothing is lost or there twice when it is mended",
  () =>
    Effect.gen(function* () {
      const account = yield* SnowflakeAccount.make
      const { apply, ask, cycle, land, local } = account
      const does = (act: Act) =>
        typeof act === "function" ? act(account) : Effect.forEach(act, (sql) => local.execute(sql))
      yield* land(1, [["1", "1.50", "2026-06-01"]])
      yield* cycle()
      const problems: Array<string> = []
      for (const [index, refusal] of refusals.entries()) {
        const n = index + 2
        const { name, action, configured, mend = [], reason, says } = refusal
        yield* land(n, [
          ["1", `${n}.50`, "2026-06-01"],
          [`${n}`, "7.00", "2026-06-02"]
        ])
        yield* does(refusal.break ?? [])
        const error = yield* Effect.flip(cycle(configured))
        local.faults.clear()
        yield* mend === "apply" ? apply : does(mend)
        yield* cycle()
        if (error._tag !== "ConnectorError") problems.push(`${name}: ${String(error)}`)
        else {
          const fits = error.reason._tag === reason && says.test(error.detail) && action.test(error.action)
          const leaks = error.message.includes("7.00") || error.message.includes("PRIVATE KEY")
          if (!fits || leaks) problems.push(`${name}: ${error.reason._tag}: ${error.message}`)
        }
        const expected = [["1", `${n}.50`], ...Array.from({ length: n - 1 }, (_, at) => [`${at + 2}`, "7.00"])]
        const rows = yield* ask("SELECT id AS id, CAST(total AS VARCHAR) AS total FROM curated.orders ORDER BY id")
        assert.deepStrictEqual(
          rows.map((row) => [row["id"], row["total"]]),
          expected,
          name
        )
        const [books] = yield* ask(
          "SELECT (SELECT count(*) FROM curated.orders__history) AS h, (SELECT sum(rows_in) FROM northstar.batches) AS r"
        )
        assert.deepStrictEqual(books, { h: `${2 * n - 1}`, r: `${2 * n - 1}` }, name)
      }
      yield* Console.log(`refusals: ${refusals.length} cases`)
      assert.deepStrictEqual(problems, [])
    }).pipe(Effect.scoped, Effect.provideServiceEffect(Clock.Clock, SnowflakeAccount.hasty)),
  300_000
)

it.live("a value that does not fit its column is set aside as it was written, never NULL, never rounded", () =>
  Effect.gen(function* () {
    const { ask, cycle, land } = yield* SnowflakeAccount.make
    const bad = ["0.001", "10000000000.00", "1e1", "NaN", "five"]
    yield* land(
      1,
      [...bad, "9999999999.99"].map((total, at) => [`${at}`, total, "2026-06-01"] as const)
    )
    yield* cycle()
    assert.deepStrictEqual(yield* ask("SELECT id AS id, CAST(total AS VARCHAR) AS total FROM curated.orders"), [
      { id: `${bad.length}`, total: "9999999999.99" }
    ])
    const aside = yield* ask("SELECT reason, source_values AS kept FROM northstar.quarantine ORDER BY row_key")
    assert.deepStrictEqual(
      aside.map(({ reason, kept }) => [reason, (JSON.parse(String(kept)) as { total: string }).total]),
      bad.map((total) => ["unparseable:total", total])
    )
  }).pipe(Effect.scoped)
)
