import * as Postgres from "@northstar/connectors/local/Postgres"
import type { Server } from "@northstar/connectors/local/Postgres"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as Database from "../src/shop/Database.ts"
import * as Schema from "../src/shop/Schema.ts"
import * as Traffic from "../src/shop/Traffic.ts"
import * as Tables from "../src/Tables.ts"
import { broken, query } from "./Shop.ts"

class Shop extends Context.Service<Shop, Server>()("test/Shop") {
  static readonly layer: Layer.Layer<Shop, ConnectorError> = Layer.effect(
    Shop,
    Effect.tap(Postgres.start(), ({ url }) =>
      Effect.scoped(Effect.flatMap(Database.connect(url), (database) => database.script(Schema.create)))
    )
  )
}

layer(Shop.layer, { excludeTestServices: true })("traffic", (it) => {
  it.effect("inserts, updates and deletes in every way through several connections at once", () =>
    Effect.gen(function* () {
      const { url } = yield* Shop
      const counts = yield* Traffic.run(url, { seed: "fast", changes: 20_000, connections: 3, ordersMax: 400 })
      expect(counts.changes).toBeGreaterThanOrEqual(20_000)
      expect(counts.rolledBack).toBeGreaterThan(0)
      // Rolled back and truncated rows count too; a session reports when it ends.
      const tables = yield* query(
        url,
        `select relname as name, n_tup_ins > 0 as inserted, n_tup_upd > 0 as updated, n_tup_del > 0 as deleted
         from pg_stat_user_tables order by relname`
      ).pipe(Effect.repeat({ until: (rows) => rows.every(({ updated }) => updated === true), times: 50 }))
      const counted = { inserted: true, updated: true }
      expect(tables).toEqual([
        { name: "customers", ...counted, deleted: false },
        { name: "order_lines", ...counted, deleted: true },
        { name: "orders", ...counted, deleted: true },
        { name: "products", ...counted, deleted: false }
      ])
    })
  )

  it.effect("leaves rows that the contracts accept", () =>
    Effect.gen(function* () {
      const { url } = yield* Shop
      yield* Traffic.run(url, { seed: "clean", changes: 5000, connections: 2, ordersMax: 20, run: 1 })
      for (const table of Tables.all) expect(yield* broken(url, table)).toEqual([])
    })
  )
})
