import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Option } from "effect"
import { SourceLaws } from "@northstar/core/testing"
import { opDelete, opTruncate, opUpsert } from "../../src/landing/Block.ts"
import * as Postgres from "../../src/local/Postgres.ts"
import { rows, source, start, toHead } from "./Fixture.ts"

/** One server for the tests of a major, with some history. */
class Fixture extends Context.Service<Fixture, Effect.Success<ReturnType<typeof start>>>()("Fixture") {
  static readonly layer = (major: Postgres.Major) =>
    Layer.effect(
      Fixture,
      Effect.gen(function* () {
        const fixture = yield* start({ major })
        for (let n = 0; n < 6; n++) {
          yield* fixture.sql.query(
            `insert into public.orders select ${n} * 100 + g, 'new' from generate_series(1, 7) g`
          )
          yield* fixture.sql.query("insert into public.unrelated values (1)")
        }
        return fixture
      })
    )
}

const limits = { rowsMax: 10, bytesMax: 1e6, lingerMs: 10, idleMs: 50 }

for (const major of Postgres.majors) {
  layer(Fixture.layer(major), { excludeTestServices: true })(`PostgreSQL ${major}`, (it) => {
    const laws = SourceLaws.laws({
      name: `PostgreSQL ${major}`,
      live: true,
      make: Effect.map(Fixture, ({ server }) => source(server.url, { limits }))
    })
    for (const law of laws) it.effect(law.name, () => law.check)

    it.effect("all kinds of changes arrive in order, in batches that chain and end at the head", () =>
      Effect.gen(function* () {
        const { server, sql } = yield* Fixture
        const reader = yield* source(server.url).open
        const start = Option.fromUndefinedOr((yield* toHead(reader)).at(-1)?.through)
        yield* sql.query("delete from public.orders")
        const ready = Option.fromUndefinedOr((yield* toHead(reader, start)).at(-1)?.through)
        const big = "x".repeat(10_000)
        yield* sql.query(`insert into public.orders values (1, 'new', '${big}'), (2, 'new', null)`)
        yield* sql.query(`begin; update public.orders set status = 'paid' where id = 1;
        insert into public.lines values (1, 1, 9.90); commit`)
        yield* sql.query("update public.orders set id = 3 where id = 1")
        yield* sql.query("delete from public.orders where id = 2")
        yield* sql.query(`begin; select pg_logical_emit_message(true, 'x', 'inside');
        insert into public.lines values (1, 2, 0.10); select pg_logical_emit_message(false, 'x', 'between'); commit`)
        yield* sql.query("truncate public.orders, public.lines")
        const reads = yield* toHead(reader, ready)
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
        let last = ready
        for (const read of reads) {
          assert.deepStrictEqual(read.after, last)
          last = Option.some(read.through)
        }
      }).pipe(Effect.scoped)
    )
  })
}
