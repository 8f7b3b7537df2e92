import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Stream } from "effect"
import type { Reader } from "@northstar/core/Source"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { type Block, opDelete, opTruncate } from "../../src/landing/Block.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import { position, type PostgresPosition } from "../../src/postgres/Position.ts"
import { encode } from "@northstar/core/Position"
import { lines, orders, pull, type Read, type Row, rows, source, start, toHead } from "./Fixture.ts"

const options = { id: "first", tables: [orders, lines], chunkRows: 50, rowsPerSecondMax: 1e6 }

/** The table that the newest version of every key makes, floors applied: what any sink must end up with. */
const fold = (found: ReadonlyArray<Row>, table: string) => {
  const newest = new Map<string, Row>()
  const floor = found
    .filter((row) => row.table === table && row.op === opTruncate)
    .reduce((max, row) => (row.position > max ? row.position : max), -1n)
  const isNewer = (row: Row, than: Row) =>
    row.position > than.position || (row.position === than.position && row.ordinal > than.ordinal)
  for (const row of found) {
    if (row.table !== table || row.op === opTruncate || row.position <= floor) continue
    const key = row.values["id"] ?? `${row.values["order_id"]}/${row.values["line"]}`
    const known = newest.get(key)
    if (known === undefined || isNewer(row, known)) newest.set(key, row)
  }
  return new Map([...newest].filter(([, row]) => row.op !== opDelete))
}

const statuses = (found: ReadonlyArray<Row>) =>
  [...fold(found, "public.orders").values()].map((row) => `${row.values["id"]} ${row.values["status"]}`).toSorted()

const truth = (sql: Connection.Connection) =>
  Effect.map(sql.query("select id || ' ' || status from public.orders"), (rows) => rows.map((row) => row[0]).toSorted())

/** Reads until `n` batches have come. */
const take = (reader: Reader<Block, PostgresPosition>, after: Option.Option<PostgresPosition>, n: number) =>
  reader.read({ after, through: Option.none() }).pipe(Stream.mapEffect(pull), Stream.take(n), Stream.runCollect)

