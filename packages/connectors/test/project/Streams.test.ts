import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import * as Project from "../../src/project/Project.ts"
import * as Services from "../../src/project/Services.ts"
import { backfillKey, load, loadKey } from "../../src/project/Streams.ts"
import { block, guarded, relation } from "../landing/Blocks.ts"
import { batch, open } from "../landing/LandingSuite.ts"
import { folder } from "./Configuration.ts"

const orders = Table.make("orders", { columns: { id: Column.int64 }, key: ["id"] })

const warehouses = {
  duckdb: Project.duckdb("warehouse.duckdb"),
  snowflake: Project.snowflake({ account: "a-b", user: "u", privateKey: "none" })
}

/** Records of a log that are all there already. */
const records = 6

it.live(
  "a backfill publishes a million rows at once in Snowflake, and 20,000 in DuckDB, so that the load need not wait",
  () =>
    Effect.gen(function* () {
      const path = yield* folder
      const piece = (rows: number) =>
        guarded(
          block(
            relation("public.orders", ["id"]),
            Array.from({ length: rows }, (_, n) => ({ values: [String(n)] }))
          )
        )
      const ends = (name: string, warehouse: Project.WarehouseConfig, isBackfill: boolean) =>
        Effect.gen(function* () {
          const source = Project.postgres({ name, url: undefined, tables: [orders] })
          const feed = Project.feed(
            Project.define({ name: "shop", sources: [source], landing: Project.folder(path), warehouse }),
            source
          )
          const reader = yield* load(feed, isBackfill ? backfillKey(feed, "b") : loadKey(feed)).source.open
          const range = { after: Option.none<bigint>(), through: Option.some(BigInt(records)) }
          const found = reader.read(range).pipe(Stream.map(({ through }) => Number(through)))
          return yield* Stream.runCollect(found)
        })
      yield* Effect.gen(function* () {
        const large = yield* open("shop/large")
        for (let n = 1; n <= records; n++) yield* large.commit(batch(n, piece(250_000)))
        const small = yield* open("shop/small")
        for (let n = 1; n <= records; n++) yield* small.commit(batch(n, piece(8000)))
        expect(yield* ends("large", warehouses.snowflake, false)).toEqual([6])
        expect(yield* ends("large", warehouses.snowflake, true)).toEqual([4, 6])
        expect(yield* ends("small", warehouses.snowflake, true)).toEqual([6])
        expect(yield* ends("large", warehouses.duckdb, true)).toEqual([1, 2, 3, 4, 5, 6])
        expect(yield* ends("small", warehouses.duckdb, true)).toEqual([3, 6])
      }).pipe(
        Effect.provide(FolderStore.layer(join(path, "store"))),
        // Opened by nobody here: only what the pipelines would load is read.
        Effect.provide(Services.warehouse(Project.duckdb(join(path, "warehouse.duckdb")))),
        Effect.scoped
      )
    }),
  120_000
)
