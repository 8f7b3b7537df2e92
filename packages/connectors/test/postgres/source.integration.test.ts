import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SourceLaws } from "@northstar/core/testing"
import { opDelete, opTruncate, opUpsert } from "../../src/landing/Block.ts"
import * as Postgres from "../../src/local/Postgres.ts"
import { rows, source, start, toHead } from "./Fixture.ts"

describe.each(Postgres.majors.map((major) => [major] as const))("PostgreSQL %i", (major) => {
  const laws = SourceLaws.laws({
    name: `PostgreSQL ${major}`,
    live: true,
    make: Effect.gen(function* () {
      const { server, sql } = yield* start({ major })
      for (let n = 0; n < 6; n++) {
        yield* sql.query(`insert into public.orders select ${n} * 100 + g, 'new' from generate_series(1, 7) g`)
        yield* sql.query("insert into public.unrelated values (1)")
      }
      return source(server.url, { limits: { rowsMax: 10, bytesMax: 1e6, lingerMs: 10, idleMs: 50 } })
    })
  })
  for (const law of laws) it.live(law.name, () => law.check)

  it.live("S1 chain, S3 order: all kinds of changes arrive in order, in batches that chain and end at the head", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start({ major })
      const big = "x".repeat(10_000)
      yield* sql.query(`insert into public.orders values (1, 'new', '${big}'), (2, 'new', null)`)
      yield* sql.query(`begin; update public.orders set status = 'paid' where id = 1;
        insert into public.lines values (1, 1, 9.90); commit`)
      yield* sql.query("update public.orders set id = 3 where id = 1")
      yield* sql.query("delete from public.orders where id = 2")
      yield* sql.query(`begin; select pg_logical_emit_message(true, 'x', 'inside');
        insert into public.lines values (1, 2, 0.10); select pg_logical_emit_message(false, 'x', 'between'); commit`)
      yield* sql.query("truncate public.orders, public.lines")
      const reader = yield* source(server.url).open
      const reads = yield* toHead(reader)
      const found = rows(reads)
      assert.deepStrictEqual(
        found.map((row) => [row.table, row.op, row.ordinal, row.values["id"] ?? row.values["line"] ?? null]),
        [
          ["public.orders", opUpsert, 0, "1"],
          ["public.orders", opUpsert, 1, "2"],
          ["public.orders", opUpsert, 0, "1"],
          ["public.lines", opUpsert, 1, "1"],
          ["public.orders", opDelete, 0, "1"],
          ["public.orders", opUpsert, 1, "3"],
          ["public.orders", opDelete, 0, "2"],
          ["public.lines", opUpsert, 0, "2"],
          ["public.orders", opTruncate, 0, null],
          ["public.lines", opTruncate, 1, null]
        ]
      )
      const [inserted, , updated, , deleted, moved] = found
      assert.strictEqual(inserted?.values["note"], big)
      assert.deepStrictEqual([updated?.unchanged, updated?.values["note"]], ['["note"]', null])
      assert.deepStrictEqual(deleted?.values, { id: "1", status: null, note: null })
      assert.deepStrictEqual([moved?.movedFrom, moved?.unchanged], ['["1"]', '["note"]'])
      assert.strictEqual(new Set(found.map((row) => row.position)).size, 6)
      let last = Option.none<(typeof reads)[number]["through"]>()
      for (const read of reads) {
        assert.deepStrictEqual(read.after, last)
        last = Option.some(read.through)
      }
    }).pipe(Effect.scoped)
  )
})
