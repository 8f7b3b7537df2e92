import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option, Result, Stream } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { opDelete } from "../../src/landing/Block.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import { parseLsn } from "../../src/postgres/Position.ts"
import { orders, pull, rows, source, start, toHead } from "./Fixture.ts"

const confirmed = (sql: Connection.Connection) =>
  Effect.map(sql.query("select confirmed_flush_lsn from pg_replication_slots"), (rows) => parseLsn(rows[0]?.[0] ?? ""))

const reasonOf = <A>(effect: Effect.Effect<A, ConnectorError>) =>
  Effect.map(Effect.result(effect), (result) => {
    if (Result.isSuccess(result)) return "succeeded"
    assert.notInclude(result.failure.message, "northstar@", "no password in a message")
    return result.failure.reason._tag
  })

const ids = (found: ReturnType<typeof rows>) => found.map((row) => row.values["id"])

describe("the stream", () => {
  it.live(
    "S5 release: an unrelated flood, empty transactions and keepalives release nothing that was not committed",
    () =>
      Effect.gen(function* () {
        const { server, sql } = yield* start()
        const before = yield* confirmed(sql)
        yield* sql.query("insert into public.orders values (1, 'new')")
        const reader = yield* source(server.url, {
          heartbeatEvery: "50 millis",
          limits: { rowsMax: 1, bytesMax: 1e6, lingerMs: 20, idleMs: 50 }
        }).open
        const stream = reader.read({ after: Option.none(), through: Option.none() })
        const first = yield* Effect.scoped(
          Effect.gen(function* () {
            const batches = yield* Stream.toPull(Stream.mapEffect(stream, pull))
            const [first] = yield* batches
            yield* sql.query("insert into public.unrelated select generate_series(1, 20000)")
            const seen = yield* batches
            assert.strictEqual(rows(seen).length, 0)
            yield* Effect.sleep("300 millis")
            assert.strictEqual(yield* confirmed(sql), before)
            return first
          })
        ).pipe(Effect.orDie)
        assert.deepStrictEqual(ids(first.rows), ["1"])
        const again = yield* toHead(reader)
        assert.deepStrictEqual(ids(rows(again)), ["1"])
        yield* Stream.runForEach(Stream.take(stream, 3), (batch) =>
          Effect.andThen(pull(batch), reader.release(batch.through))
        )
        const last = yield* confirmed(sql)
        assert.isTrue(last > first.through.lsn, "an idle publication's slot moves on with empty batches")
        assert.deepStrictEqual(ids(rows(yield* toHead(reader))), [])
      }).pipe(Effect.scoped)
  )

  it.live("S2 resume: reading after any batch gives exactly the rest, several changes on one LSN included", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      for (let n = 0; n < 8; n++) {
        yield* sql.query(`insert into public.orders select ${n} * 10 + g, 'new' from generate_series(1, 3) g`)
        yield* sql.query("insert into public.unrelated values (1)")
      }
      const reader = yield* source(server.url, { limits: { rowsMax: 4, bytesMax: 1e6, lingerMs: 20, idleMs: 1e4 } })
        .open
      const all = yield* toHead(reader)
      assert.strictEqual(rows(all).length, 24)
      assert.isAtLeast(all.length, 4)
      for (const [index, batch] of all.entries()) {
        const rest = yield* toHead(reader, Option.some(batch.through))
        assert.deepStrictEqual(rows(rest), rows(all.slice(index + 1)))
      }
    }).pipe(Effect.scoped)
  )

  it.live("S6 incarnation: a re-created or moved slot, another cluster and a restored server are refused", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders values (1, 'new')")
      const reader = yield* source(server.url).open
      const last = (yield* toHead(reader)).at(-1)?.through
      if (last === undefined) return assert.fail("no batch")
      const resume = (from: typeof last) =>
        reasonOf(
          Effect.scoped(
            Stream.runDrain(Stream.take(reader.read({ after: Option.some(from), through: Option.none() }), 1))
          )
        )
      assert.strictEqual(yield* resume({ ...last, systemIdentifier: "7" }), "HistoryLost")
      assert.strictEqual(yield* resume({ ...last, lsn: last.lsn + 0x1000_0000n }), "HistoryLost")
      assert.strictEqual(yield* resume({ ...last, slot: "other" }), "HistoryLost")
      assert.strictEqual(yield* resume({ ...last, timeline: last.timeline + 1 }), "HistoryLost")
      yield* sql.query("select pg_drop_replication_slot('northstar')")
      assert.strictEqual(yield* resume(last), "Misconfigured")
      yield* sql.query("insert into public.orders values (2, 'lost')")
      yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
      assert.strictEqual(yield* resume(last), "HistoryLost")
      yield* sql.query("insert into public.orders values (3, 'new')")
      const accepted = yield* source(server.url, { epoch: 2 }).open
      const reads = yield* toHead(accepted, Option.some(last))
      assert.deepStrictEqual(ids(rows(reads)), ["3"])
      assert.strictEqual(reads.at(-1)?.through.epoch, 2)
    }).pipe(Effect.scoped)
  )

  it.live("a transaction of 300,000 rows passes in chunks of bounded size, and is not read twice", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders values (0, 'before')")
      yield* sql.query("insert into public.orders select g, 'new' from generate_series(1, 300000) g")
      yield* sql.query("insert into public.orders values (300001, 'after')")
      const limits = { rowsMax: 20_000, bytesMax: 1e7, lingerMs: 20, idleMs: 1e4 }
      const reader = yield* source(server.url, { limits }).open
      const through = yield* reader.head
      // A consumer that commits without pulling the chunks (a replay) gets the next batch all the same.
      const batches = yield* Stream.runCollect(Stream.take(reader.read({ after: Option.none(), through }), 2))
      assert.strictEqual(batches.length, 2)
      const sizes: Array<number> = []
      const reads = yield* reader.read({ after: Option.none(), through }).pipe(
        Stream.mapEffect((batch) =>
          Effect.gen(function* () {
            let total = 0
            yield* Stream.runForEach(batch.chunks, (blocks) =>
              Effect.sync(() => {
                const rows = blocks.reduce((sum, block) => sum + block.rows, 0)
                total += rows
                sizes.push(rows)
              })
            )
            return { through: batch.through, total }
          })
        ),
        Stream.runCollect
      )
      assert.strictEqual(
        reads.reduce((sum, read) => sum + read.total, 0),
        300_002
      )
      assert.isAtMost(Math.max(...sizes), 20_000)
      const huge = reads.find((read) => read.total >= 300_000)
      const rest = yield* toHead(reader, Option.fromUndefinedOr(huge?.through))
      assert.deepStrictEqual(ids(rows(rest)), ["300001"])
    }).pipe(Effect.scoped)
  )

  it.live("S6 incarnation: a slot that lost the WAL it needs is refused", () =>
    Effect.gen(function* () {
      const settings = { max_slot_wal_keep_size: "1MB", min_wal_size: "32MB", max_wal_size: "32MB" }
      const { server, sql } = yield* start({ settings })
      yield* sql.query("insert into public.orders values (1, 'new')")
      const reader = yield* source(server.url).open
      const last = (yield* toHead(reader)).at(-1)?.through
      for (let n = 0; n < 3; n++) {
        yield* sql.query("insert into public.unrelated select generate_series(1, 100000)")
        yield* sql.query("select pg_switch_wal()")
      }
      yield* sql.query("checkpoint")
      for (const after of [Option.fromUndefinedOr(last), Option.none()]) {
        const read = Stream.runDrain(reader.read({ after, through: Option.none() }))
        assert.strictEqual(yield* reasonOf(read), Option.isSome(after) ? "HistoryLost" : "Misconfigured")
      }
    }).pipe(Effect.scoped)
  )

  it.live("S6 incarnation: a new timeline is refused for a slot that was not synchronised", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query("insert into public.orders values (1, 'new')")
      const last = (yield* toHead(yield* source(server.url).open)).at(-1)?.through
      yield* server.stop
      writeFileSync(join(server.folder, "data", "standby.signal"), "")
      yield* server.restart
      const promoted = yield* Connection.open({ url: server.url })
      yield* promoted.query("select pg_promote()")
      const reader = yield* source(server.url).open
      const read = reader.read({ after: Option.fromUndefinedOr(last), through: Option.none() })
      const error = yield* Effect.flip(Stream.runDrain(read))
      assert.strictEqual(error.reason._tag, "HistoryLost")
      assert.include(error.message, "timeline 2")
    }).pipe(Effect.scoped)
  )

  it.live("a consumer that stands still pauses the server, not the connection", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start({ settings: { wal_sender_timeout: "2s" } })
      yield* sql.query("insert into public.orders select g, 'new', repeat('x', 300) from generate_series(1, 60000) g")
      const reader = yield* source(server.url, { limits: { rowsMax: 1000, bytesMax: 1e6, lingerMs: 20, idleMs: 1e4 } })
        .open
      const through = yield* reader.head
      const found = yield* reader.read({ after: Option.none(), through }).pipe(
        Stream.flatMap((batch) => batch.chunks),
        Stream.mapEffect((blocks, index) =>
          Effect.gen(function* () {
            if (index !== 3) return blocks
            const before = process.memoryUsage().arrayBuffers
            yield* Effect.sleep("3 seconds")
            assert.isBelow(process.memoryUsage().arrayBuffers - before, 8e6, "nothing piles up")
            return blocks
          })
        ),
        Stream.runFold(
          () => 0,
          (sum, blocks) => blocks.reduce((rows, block) => rows + block.rows, sum)
        )
      )
      assert.strictEqual(found, 60_000)
    }).pipe(Effect.scoped)
  )

  it.live("the guard on retained WAL ends the read by policy", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      const guard = { warnBytes: 0, stopBytes: 0, policy: "stop" as const }
      const reader = yield* source(server.url, { guard }).open
      const error = yield* Effect.flip(Stream.runDrain(reader.read({ after: Option.none(), through: Option.none() })))
      assert.include(error.message, "of WAL")
      const slots = sql.query("select count(*) from pg_replication_slots")
      assert.deepStrictEqual(yield* slots, [["1"]])
      const releasing = yield* source(server.url, { guard: { ...guard, policy: "release" } }).open
      const read = releasing.read({ after: Option.none(), through: Option.none() })
      const released = yield* Effect.flip(Stream.runDrain(read))
      assert.include(released.message, "raise the source's epoch")
      assert.deepStrictEqual(yield* slots, [["0"]])
    }).pipe(Effect.scoped)
  )

  it.live("wrong set-ups are told apart, and no message holds the password", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      const url = server.url
      const open = (more: Parameters<typeof source>[1], at = url) => reasonOf(Effect.scoped(source(at, more).open))
      const swap = (from: string, to: string) => url.replace(from, to)
      assert.strictEqual(yield* open({}), "succeeded")
      assert.strictEqual(yield* open({}, "mysql://x"), "Misconfigured")
      assert.strictEqual(yield* open({}, swap(":northstar@", ":wrong@")), "Unauthorized")
      assert.strictEqual(yield* open({}, swap(/127.0.0.1:\d+/.exec(url)?.[0] ?? "", "127.0.0.1:1")), "Unavailable")
      assert.strictEqual(yield* open({ slot: "absent" }), "Misconfigured")
      assert.strictEqual(yield* open({ publication: "absent" }), "Misconfigured")
      const unpublished = Table.make("unrelated", { key: ["id"], columns: { id: Column.int32 } })
      assert.strictEqual(yield* open({ tables: [orders, unpublished] }), "Misconfigured")
      yield* sql.query("create role reader login password 'northstar'")
      assert.strictEqual(yield* open({}, swap("//postgres:", "//reader:")), "Unauthorized")
    }).pipe(Effect.scoped)
  )

  it.live(
    "a second reader of the slot is told who holds it; a crash of the server is Unavailable, and reading resumes",
    () =>
      Effect.gen(function* () {
        const { server, sql } = yield* start()
        yield* sql.query("insert into public.orders values (1, 'new')")
        const reader = yield* source(server.url).open
        const read = reader.read({ after: Option.none(), through: Option.none() })
        const running = yield* Effect.forkScoped(reasonOf(Stream.runDrain(read)))
        yield* Effect.repeat(sql.query("select active from pg_replication_slots"), {
          until: (rows) => rows[0]?.[0] === "t"
        })
        const second = yield* source(server.url).open
        const error = yield* Effect.flip(Stream.runDrain(second.read({ after: Option.none(), through: Option.none() })))
        assert.strictEqual(error.reason._tag, "Busy")
        assert.match(error.message, /PID \d+/)
        yield* server.crash
        assert.strictEqual(yield* Fiber.join(running), "Unavailable")
        yield* server.restart
        const third = yield* source(server.url).open
        assert.deepStrictEqual(ids(rows(yield* toHead(third))), ["1"])
      }).pipe(Effect.scoped)
  )

  it.live("columns added, renamed, retyped and dropped while reading arrive as new shapes", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      const insert = (n: number) => sql.query(`insert into public.orders (id, status) values (${n}, 'new')`)
      yield* insert(1)
      yield* sql.query(
        "create type public.mood as enum ('ok'); alter table public.orders add extra numeric(8,3) default 1.5, add mood public.mood[]"
      )
      yield* insert(2)
      yield* sql.query("alter table public.orders rename note to remark")
      yield* insert(3)
      yield* sql.query("alter table public.orders alter status type varchar(40), drop remark")
      yield* insert(4)
      const shapes = (columns: Table.Columns) =>
        Effect.gen(function* () {
          const reader = yield* source(server.url, { tables: [{ ...orders, columns }] }).open
          const through = yield* reader.head
          const blocks = yield* reader.read({ after: Option.none(), through }).pipe(
            Stream.flatMap((batch) => batch.chunks),
            Stream.runCollect
          )
          return blocks
            .flat()
            .map((block) =>
              block.relation.columns.map((column) => `${column.name} ${column.type}${column.key ? " key" : ""}`)
            )
        })
      const more = Column.optional(Column.text)
      const listed = { ...orders.columns, remark: more, extra: more, mood: more }
      assert.deepStrictEqual(yield* shapes(listed), [
        ["id bigint key", "status text", "note text"],
        ["id bigint key", "status text", "note text", "extra numeric(8,3)", "mood public.mood[]"],
        ["id bigint key", "status text", "remark text", "extra numeric(8,3)", "mood public.mood[]"],
        ["id bigint key", "status character varying(40)", "extra numeric(8,3)", "mood public.mood[]"]
      ])
      assert.deepStrictEqual(yield* shapes(orders.columns), [
        ["id bigint key", "status text", "note text"],
        ["id bigint key", "status text"],
        ["id bigint key", "status character varying(40)"]
      ])
    }).pipe(Effect.scoped)
  )

  it.live("partitions arrive as their root; full replica identity gives keys, not whole rows, to deletes", () =>
    Effect.gen(function* () {
      const { server, sql } = yield* start()
      yield* sql.query(`create table public.parts (id int, day date, note text,
          primary key (id, day)) partition by range (day);
        create table public.parts_1 partition of public.parts for values from ('2026-01-01') to ('2026-02-01');
        create table public.parts_2 partition of public.parts for values from ('2026-02-01') to ('2026-03-01');
        alter table public.parts_1 replica identity full; alter table public.parts_2 replica identity full;
        alter table public.parts replica identity full;
        create publication parts for table public.parts with (publish_via_partition_root)`)
      yield* sql.query("select pg_create_logical_replication_slot('parts', 'pgoutput')")
      yield* sql.query("insert into public.parts values (1, '2026-01-05', 'a')")
      yield* sql.query("update public.parts set day = '2026-02-05'")
      yield* sql.query("delete from public.parts")
      const parts = Table.make("parts", {
        key: ["id", "day"],
        columns: { id: Column.int32, day: Column.date, note: Column.text }
      })
      const reader = yield* source(server.url, { slot: "parts", publication: "parts", tables: [parts] }).open
      const found = rows(yield* toHead(reader))
      assert.isTrue(found.every((row) => row.table === "public.parts"))
      const deleted = found.filter((row) => row.op === opDelete)
      assert.deepStrictEqual(
        deleted.map(({ values }) => [values["id"], values["day"], values["note"]]),
        [
          ["1", "2026-01-05", null],
          ["1", "2026-02-05", null]
        ]
      )
    }).pipe(Effect.scoped)
  )
})
