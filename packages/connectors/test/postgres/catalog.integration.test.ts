import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Catalog from "../../src/postgres/Catalog.ts"
import * as Connection from "../../src/postgres/Connection.ts"

const setup = `
  CREATE TYPE public.mood AS ENUM ('sad', 'happy');
  CREATE DOMAIN public.money_minor AS numeric(14,2);
  CREATE DOMAIN public.price AS public.money_minor CHECK (VALUE >= 0);
  CREATE SCHEMA "Odd Names";
  CREATE TABLE public.orders (
    tenant int, "No" varchar(20) COLLATE "C", price public.price NOT NULL, mood public.mood, gone text, tags text[],
    twice numeric GENERATED ALWAYS AS (1 + 1) STORED, PRIMARY KEY ("No", tenant) INCLUDE (price));
  ALTER TABLE public.orders DROP COLUMN gone;
  CREATE TABLE "Odd Names"."a.b ""c""" (id uuid PRIMARY KEY, label text COLLATE "und-x-icu");
  CREATE TABLE public.history (at timestamptz);
  CREATE UNLOGGED TABLE public.scratch (id int PRIMARY KEY);
  CREATE TABLE public.events (id bigint, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
  CREATE TABLE public.events_rest PARTITION OF public.events DEFAULT;
  CREATE TABLE public.loud (id int PRIMARY KEY); ALTER TABLE public.loud REPLICA IDENTITY FULL;
  CREATE TABLE public.silent (id int PRIMARY KEY); ALTER TABLE public.silent REPLICA IDENTITY NOTHING;
  CREATE TABLE public.secret (id int PRIMARY KEY); ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY;
  INSERT INTO public.events SELECT n, '2024-05-05' FROM generate_series(1, 40) n; ANALYZE public.events;
  CREATE VIEW public.view AS SELECT 1`

describe("catalogue", () => {
  for (const major of Postgres.majors) {
    it.live(`reads the tables of PostgreSQL ${major} as they are`, () =>
      Effect.gen(function* () {
        const server = yield* Postgres.start({ major })
        const connection = yield* Connection.open({ url: server.url })
        yield* connection.query(setup)
        const catalog = yield* Catalog.read(connection)
        expect(catalog.tables.map((table) => table.source)).toEqual([
          'Odd Names.a.b "c"',
          ...["events", "history", "loud", "orders", "scratch", "secret", "silent"].map((name) => `public.${name}`)
        ])
        const table = (name: string) => catalog.tables.find((table) => table.name === name)
        expect(table("orders")?.key).toEqual(["No", "tenant"])
        expect(table("orders")?.columns.map(({ name, type, nullable }) => [name, type, nullable])).toEqual([
          ["tenant", "integer", false],
          ["No", "character varying(20)", false],
          ["price", "numeric(14,2)", false],
          ["mood", "public.mood", true],
          ["tags", "text[]", true],
          ["twice", "numeric", true]
        ])
        const contract = Option.getOrThrow(Option.flatMap(Option.fromUndefinedOr(table("orders")), Catalog.contract))
        expect(Object.keys(contract.columns)).toEqual(["tenant", "No", "price", "mood", "tags"])
        expect(contract.columns["price"]?.type).toEqual({ kind: "decimal", precision: 14, scale: 2 })
        const declared = table("orders")?.columns.map((column) => column.declared)
        expect(declared?.slice(0, 4)).toEqual(["integer", "character varying(20)", "public.price", "public.mood"])
        expect(table("events")).toMatchObject({
          partitioned: true,
          rowsEstimate: 40,
          partitions: ["public.events_2024", "public.events_rest"]
        })
        expect(table("secret")?.rowSecurity).toBe(true)
        const ordered = catalog.tables.filter(Catalog.hasKeyOrderedAlike).map((table) => table.name)
        expect(ordered).toContain("orders")
        const refused = catalog.tables.filter((table) => Catalog.unpublishable(table) !== undefined)
        expect(refused.map((table) => table.name)).toEqual(["history", "scratch", "silent"])
        expect(table("loud")?.replicaIdentity).toBe("full")
        expect((yield* Catalog.read(connection, ["Odd Names"])).tables).toHaveLength(1)
      })
    )
  }

  it.live("texts have byte order by the collation of the column or of the database", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.start()
      const connection = yield* Connection.open({ url: server.url })
      yield* connection.query(`CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'und'`)
      const icu = yield* Connection.open({ url: server.url.replace(/postgres$/, "icu") })
      const create = `CREATE TABLE t (plain text PRIMARY KEY, c text COLLATE "C", icu text COLLATE "und-x-icu", n int)`
      for (const [session, plain] of [
        [connection, true],
        [icu, false]
      ] as const) {
        yield* session.query(create.replace("TABLE t", "TABLE public.t"))
        const catalog = yield* Catalog.read(session)
        expect(catalog.tables[0]?.columns.map((column) => column.byteOrder)).toEqual([plain, true, false, false])
        expect(catalog.tables.map(Catalog.hasKeyOrderedAlike)).toEqual([plain])
      }
    })
  )
})
