import { describe, expect, it } from "@effect/vitest"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Effect } from "effect"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Auditor from "../../src/postgres/Auditor.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import { everyKey } from "../../src/postgres/KeyRange.ts"

const lines = Table.make("lines", {
  columns: {
    order_no: Column.text,
    line: Column.int32,
    amount: Column.nullable(Column.decimal(12, 2)),
    changed: Column.timestamptz
  },
  key: ["order_no", "line"]
})

/** 50 orders of 20 lines; the order numbers need escaping and sort by collation. */
const setup = `
  CREATE TABLE public.lines (order_no text, line int, amount numeric(12,2), changed timestamptz NOT NULL, PRIMARY KEY (order_no, line));
  INSERT INTO public.lines SELECT E'o''\\\\' || n / 20, n % 20, nullif(n, 7) / 3.0, '2026-01-01 00:00+00'::timestamptz + n * interval '1 minute'
  FROM generate_series(0, 999) n; ANALYZE public.lines`

const open = Effect.gen(function* () {
  const server = yield* Postgres.start()
  const connection = yield* Connection.open({ url: server.url })
  yield* connection.query(setup)
  return connection
})

const digest = (connection: Connection.Connection, scope: Auditor.Scope) =>
  Effect.map(Auditor.digests(connection, lines, [scope]), (found) => found.at(0)!)

describe("auditor", () => {
  it.live("digests of the pieces between cuts add up to the digest of the whole", () =>
    Effect.gen(function* () {
      const connection = yield* open
      const whole = yield* digest(connection, { range: everyKey })
      const cuts = yield* Auditor.cuts(connection, lines, { range: everyKey, rowsPerPart: 300, partsMax: 16 })
      expect(cuts).toHaveLength(3)
      const scopes = [...cuts, null].map((through, index) => ({ range: { after: cuts[index - 1] ?? null, through } }))
      const pieces = yield* Auditor.digests(connection, lines, scopes)
      expect(pieces.map((piece) => piece.rows)).toEqual([300, 300, 300, 100])
      expect(pieces.reduce((sum, piece) => sum + piece.checksum, 0n)).toBe(whole.checksum)
      expect(whole.rows).toBe(1000)
      const range = { after: cuts.at(0)!, through: null }
      expect(yield* Auditor.cuts(connection, lines, { range, rowsPerPart: 300, partsMax: 2 })).toEqual(cuts.slice(1))
    })
  )

  it.live("keys carry the digests that the range's checksum is the sum of, and continue where they stopped", () =>
    Effect.gen(function* () {
      const connection = yield* open
      const range = { after: ["o'\\10", "5"], through: ["o'\\40", "0"] }
      const whole = yield* digest(connection, { range })
      const first = yield* Auditor.keys(connection, lines, { range, rowsMax: 100 })
      const rest = yield* Auditor.keys(connection, lines, {
        range: { ...range, after: first.keys.at(-1)?.key ?? null },
        rowsMax: 1000
      })
      expect(first.lsnThrough >= first.lsn && first.lsn > 0n).toBe(true)
      const all = [...first.keys, ...rest.keys]
      expect(first.keys[0]?.key).toEqual(["o'\\10", "6"])
      expect(all.at(-1)?.key).toEqual(["o'\\40", "0"])
      expect(all.length).toBe(whole.rows)
      expect(all.reduce((sum, row) => sum + row.digest, 0n)).toBe(whole.checksum)
    })
  )

  it.live("one changed cent, one lost row and one NULL show in the checksum; the order of rows does not", () =>
    Effect.gen(function* () {
      const connection = yield* open
      const checksum = Effect.map(digest(connection, { range: everyKey }), ({ checksum }) => checksum)
      const before = yield* checksum
      yield* connection.query(
        "UPDATE public.lines SET amount = amount WHERE line > 3; CLUSTER public.lines USING lines_pkey"
      )
      expect(yield* checksum).toBe(before)
      const changes = ["amount = amount + 0.01", "amount = NULL", "changed = changed + interval '1 microsecond'"]
      const statements = changes.map((change) => `UPDATE public.lines SET ${change}`)
      for (const statement of [...statements, "DELETE FROM public.lines"]) {
        yield* connection.query(`BEGIN; ${statement} WHERE order_no = E'o''\\\\3' AND line = 4`)
        expect([statement, yield* checksum]).not.toEqual([statement, before])
        yield* connection.query("ROLLBACK")
      }
    })
  )

  it.live("a recent window leaves older rows out", () =>
    Effect.gen(function* () {
      const connection = yield* open
      const recent = { column: "changed", bound: "2026-01-01 15:00:00+00" }
      expect((yield* digest(connection, { range: everyKey, recent })).rows).toBe(100)
      const cuts = Auditor.cuts(connection, lines, { range: everyKey, recent, rowsPerPart: 60, partsMax: 16 })
      expect(yield* cuts).toHaveLength(1)
    })
  )

  it.live("a key column may be called like anything", () =>
    Effect.gen(function* () {
      const connection = yield* open
      yield* connection.query(`CREATE TABLE public.odd (text int, concat int, "a""b" int, PRIMARY KEY (text, concat, "a""b"));
        INSERT INTO public.odd SELECT n, n, n FROM generate_series(1, 30) n`)
      const columns = { text: Column.int32, concat: Column.int32, 'a"b': Column.int32 }
      const odd = Table.make("odd", { columns, key: ["text", "concat", 'a"b'] })
      const { keys } = yield* Auditor.keys(connection, odd, { range: everyKey, rowsMax: 12 })
      expect(keys.map((row) => row.key[0])).toEqual(Array.from({ length: 12 }, (_, n) => String(n + 1)))
      const cuts = yield* Auditor.cuts(connection, odd, { range: everyKey, rowsPerPart: 9, partsMax: 16 })
      expect(cuts.map((cut) => cut[2])).toEqual(["9", "18", "27"])
    })
  )

  it.live("the primary key's index serves a range", () =>
    Effect.gen(function* () {
      const connection = yield* open
      yield* connection.query("SET enable_seqscan = off")
      const plan = yield* connection.query(
        `EXPLAIN SELECT FROM public.lines WHERE (order_no, line) > ('a', '1') AND (order_no, line) <= ('b', '2') ORDER BY order_no, line LIMIT 10`
      )
      expect(plan.flat().join("\n")).toMatch(/Index.*lines_pkey[\s\S]*Index Cond: .*ROW/)
    })
  )

  it.live("a read that takes too long is ended by the source", () =>
    Effect.gen(function* () {
      const server = yield* Postgres.start()
      const connection = yield* Connection.open({ url: server.url, statementTimeout: "5 millis" })
      yield* connection.query(`SET statement_timeout = 0; ${setup.replace("999", "60000")}; SET statement_timeout = 5`)
      const error = yield* Effect.flip(digest(connection, { range: everyKey }))
      expect(error.reason._tag).toBe("Unavailable")
    })
  )
})
