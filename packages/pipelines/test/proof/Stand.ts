import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Project from "@northstar/connectors/project/Project"
import type { Table } from "@northstar/core/Table"
import { Effect, Schema, type Scope } from "effect"
import * as ShopSchema from "../../src/shop/Schema.ts"
import * as Tables from "../../src/Tables.ts"
import { query } from "../Shop.ts"

/** Where one project under proof has its source, and the folder that holds its landing log and its warehouse. */
export const Stand = Schema.Struct({
  url: Schema.String,
  folder: Schema.String,
  /** Accepted incarnation of the source; 1 by default. */
  epoch: Schema.optionalKey(Schema.Int),
  /** The Snowflake database that is its warehouse; without it, a DuckDB file in the folder. */
  snowflake: Schema.optionalKey(
    Schema.Struct({
      accessUrl: Schema.String,
      account: Schema.String,
      user: Schema.String,
      privateKey: Schema.String,
      database: Schema.String
    })
  )
})
export type Stand = typeof Stand.Type

/** The warehouse file of a stand. */
export const warehouse = ({ folder }: Stand): string => join(folder, "warehouse.duckdb")

/** The landing log's folder of a stand. */
export const landing = ({ folder }: Stand): string => join(folder, "landing")

/** The shop's project on a stand. Slots are the server's, so each database names its own; chunks are small, so that a snapshot has several. */
export const shop = (stand: Stand): Project.PostgresFeed => {
  const source = Project.postgres({
    name: "shop",
    url: stand.url,
    epoch: stand.epoch ?? 1,
    slot: slot(stand),
    snapshot: { chunkRows: 500, rowsPerSecondMax: 20_000 },
    heartbeatSeconds: 2,
    tables: Tables.all
  })
  const project = Project.define({
    name: "proof",
    sources: [source],
    landing: Project.folder(landing(stand)),
    warehouse:
      stand.snowflake === undefined
        ? Project.duckdb(warehouse(stand))
        : Project.snowflake({ ...stand.snowflake, role: "ACCOUNTADMIN", warehouse: "LOAD_WH", cadenceSeconds: 1 })
  })
  return Project.feed(project, source)
}

const slot = ({ url }: Stand): string => `slot_${new URL(url).pathname.slice(1)}`

/** A new database on a server with the shop's empty tables, and an empty folder that goes with the scope. */
export const make = (serverUrl: string, database: string): Effect.Effect<Stand, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* query(serverUrl, `create database ${database}`)
    const url = new URL(serverUrl)
    url.pathname = `/${database}`
    yield* query(url.href, ShopSchema.create)
    return { url: url.href, folder: yield* folder }
  })

/** An empty folder that goes with the scope. */
export const folder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const path = mkdtempSync(join(tmpdir(), "northstar-proof-"))
    mkdirSync(join(path, "landing"))
    return path
  }),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** Publishes the tables and creates the slot: what is written from now on is streamed, all before comes by snapshot. */
export const publish = (stand: Stand, tables: ReadonlyArray<Table> = Tables.all): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* query(stand.url, `create publication northstar for table ${tables.map(({ source }) => source).join(", ")}`)
    yield* createSlot(stand)
  })

/** Creates the slot alone. */
export const createSlot = (stand: Stand): Effect.Effect<void> =>
  Effect.asVoid(query(stand.url, `select pg_create_logical_replication_slot('${slot(stand)}', 'pgoutput')`))

/** Drops the slot, which else holds WAL and one of the server's places; ends whoever the server still keeps it for. */
export const release = (stand: Stand): Effect.Effect<void> =>
  Effect.asVoid(
    query(
      stand.url,
      `do $$ begin
        for attempt in 1..200 loop
          begin
            perform pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '${slot(stand)}' and active;
            perform pg_drop_replication_slot('${slot(stand)}');
            return;
          exception when object_in_use then perform pg_sleep(0.05);
          end;
        end loop;
        raise 'nobody lets go of slot ${slot(stand)}';
      end $$`
    )
  )