describe("a snapshot", () => {
  it.live("under concurrent writes every key ends as it is at the source, and the bounded read ends complete", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders select g, 'old' from generate_series(1, 1000) g")
      yield* sql.query("select pg_drop_replication_slot('northstar')")
      yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
      const writer = yield* Connection.open({ url: server.url })
      const writes = yield* Effect.forkScoped(
        Effect.forEach(
          Array.from({ length: 120 }, (_, n) => n),
          (n) =>
            writer.query(`update public.orders set status = 'w${n}' where id % 40 = ${n % 40};
            delete from public.orders where id = ${n * 7}; insert into public.orders values (${2000 + n}, 'new');
            update public.orders set id = ${5000 + n} where id = ${n * 5 + 3}`)
        )
      )
      const reader = yield* source(server.url, { snapshot: options }).open
      const first = yield* toHead(reader)
      yield* Fiber.join(writes)
      const last = first.at(-1)?.through
      assert.isTrue(last?.snapshots["public.orders"]?.done)
      assert.isTrue(last?.snapshots["public.lines"]?.done)
      const rest = yield* toHead(reader, Option.fromUndefinedOr(last))
      assert.deepStrictEqual(statuses(rows([...first, ...rest])), yield* truth(sql))
    }).pipe(Effect.scoped)
  )

  it.live("S2 resume: a snapshot goes on from any batch's end exactly where it was", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders select g, 'old' from generate_series(1, 420) g")
      yield* sql.query("select pg_replication_slot_advance('northstar', pg_current_wal_lsn())")
      const found: Array<Read> = []
      let after = Option.none<PostgresPosition>()
      const isDone = () => Option.exists(after, (at) => at.snapshots["public.lines"]?.done ?? false)
      while (!isDone()) {
        // So slow, and with batches so small, that each read is cut off between two chunks.
        const snapshot = { ...options, chunkRows: 100, rowsPerSecondMax: 2000 }
        const reader = yield* source(server.url, { snapshot, limits: { bytesMax: 1 } }).open
        const reads = yield* take(reader, after, 1)
        found.push(...reads)
        after = Option.fromUndefinedOr(reads.at(-1)?.through)
        if (Option.isSome(after)) assert.isAtMost(encode(position, after.value).length, 1000)
      }
      const inserted = rows(found).filter((row) => row.table === "public.orders" && row.op !== opTruncate)
      assert.strictEqual(inserted.length, 420, "no row twice")
      assert.deepStrictEqual(statuses(rows(found)), yield* truth(sql))
    }).pipe(Effect.scoped)
  )

  it.live(
    "S7 snapshot: a commit that waits for an absent standby, streamed before the chunk, is not beaten by it",
    () =>
      Effect.gen(function* () {
        const { server, sql } = yield* start()
        yield* sql.query("insert into public.orders values (1, 'old'), (2, 'old')")
        yield* sql.query("select pg_replication_slot_advance('northstar', pg_current_wal_lsn())")
        yield* sql.query("alter system set synchronous_standby_names = 'absent'")
        yield* sql.query("select pg_reload_conf()")
        const other = yield* Connection.open({ url: server.url, statementTimeout: 0 })
        yield* other.query("set synchronous_commit = on")
        yield* Effect.forkScoped(Effect.ignore(other.query("update public.orders set status = 'paid' where id = 1")))
        const waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        yield* Effect.repeat(sql.query(waiting), { until: (rows) => rows[0]?.[0] === "1" })
        assert.deepStrictEqual(yield* truth(sql), ["1 old", "2 old"])
        yield* sql.query("set synchronous_commit = local")
        const reader = yield* source(server.url, { snapshot: options }).open
        const streamed = yield* toHead(reader)
        const chunk = rows(streamed).filter((row) => row.table === "public.orders" && row.values["id"] === "1")
        assert.deepStrictEqual(chunk.map((row) => row.values["status"]).toSorted(), ["old", "paid"], "the trap is set")
        assert.deepStrictEqual(statuses(rows(streamed)), ["1 paid", "2 old"])
        // The same when an earlier session had streamed the commit and this one knows of it only that it is in progress.
        const again = yield* source(server.url, { snapshot: { ...options, id: "second" } }).open
        const later = yield* toHead(again, Option.fromUndefinedOr(streamed.at(-1)?.through))
        assert.deepStrictEqual(statuses([...rows(streamed), ...rows(later)]), ["1 paid", "2 old"])
        yield* sql.query("alter system reset synchronous_standby_names")
        yield* sql.query("select pg_reload_conf()")
      }).pipe(Effect.scoped)
  )

  it.live("finds rows deleted while a slot was lost", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders select g, 'old' from generate_series(1, 10) g")
      const before = yield* toHead(yield* source(server.url).open)
      yield* sql.query("select pg_drop_replication_slot('northstar')")
      yield* sql.query("delete from public.orders where id <= 3")
      yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
      const reader = yield* source(server.url, { epoch: 2, snapshot: options }).open
      const after = yield* toHead(reader, Option.fromUndefinedOr(before.at(-1)?.through))
      const floor = rows(after).find((row) => row.op === opTruncate && row.table === "public.orders")
      const oldest = rows(after).find((row) => row.op !== opTruncate && row.table === "public.orders")
      assert.isTrue(floor !== undefined && oldest !== undefined && floor.position < oldest.position)
      assert.isTrue(floor !== undefined && rows(before).every((row) => row.position < floor.position))
      assert.deepStrictEqual(statuses(rows(after)), yield* truth(sql))
    }).pipe(Effect.scoped)
  )

  it.live("V2 one decoder: snapshot and stream give the same texts of every type, shape and fingerprint", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query(
        "alter database postgres set timezone = 'Asia/Tokyo'; alter database postgres set datestyle = 'German'"
      )
      yield* sql.query(`create table public.kinds (id int primary key, a smallint, b bigint, c numeric, d numeric(20,4), e real,
          f double precision, g boolean, h char(5), i varchar(9), j date, k time, l timetz, m timestamp, n timestamptz,
          o interval, p uuid, q bytea, r json, s jsonb, t text[], u int4range, v inet, w money, x xml, y bit(3), z text);
        alter publication northstar add table public.kinds`)
      yield* sql.query(`insert into public.kinds values
        (1, -32768, 9223372036854775807, 'NaN', 1234567890123456.7891, 0.1, 0.1, true, 'ab', 'é😀', '0044-03-15 BC', '24:00:00',
         '12:00:00.000001+05:30', '2026-11-23 10:11:12.123456', '2026-11-23 10:11:12.123456+09', '1 mon -3 days 04:05:06.7',
         '11111111-2222-3333-4444-555555555555', '\\x00ff27', '{"n": 1.10000000000000000001}', '{"b":1e400}', '{a,"b c",NULL}',
         '[1,5)', '10.0.0.1/8', 12.34, '<a>b</a>', '101', E'tab\\tquote''\\\\ '),
        (2, null, null, 'Infinity', null, 'NaN', '-Infinity', false, '', '', 'infinity', null, null, '-infinity', 'infinity',
         null, null, '', null, null, '{}', 'empty', null, null, null, null, '')`)
      const rest = Array.from("abcdefghijklmnopqrstuvwxyz", (name) => [name, Column.nullable(Column.text)] as const)
      const kinds = Table.make("kinds", { key: ["id"], columns: { id: Column.int32, ...Object.fromEntries(rest) } })
      const reader = yield* source(server.url, {
        tables: [kinds],
        snapshot: { ...options, tables: [kinds] }
      }).open
      const through = yield* reader.head
      const blocks = yield* reader.read({ after: Option.none(), through }).pipe(
        Stream.flatMap((batch) => batch.chunks),
        Stream.runCollect,
        Effect.map((chunks) => chunks.flat())
      )
      assert.strictEqual(new Set(blocks.map((block) => block.relation.fingerprint)).size, 1)
      const found = blocks.filter((block) => block.ops[0] !== opTruncate)
      assert.strictEqual(found.length, 2)
      assert.deepStrictEqual(found[0]?.columns, found[1]?.columns)
    }).pipe(Effect.scoped)
  )
})
