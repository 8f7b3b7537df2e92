import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect } from "effect"
import { functions, operators } from "../../../src/local/snowflake/sql/Constructs.ts"
import { openDuck, render } from "./Duck.ts"

const constructs = [...Object.entries(functions), ...Object.entries(operators)]

const evaluate = (run: Effect.Success<typeof openDuck>, expression: string) =>
  Effect.suspend(() => run(`SELECT CAST(x AS VARCHAR) FROM (${render(`SELECT ${expression} AS X`)}) AS t(x)`)).pipe(
    Effect.map((rows) => rows[0]?.[0]),
    Effect.catchCause((cause) => Effect.succeed(Cause.pretty(cause)))
  )

describe("the allowlist", () => {
  it("says of every construct what Snowflake documents, with values", () => {
    const bare = constructs.filter(([, { doc, golden }]) => doc.length < 8 || golden.length === 0)
    assert.deepStrictEqual(
      bare.map(([name]) => name),
      []
    )
  })

  it.live("D1 dialects: every construct gives on DuckDB the values that Snowflake documents", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      const wrong: Array<unknown> = []
      for (const [name, { golden }] of constructs) {
        for (const [expression, value] of golden) {
          const found = yield* evaluate(run, expression)
          if (found !== value) wrong.push([name, expression, found])
        }
      }
      assert.deepStrictEqual(wrong, [])
    })
  )
})
