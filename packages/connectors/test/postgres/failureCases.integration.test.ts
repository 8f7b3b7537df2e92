import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { opUpsert } from "../../src/landing/Block.ts"
import { rows, source, start, toHead } from "./Fixture.ts"

const small = { rowsMax: 1, bytesMax: 1e6, lingerMs: 20, idleMs: 1e4 }

describe("what broke others", () => {
  it.live("messages inside transactions, ours and others', lose no change after them, wherever reading resumes", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      const message = (isInside: boolean, prefix: string) =>
        `select pg_logical_emit_message(${isInside}, '${prefix}', '{"kind":"head"}')`
      for (let n = 0; n < 4; n++) {
        yield* sql.query(
          `begin; insert into public.orders values (${n * 10}, 'before'); ${message(true, "northstar")};
           ${message(true, "debezium")}; insert into public.orders values (${n * 10 + 1}, 'after'); ${message(false, "northstar")};
           update public.orders set status = 'last' where id = ${n * 10}; commit`
        )
        yield* sql.query(message(true, "northstar"))
        yield* sql.query(message(false, "debezium"))
      }
      const reader = yield* source(server.url, { limits: small }).open
      const all = yield* toHead(reader)
      assert.deepStrictEqual(
        rows(all).map(({ ordinal, values }) => [ordinal, values["id"], values["status"]]),
        [0, 1, 2, 3].flatMap((n) => [
          [0, `${n * 10}`, "before"],
          [1, `${n * 10 + 1}`, "after"],
          [2, `${n * 10}`, "last"]
        ])
      )
      for (const [index, batch] of all.entries()) {
        assert.deepStrictEqual(rows(yield* toHead(reader, Option.some(batch.through))), rows(all.slice(index + 1)))
      }
    }).pipe(Effect.scoped)
  )

  it.live("a publication that leaves out some kind of change, or some rows, is refused", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      const refusal = Effect.flatMap(Effect.flip(Effect.scoped(source(server.url).open)), (error) =>
        Effect.sync(() => {
          assert.strictEqual(error.reason._tag, "Misconfigured")
          return error.message
        })
      )
      yield* sql.query("alter publication northstar set (publish = 'insert, update, delete')")
      assert.include(yield* refusal, "leaves out some kind of change")
      yield* sql.query("alter publication northstar set (publish = 'insert, update, delete, truncate')")
      yield* sql.query("alter publication northstar set table public.orders where (id > 5), public.lines")
      assert.include(yield* refusal, "row filter")
      yield* sql.query("alter publication northstar set table public.orders (status, note), public.lines")
      assert.include(yield* refusal, "without its key")
    }).pipe(Effect.scoped)
  )

  it.live("a generated column is in no row, of the stream as of the snapshot", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query(`create table public.sums (id int primary key, a int, twice int generated always as (a * 2) stored);
        insert into public.sums values (1, 1); create publication sums for table public.sums`)
      yield* sql.query("select pg_create_logical_replication_slot('sums', 'pgoutput')")
      yield* sql.query("insert into public.sums values (2, 2)")
      const sums = Table.make("sums", { key: ["id"], columns: { id: Column.int32, a: Column.int32 } })
      const snapshot = { id: "initial", tables: [sums], chunkRows: 10, rowsPerSecondMax: 1e6 }
      const options = { slot: "sums", publication: "sums", tables: [sums], snapshot }
      const read = rows(yield* toHead(yield* source(server.url, options).open))
      // A snapshot begins with a truncate, which has no values.
      const found = read.filter(({ op }) => op === opUpsert)
      assert.deepStrictEqual([...new Set(found.map(({ values }) => JSON.stringify(values)))].toSorted(), [
        '{"id":"1","a":"1"}',
        '{"id":"2","a":"2"}'
      ])
    }).pipe(Effect.scoped)
  )
})
