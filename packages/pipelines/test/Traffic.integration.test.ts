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
      const [row] = yield* query(
        url,
        `select count(*) > 0 as orders, bool_or(id > 1000050000000) as moved, bool_or(length(notes) > 3000) as toasted,
           (select bool_or(line_no > 100) from order_lines) as moved_lines from orders`
      )
      expect(row).toEqual({ orders: true, moved: true, toasted: true, moved_lines: true })
    })
  )

  it.effect("leaves rows that the contracts accept", () =>
    Effect.gen(function* () {
      const { url } = yield* Shop
      yield* Traffic.run(url, { seed: "clean", changes: 5000, connections: 2, ordersMax: 20, run: 1 })
      for (const table of Tables.all) expect(yield* broken(url, table), table.name).toEqual([])
    })
  )
})
