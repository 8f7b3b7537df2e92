import { spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { account } from "./Fixture.ts"

/** Statements that a program is killed in or after; a minute is longer than anybody waits here. */
const killedIn = {
  "between two statements": "SELECT 1 AS x",
  "in a statement that runs on": "UPDATE northstar.t SET v = 'slow'"
}

for (const [when, second] of Object.entries(killedIn)) {
  it.live(
    `a program that is killed ${when} keeps its locks until Snowflake aborts what it left, and changes nothing`,
    () =>
      Effect.gen(function* () {
        const { local, session: open } = yield* account({ behaviour: { idleAbortMs: 500, detachedAbortMs: 500 } })
        const session = yield* open({ lockTimeoutSeconds: 20 })
        yield* session.execute("CREATE TABLE northstar.t (k NUMBER(38,0), v VARCHAR)")
        yield* session.execute("INSERT INTO northstar.t VALUES (1, 'a')")
        local.faults.add({ kind: "slow", delayMs: 60_000, matches: /slow/ })
        yield* killed([local.accessUrl, local.admin.user, local.admin.privateKey, second])
        assert.strictEqual(yield* session.execute("UPDATE northstar.t SET v = v || 'b'"), 1)
        assert.deepStrictEqual(yield* session.query("SELECT v FROM northstar.t"), [{ v: "ab" }])
      }).pipe(Effect.scoped),
    60_000
  )
}

/** Runs the program until it holds its lock and has sent its second statement, and kills it. */
const killed = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          process.execPath,
          ["--conditions=northstar-source", join(import.meta.dirname, "KilledProgram.ts"), ...args],
          {
            stdio: ["ignore", "pipe", "inherit"]
          }
        )
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    yield* Effect.promise(() => once(child.stdout, "data"))
    yield* Effect.sleep("500 millis")
    child.kill("SIGKILL")
    yield* Effect.promise(() => once(child, "exit"))
  })
