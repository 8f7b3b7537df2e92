import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type * as LocalSnowflake from "../../../src/local/snowflake/LocalSnowflake.ts"
import { connect, server } from "./Driver.ts"

/** Two sessions and a table of two rows. */
const two = (options: LocalSnowflake.Options = {}) =>
  Effect.gen(function* () {
    const local = yield* server(options)
    const one = yield* connect(local)
    const other = yield* connect(local)
    yield* one.rows("CREATE TABLE T (K NUMBER(38,0), V VARCHAR)")
    yield* one.change("INSERT INTO T VALUES (1, 'a'), (2, 'b')")
    return { local, one, other }
  })

/** Starts a statement and returns once it waits for a lock. */
const blocked = <A, E>(local: LocalSnowflake.LocalSnowflake, statement: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const waits = local.lockWaits()
    const fiber = yield* Effect.forkChild(statement)
    while (local.lockWaits() === waits) yield* Effect.sleep("5 millis")
    return fiber
  })

const all = "SELECT K, V FROM T ORDER BY K"

describe("READ COMMITTED", () => {
  it.live("changes are the session's own until COMMIT; ROLLBACK undoes them", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("BEGIN")
      yield* one.change("UPDATE T SET V = 'c' WHERE K = 1")
      expect(yield* one.rows(all)).toStrictEqual([
        { K: "1", V: "c" },
        { K: "2", V: "b" }
      ])
      expect(yield* other.rows(all)).toStrictEqual([
        { K: "1", V: "a" },
        { K: "2", V: "b" }
      ])
      yield* one.rows("ROLLBACK")
      expect(yield* one.rows(all)).toStrictEqual([
        { K: "1", V: "a" },
        { K: "2", V: "b" }
      ])
      yield* one.rows("BEGIN")
      yield* one.change("DELETE FROM T WHERE K = 1")
      yield* one.rows("COMMIT")
      expect(yield* other.rows(all)).toStrictEqual([{ K: "2", V: "b" }])
    }).pipe(Effect.scoped)
  )

  it.live("each statement of a transaction sees what was committed before it began", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("BEGIN")
      expect(yield* one.rows(all)).toHaveLength(2)
      yield* other.change("INSERT INTO T VALUES (3, 'c')")
      expect(yield* one.rows(all)).toHaveLength(3)
      // From here on there is a change of its own to keep.
      yield* one.rows("CREATE TABLE U (K NUMBER(38,0))")
      yield* one.rows("BEGIN")
      yield* one.change("INSERT INTO U VALUES (1)")
      yield* other.change("INSERT INTO T VALUES (4, 'd')")
      expect(yield* one.rows(all)).toHaveLength(4)
      yield* one.rows("COMMIT")
      expect(yield* other.rows("SELECT K FROM U")).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.live("a view shows what was committed to its tables, in a transaction and past the result cache", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("CREATE VIEW W AS SELECT COUNT(*) AS N FROM T")
      yield* one.rows("CREATE TABLE U (K NUMBER(38,0))")
      expect(yield* one.rows("SELECT N FROM W")).toStrictEqual([{ N: "2" }])
      yield* one.rows("BEGIN")
      yield* one.change("INSERT INTO U VALUES (1)")
      yield* other.change("INSERT INTO T VALUES (3, 'c')")
      expect(yield* one.rows("SELECT N FROM W")).toStrictEqual([{ N: "3" }])
      yield* one.rows("COMMIT")
      expect(yield* other.rows("SELECT N FROM W")).toStrictEqual([{ N: "3" }])
    }).pipe(Effect.scoped)
  )

  it.live("where a change cannot be repeated a statement fails rather than show an old state", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("CREATE TABLE U (K NUMBER(38,0))")
      yield* one.rows("BEGIN")
      yield* one.change("INSERT INTO U SELECT K FROM T")
      yield* other.change("INSERT INTO T VALUES (3, 'c')")
      expect(yield* one.code(all)).toBe("000625")
      yield* one.rows("ROLLBACK")
      expect(yield* one.rows(all)).toHaveLength(3)
      expect(yield* one.rows("SELECT K FROM U")).toHaveLength(0)
    }).pipe(Effect.scoped)
  )

  it.live("DDL commits the open transaction and cannot be rolled back", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("BEGIN")
      yield* one.change("INSERT INTO T VALUES (3, 'c')")
      yield* one.rows("CREATE TABLE U (K NUMBER(38,0))")
      yield* one.rows("ROLLBACK")
      expect(yield* other.rows(all)).toHaveLength(3)
      expect(yield* other.rows("SELECT K FROM U")).toHaveLength(0)
    }).pipe(Effect.scoped)
  )

  it.live("a failed statement is undone alone, and the transaction goes on", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("BEGIN")
      yield* one.change("INSERT INTO T VALUES (3, 'x')")
      expect(yield* one.code("INSERT INTO T SELECT V::NUMBER(38,0), V FROM T")).toBe("100038")
      yield* one.change("UPDATE T SET V = 'z' WHERE K = 3")
      yield* one.rows("COMMIT")
      expect(yield* other.rows("SELECT V FROM T WHERE K = 3")).toStrictEqual([{ V: "z" }])
    }).pipe(Effect.scoped)
  )

  it.live("closing a session rolls back what is open", () =>
    Effect.gen(function* () {
      const { local, one } = yield* two()
      yield* Effect.gen(function* () {
        const short = yield* connect(local)
        yield* short.rows("BEGIN")
        yield* short.change("DELETE FROM T WHERE K > 0")
      }).pipe(Effect.scoped)
      expect(yield* one.rows(all)).toHaveLength(2)
      expect(yield* one.change("UPDATE T SET V = 'free'")).toBe(2)
    }).pipe(Effect.scoped)
  )
})

