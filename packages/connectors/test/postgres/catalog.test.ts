import { describe, expect, it } from "@effect/vitest"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Effect, Option } from "effect"
import * as Catalog from "../../src/postgres/Catalog.ts"
import { columnType, fits, isOrderedAlike } from "../../src/postgres/Types.ts"

const column = (name: string, type: string, more: Partial<Catalog.CatalogColumn> = {}): Catalog.CatalogColumn => ({
  name,
  type,
  declared: type,
  nullable: false,
  generated: false,
  byteOrder: false,
  extension: false,
  ...more
})

const table = (name: string, more: Partial<Catalog.CatalogTable> = {}): Catalog.CatalogTable => ({
  source: `public.${name}`,
  schema: "public",
  name,
  partitioned: false,
  columns: [column("id", "bigint"), column("total", "numeric(12,2)", { nullable: true })],
  key: ["id"],
  replicaIdentity: "default",
  logged: true,
  rowSecurity: false,
  rowsEstimate: null,
  partitions: [],
  ...more
})

describe("types", () => {
  it.effect("V1 lossless: a source type becomes a column type that holds all of its values, or text", () =>
    Effect.sync(() => {
      expect(columnType("numeric(12,2)")).toEqual({ kind: "decimal", precision: 12, scale: 2 })
      expect(columnType("numeric(5,-2)")).toEqual({ kind: "decimal", precision: 7, scale: 0 })
      expect(columnType("numeric(2,5)")).toEqual({ kind: "decimal", precision: 5, scale: 5 })
      expect(columnType("timestamp(3) with time zone")).toEqual({ kind: "timestamptz" })
      const texts = ["numeric", "numeric(39,2)", "numeric(10,2)[]", "interval", "money", "time with time zone"]
      for (const type of [...texts, "character varying(10)", "public.mood", "int4range", "oid", "constructor"]) {
        expect([type, columnType(type)]).toEqual([type, { kind: "text" }])
      }
    })
  )

  it.effect("a type fits where every value keeps its canonical text", () =>
    Effect.sync(() => {
      const to = (type: string) => columnType(type)
      expect(fits(to("integer"), to("bigint"))).toBe(true)
      expect(fits(to("bigint"), to("integer"))).toBe(false)
      expect(fits(to("numeric(10,2)"), to("numeric(12,2)"))).toBe(true)
      expect(fits(to("numeric(12,2)"), to("numeric(12,4)"))).toBe(false)
      expect(fits(to("integer"), to("numeric(12,2)"))).toBe(true)
      expect(fits(to("real"), to("double precision"))).toBe(false)
      expect(fits(to("interval"), to("text"))).toBe(true)
      expect(fits(to("text"), to("integer"))).toBe(false)
    })
  )

  it.effect("texts are ordered alike everywhere only when the source compares bytes", () =>
    Effect.sync(() => {
      expect(isOrderedAlike("text", true)).toBe(true)
      expect(isOrderedAlike("text", false)).toBe(false)
      expect(isOrderedAlike("character(3)", true)).toBe(false)
      expect(isOrderedAlike("numeric", true)).toBe(false)
      expect(isOrderedAlike("double precision", false)).toBe(false)
      expect(isOrderedAlike("uuid", false)).toBe(true)
    })
  )
})

describe("contracts from a catalogue", () => {
  it.effect("names are short for public, qualified elsewhere, and never coincide", () =>
    Effect.sync(() => {
      const tables = [
        table("Order Lines"),
        table("sales_orders"),
        table("orders", { schema: "sales", source: "sales.orders" }),
        table("log", { key: [] })
      ]
      expect(Catalog.contracts({ tables }).map((contract) => contract.name)).toEqual([
        "order_lines",
        "sales_orders",
        "sales_orders_2"
      ])
      expect(Option.isNone(Catalog.contract(table("log", { key: [] })))).toBe(true)
      const [without] = Catalog.withoutKey({ tables })
      expect(without?.table.source).toBe("public.log")
      expect(without?.message).toContain("ALTER TABLE public.log ADD PRIMARY KEY")
    })
  )

  it.effect("drift tells additive from breaking changes, and follows renames", () =>
    Effect.sync(() => {
      const contract = Table.make("orders", {
        columns: {
          id: Column.int64,
          total: Column.nullable(Column.decimal(12, 2)),
          state: Column.renamedFrom(Column.text, "status"),
          note: Column.text,
          later: Column.optional(Column.text)
        },
        key: ["id"]
      })
      const source = table("orders", {
        columns: [
          column("id", "integer"),
          column("total", "numeric(14,2)"),
          column("status", "public.state"),
          column("extra", "jsonb"),
          column("twice", "bigint", { generated: true })
        ]
      })
      expect(Catalog.drift(contract, source)).toEqual({
        added: [{ name: "extra", type: "jsonb" }],
        removed: ["note"],
        retyped: [{ name: "total", contract: { kind: "decimal", precision: 12, scale: 2 }, source: "numeric(14,2)" }],
        key: undefined
      })
      expect(Catalog.drift(contract, { ...source, key: ["id", "status"] }).key).toEqual(["id", "status"])
    })
  )
})
