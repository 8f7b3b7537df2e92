import { describe, expect, it } from "@effect/vitest"
import * as Column from "@northstar/core/Column"
import { Failpoint } from "@northstar/core/Failpoint"
import * as Table from "@northstar/core/Table"
import { Effect } from "effect"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import * as Plan from "../../src/postgres/Plan.ts"

const setup = `
  CREATE TABLE public.orders (id bigint PRIMARY KEY, total numeric(12,2), note text);
  CREATE TABLE public.cards (id int PRIMARY KEY, number text, holder text, internal text);
  CREATE SCHEMA sales;
  CREATE TABLE sales.leads (id uuid, region text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE sales.leads_eu PARTITION OF sales.leads FOR VALUES IN ('eu');
  CREATE TABLE public.history (at timestamptz);
  CREATE TABLE public.other (id int PRIMARY KEY)`

const orders = Table.make("orders", {
  columns: { id: Column.int64, total: Column.nullable(Column.decimal(12, 2)), note: Column.nullable(Column.text) },
  key: ["id"]
})
const cards = Table.make("cards", {
  columns: { id: Column.int32, number: Column.pci(Column.text), holder: Column.pii(Column.text) },
  key: ["id"]
})
const leads = Table.make("leads", {
  source: "sales.leads",
  columns: { id: Column.uuid, region: Column.text },
  key: ["region", "id"]
})
const desired = (...tables: ReadonlyArray<Table.Table>): Plan.Desired => ({
  publication: "northstar",
  slot: "northstar",
  role: "capture",
  tables,
  failover: true
})

const open = (options: Postgres.StartOptions = {}) =>
  Effect.gen(function* () {
    const server = yield* Postgres.start(options)
    const connection = yield* Connection.open({ url: server.url })
    return { server, connection }
  })

const publishedSql = `SELECT schemaname || '.' || tablename, attnames::text FROM pg_publication_tables ORDER BY 1`