describe("locks", () => {
  it.live("an UPDATE that waited applies to what matches afterwards, or to what matched before", () =>
    Effect.gen(function* () {
      for (const [blockedUpdate, expected] of [
        ["reevaluate", 0],
        ["stale", 1]
      ] as const) {
        const { local, one, other } = yield* two({ behaviour: { blockedUpdate } })
        yield* one.rows("BEGIN")
        yield* one.change("UPDATE T SET V = 'taken' WHERE K = 1 AND V = 'a'")
        const waiting = yield* blocked(local, other.change("UPDATE T SET V = 'also taken' WHERE K = 1 AND V = 'a'"))
        yield* one.rows("COMMIT")
        expect(yield* Fiber.join(waiting)).toBe(expected)
        const [row] = yield* one.rows("SELECT V FROM T WHERE K = 1")
        expect(row).toStrictEqual({ V: expected === 0 ? "taken" : "also taken" })
      }
    }).pipe(Effect.scoped)
  )

  it.live("INSERT waits for nobody", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("BEGIN")
      yield* one.change("UPDATE T SET V = 'x'")
      expect(yield* other.change("INSERT INTO T VALUES (3, 'c')")).toBe(1)
      yield* one.rows("COMMIT")
      expect(yield* other.rows(all)).toHaveLength(3)
    }).pipe(Effect.scoped)
  )

  it.live("a wait ends with LOCK_TIMEOUT", () =>
    Effect.gen(function* () {
      const { one, other } = yield* two()
      yield* one.rows("BEGIN")
      yield* one.change("UPDATE T SET V = 'x'")
      yield* other.rows("ALTER SESSION SET LOCK_TIMEOUT = 1")
      expect(yield* other.code("DELETE FROM T WHERE K = 2")).toBe("000625")
    }).pipe(Effect.scoped)
  )

  it.live("of two transactions that wait for each other the later statement fails and the other goes on", () =>
    Effect.gen(function* () {
      const { local, one, other } = yield* two()
      yield* one.rows("CREATE TABLE U (K NUMBER(38,0))")
      yield* one.change("INSERT INTO U VALUES (1)")
      yield* one.rows("BEGIN")
      yield* other.rows("BEGIN")
      yield* one.change("UPDATE T SET V = 'one'")
      yield* other.change("UPDATE U SET K = 2")
      const waiting = yield* blocked(local, one.change("UPDATE U SET K = 1"))
      expect(yield* other.code("UPDATE T SET V = 'other'")).toBe("000625")
      yield* other.rows("ROLLBACK")
      expect(yield* Fiber.join(waiting)).toBe(1)
      yield* one.rows("COMMIT")
    }).pipe(Effect.scoped)
  )

  it.live("a counter that many sessions raise in transactions of a lock, a read and a write is exact", () =>
    Effect.gen(function* () {
      const { local, one } = yield* two()
      const raise = Effect.gen(function* () {
        const client = yield* connect(local)
        for (let round = 0; round < 5; round++) {
          yield* client.rows("BEGIN")
          yield* client.change("UPDATE T SET V = V WHERE K = 1")
          const [row] = yield* client.rows("SELECT K FROM T WHERE K >= 2")
          yield* client.change(`UPDATE T SET K = ${Number(row?.["K"]) + 1} WHERE K >= 2`)
          yield* client.rows("COMMIT")
        }
      }).pipe(Effect.scoped)
      yield* Effect.all([raise, raise, raise], { concurrency: 3 })
      expect(yield* one.rows("SELECT K FROM T WHERE K >= 2")).toStrictEqual([{ K: "17" }])
    }).pipe(Effect.scoped)
  )
})

describe("MERGE", () => {
  const merge =
    "MERGE INTO T USING S ON T.K = S.K WHEN MATCHED THEN UPDATE SET V = S.V WHEN NOT MATCHED THEN INSERT (K, V) VALUES (S.K, S.V)"

  it.live("several source rows for one target row are error 100090, and nothing changes", () =>
    Effect.gen(function* () {
      const { one } = yield* two()
      yield* one.rows("CREATE TABLE S (K NUMBER(38,0), V VARCHAR)")
      yield* one.change("INSERT INTO S VALUES (1, 'x'), (1, 'y'), (9, 'n')")
      yield* one.rows("BEGIN")
      yield* one.change("UPDATE T SET V = 'mine' WHERE K = 2")
      expect(yield* one.code(merge)).toBe("100090")
      yield* one.rows("COMMIT")
      expect(yield* one.rows(all)).toStrictEqual([
        { K: "1", V: "a" },
        { K: "2", V: "mine" }
      ])
    }).pipe(Effect.scoped)
  )

  it.live("reports rows inserted and updated", () =>
    Effect.gen(function* () {
      const { one } = yield* two()
      yield* one.rows("CREATE TABLE S (K NUMBER(38,0), V VARCHAR)")
      yield* one.change("INSERT INTO S VALUES (1, 'x'), (8, 'm'), (9, 'n')")
      expect(yield* one.rows(merge)).toStrictEqual([{ "number of rows inserted": "2", "number of rows updated": "1" }])
    }).pipe(Effect.scoped)
  )
})
