import { Effect, Redacted } from "effect"
import * as Snowflake from "@northstar/connectors/snowflake/Snowflake"
import { Warehouse } from "@northstar/connectors/warehouse/Warehouse"

/** A program that is killed within a transaction: `node KilledProgram.ts <url> <user> <key> <second statement>`. */
const [, , accessUrl = "", user = "", privateKey = "", second = ""] = process.argv

const program = Effect.gen(function* () {
  const { session: open } = yield* Warehouse
  const session = yield* open
  yield* session.transaction(
    Effect.gen(function* () {
      yield* session.execute("UPDATE northstar.t SET v = 'dead'")
      process.stdout.write("locked\n")
      yield* session.execute(second)
      return yield* Effect.never
    })
  )
})

await Effect.runPromise(
  program.pipe(
    Effect.scoped,
    Effect.provide(
      Snowflake.layer({
        account: "LOCAL",
        user,
        role: "ACCOUNTADMIN",
        warehouse: "LOAD_WH",
        database: "NORTHSTAR",
        privateKey: Redacted.make(privateKey),
        accessUrl
      })
    )
  )
)
