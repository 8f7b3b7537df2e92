import * as Postgres from "@northstar/connectors/local/Postgres"
import type { Table } from "@northstar/core/Table"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Database from "../src/shop/Database.ts"
import * as Schema from "../src/shop/Schema.ts"
import * as Tables from "../src/Tables.ts"
import { query } from "./Shop.ts"

it.live("contracts and the shop's tables agree on columns, types, nullability and keys", () =>
  Effect.gen(function* () {
    const { url } = yield* Postgres.start()
    const database = yield* Database.connect(url)
    yield* database.script(Schema.create)
    for (const table of Tables.all) expect(yield* query(url, sql, [table.source])).toEqual(contract(table))
  })
)

const sql = `select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable,
    coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int as key
  from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
  where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`

const types: Readonly<Record<string, string>> = {
  int32: "integer",
  int64: "bigint",
  text: "text",
  timestamptz: "timestamp with time zone"
}

const contract = (table: Table) =>
  Object.entries(table.columns).map(([name, { type, nullable }]) => ({
    name,
    type: types[type.kind],
    nullable,
    key: table.key.indexOf(name)
  }))