describe("source plan", () => {
  for (const major of Postgres.majors.filter((major) => major === 15 || major >= 17)) {
    it.live(`prepares a source on PostgreSQL ${major}, after which nothing is left to do`, () =>
      Effect.gen(function* () {
        const { connection, server } = yield* open({ major })
        yield* connection.query(setup)
        const wish = desired(orders, cards, leads)
        const steps = yield* Plan.make(connection, wish)
        expect(steps.every((step) => !step.destructive)).toBe(true)
        expect(steps.at(-1)).toMatchObject({ alone: true })
        expect(yield* connection.query("SELECT count(*) FROM pg_publication")).toEqual([["0"]])
        yield* Plan.apply(connection, steps)
        expect(yield* Plan.make(connection, wish)).toEqual([])
        expect(yield* connection.query(publishedSql)).toEqual([
          ["public.cards", "{id,number,holder}"],
          ["public.orders", "{id,total,note}"],
          ["sales.leads", "{id,region}"]
        ])
        const failover = major >= 17 ? "failover::text" : "'true'"
        expect(yield* connection.query(`SELECT plugin, ${failover} FROM pg_replication_slots`)).toEqual([
          ["pgoutput", "true"]
        ])
        yield* connection.query("ALTER ROLE capture PASSWORD 'x'")
        const capture = yield* Connection.open({ url: server.url.replace(/\/\/[^@]*/, "//capture:x") })
        yield* capture.query(
          `SELECT id, total, note FROM public.orders; SELECT id, number, holder FROM public.cards; SELECT id, region FROM sales.leads`
        )
        const refused = ["SELECT internal FROM public.cards", "SELECT * FROM public.other", "DELETE FROM public.orders"]
        for (const sql of refused) {
          const error = yield* Effect.flip(capture.query(sql))
          expect([sql, error.reason._tag]).toEqual([sql, "Unauthorized"])
        }
      })
    )
  }

  it.live("says what will no longer be published or granted, and does only that", () =>
    Effect.gen(function* () {
      const { connection } = yield* open()
      yield* connection.query(setup)
      yield* Plan.apply(connection, yield* Plan.make(connection, desired(orders, cards)))
      yield* connection.query(
        "GRANT SELECT ON public.cards TO capture; ALTER PUBLICATION northstar SET (publish = 'insert')"
      )
      const narrower = Table.make("cards", {
        columns: { id: Column.int32, number: Column.pci(Column.text) },
        key: ["id"]
      })
      const wish = desired(narrower, leads)
      const steps = yield* Plan.make(connection, wish)
      expect(steps.map(({ sql, destructive }) => [sql, destructive])).toEqual([
        [
          `ALTER PUBLICATION "northstar" SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
          false
        ],
        [`ALTER PUBLICATION "northstar" DROP TABLE "public"."orders"`, true],
        [
          `ALTER PUBLICATION "northstar" DROP TABLE "public"."cards";\nALTER PUBLICATION "northstar" ADD TABLE "public"."cards" ("id", "number")`,
          true
        ],
        [`ALTER PUBLICATION "northstar" ADD TABLE "sales"."leads" ("id", "region")`, false],
        [`REVOKE SELECT ON "public"."orders" FROM "capture"`, true],
        [`REVOKE SELECT ON "public"."cards" FROM "capture"`, true],
        [`GRANT USAGE ON SCHEMA "sales" TO "capture"`, false],
        [`GRANT SELECT ("id", "number") ON "public"."cards" TO "capture"`, false],
        [`GRANT SELECT ("id", "region") ON "sales"."leads" TO "capture"`, false]
      ])
      yield* Plan.apply(connection, steps)
      expect(yield* Plan.make(connection, wish)).toEqual([])
      expect(yield* connection.query(publishedSql)).toEqual([
        ["public.cards", "{id,number}"],
        ["sales.leads", "{id,region}"]
      ])
      const least = Table.make("cards", { columns: { id: Column.int32 }, key: ["id"] })
      const last = yield* Plan.make(connection, desired(least, leads))
      expect(last.filter((step) => step.sql.startsWith("REVOKE"))).toHaveLength(1)
      yield* Plan.apply(connection, last)
      expect(yield* Plan.make(connection, desired(least, leads))).toEqual([])
      const readable = "SELECT has_column_privilege('capture', 'public.cards', 'number', 'SELECT')::text"
      expect(yield* connection.query(readable)).toEqual([["false"]])
    })
  )

  it.live("a failure between publication and slot leaves a plan of the slot alone", () =>
    Effect.gen(function* () {
      const { connection } = yield* open()
      yield* connection.query(setup)
      const steps = yield* Plan.make(connection, desired(orders))
      const died = yield* Effect.exit(
        Plan.apply(connection, steps).pipe(
          Effect.provideService(Failpoint, (name) =>
            name === "postgres.plan.ddl.committed" ? Effect.die("killed") : Effect.void
          )
        )
      )
      expect(died._tag).toBe("Failure")
      const left = yield* Plan.make(connection, desired(orders))
      expect(left.map((step) => step.alone)).toEqual([true])
    })
  )

  it.live("never publishes a table whose production UPDATE would then fail, and names the fix", () =>
    Effect.gen(function* () {
      const { connection } = yield* open()
      yield* connection.query(setup)
      const keyless = Table.make("history", { columns: { at: Column.timestamptz }, key: ["at"] })
      const error = yield* Effect.flip(Plan.make(connection, desired(orders, keyless)))
      expect(error.message).toContain("ALTER TABLE public.history ADD PRIMARY KEY")
      yield* connection.query(
        "ALTER TABLE public.orders REPLICA IDENTITY NOTHING; ALTER TABLE public.cards REPLICA IDENTITY FULL"
      )
      expect((yield* Effect.flip(Plan.make(connection, desired(orders)))).message).toContain("REPLICA IDENTITY DEFAULT")
      expect((yield* Effect.flip(Plan.make(connection, desired(cards)))).message).toContain("replica identity full")
      const renamed = Table.make("other", { columns: { id: Column.int32, name: Column.text }, key: ["id"] })
      expect((yield* Effect.flip(Plan.make(connection, desired(renamed)))).message).toContain("no column name")
      yield* connection.query("CREATE PUBLICATION northstar FOR ALL TABLES")
      expect((yield* Effect.flip(Plan.make(connection, desired()))).message).toContain("FOR ALL TABLES")
    })
  )

  it.live("a server that cannot be captured from is refused with the setting to change", () =>
    Effect.gen(function* () {
      const replica = yield* open({ settings: { wal_level: "replica" } })
      const wrongLevel = yield* Effect.flip(Plan.checkServer(replica.connection, "northstar"))
      expect(wrongLevel.message).toContain("ALTER SYSTEM SET wal_level = 'logical'")
      const small = yield* open({ settings: { max_replication_slots: "1" } })
      expect(yield* Plan.checkServer(small.connection, "northstar")).toMatchObject({ slotsFree: 1, sendersFree: 10 })
      yield* small.connection.query("SELECT pg_create_logical_replication_slot('mine', 'pgoutput')")
      const full = yield* Effect.flip(Plan.checkServer(small.connection, "northstar"))
      expect(full.message).toContain("max_replication_slots")
      yield* Plan.checkServer(small.connection, "mine")
      yield* small.connection.query("CREATE DATABASE elsewhere")
      const other = yield* Connection.open({ url: small.server.url.replace(/postgres$/, "elsewhere") })
      const foreign = yield* Effect.flip(Plan.make(other, { ...desired(), slot: "mine" }))
      expect(foreign.message).toContain("another database")
    })
  )
})
