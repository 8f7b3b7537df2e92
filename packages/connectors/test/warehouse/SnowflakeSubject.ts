import { randomUUID } from "node:crypto"
import { afterAll, beforeAll } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import type { Table } from "@northstar/core/Table"
import * as LocalSnowflake from "../../src/local/snowflake/LocalSnowflake.ts"
import * as Snowflake from "../../src/snowflake/Snowflake.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { type RealAccount, realAccount } from "./RealAccount.ts"
import { prepared } from "./Subject.ts"

/** Options of the local server, such as how a blocked UPDATE goes on. */
type Options = Parameters<typeof LocalSnowflake.start>[0]

/** A database on a running local Snowflake, whose external stage is the folder store at `root`. */
const databaseOn = (
  local: LocalSnowflake.LocalSnowflake,
  database: string,
  tables: ReadonlyArray<Table>,
  root: string
) => {
  const { account, accessUrl, admin } = local
  const warehouse = Snowflake.layer({
    account,
    accessUrl,
    user: admin.user,
    privateKey: Redacted.make(admin.privateKey),
    role: "ACCOUNTADMIN",
    warehouse: "LOAD_WH",
    database
  })
  const created = Layer.effectDiscard(
    Effect.forEach(
      [
        `CREATE DATABASE IF NOT EXISTS ${database}`,
        `CREATE SCHEMA IF NOT EXISTS ${database}.northstar`,
        `CREATE STAGE IF NOT EXISTS ${database}.northstar.landing URL = 'file://${root}/'`
      ],
      (sql) => local.execute(sql)
    )
  )
  return prepared(Layer.provide(warehouse, created), tables, root)
}

/** The database of a real account, emptied before it is used for the first time. */
const emptiedOn = ({ config, reset }: RealAccount, tables: ReadonlyArray<Table>, root: string) => {
  let isEmpty = false
  const emptied = Layer.effectDiscard(
    Effect.gen(function* () {
      if (isEmpty) return
      const session = yield* Effect.flatMap(Warehouse, ({ session }) => session)
      for (const statement of reset) yield* session.execute(statement)
      isEmpty = true
    }).pipe(Effect.scoped)
  )
  return prepared(Layer.provideMerge(emptied, Snowflake.layer(config)), tables, root)
}

/** A Snowflake for the tests of a file: the account that `npm run test:snowflake` runs on, else a local one. */
export const shared = (options: Options = {}) =>
  realAccount === undefined ? sharedLocal(options) : onAccount(realAccount)

const onAccount = (account: RealAccount): ReturnType<typeof sharedLocal> => ({
  server: Effect.die("a real account has no switches"),
  fresh: (tables, root) => emptiedOn(account, tables, root)
})

/** A local Snowflake for the tests of a file, from before the first until after the last. */
const sharedLocal = (options: Options) => {
  const scope = Effect.runSync(Scope.make())
  let running: LocalSnowflake.LocalSnowflake | undefined
  beforeAll(async () => {
    const starting = LocalSnowflake.start({ ...options, setup: ["CREATE WAREHOUSE LOAD_WH"] })
    running = await Effect.runPromise(Scope.provide(starting, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const server = Effect.suspend(() =>
    running === undefined ? Effect.die("it has not been started") : Effect.succeed(running)
  )
  return {
    server,
    /** A fresh database, the same one each time the layer is built. */
    fresh: (tables: ReadonlyArray<Table>, root: string) => {
      const database = `T${randomUUID().replaceAll("-", "").toUpperCase()}`
      return Layer.unwrap(Effect.map(server, (local) => databaseOn(local, database, tables, root)))
    }
  }
}
