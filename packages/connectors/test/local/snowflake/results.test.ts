import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { connect, server } from "./Driver.ts"

describe("results", () => {
  it.live("values of every type arrive as they went in", () =>
    Effect.gen(function* () {
      const local = yield* server()
      const client = yield* connect(local)
      yield* client.rows("ALTER SESSION SET TIMEZONE = 'UTC'")
      yield* client.rows(
        "CREATE TABLE V (N NUMBER(38,0), D NUMBER(38,10), F FLOAT, B BOOLEAN, S VARCHAR, X BINARY, DAY DATE, TS TIMESTAMP_NTZ(6), LT TIMESTAMP_LTZ(6))"
      )
      const columns = "N, D, F, B, S, X, DAY, TS, LT"
      const insert = `INSERT INTO V (${columns}) SELECT ?::NUMBER(38,0), ?::NUMBER(38,10), ?::FLOAT, ?::BOOLEAN, ?::VARCHAR, TO_BINARY(?, 'HEX'), ?::DATE, ?::TIMESTAMP_NTZ(6), ?::TIMESTAMP_LTZ(6)`
      const values = [
        "12345678901234567890123456789012345678",
        "-1234567890123456789012345678.0000000001",
        "1e300",
        true,
        "naïve 😀 'quoted' \\ back",
        "00FF10",
        "1969-12-31",
        "1969-12-31 23:59:59.999999",
        "2026-11-23 08:00:00.000001"
      ] as const
      yield* client.change(insert, { binds: values })
      yield* client.change(insert, { binds: values.map(() => null) })
      const [row, nulls] = yield* client.rows(`SELECT ${columns} FROM V ORDER BY N`)
      expect(row).toMatchObject({
        N: values[0],
        D: values[1],
        F: "1e+300",
        B: true,
        S: values[4],
        DAY: "1969-12-31",
        TS: "1969-12-31 23:59:59.999"
      })
      const native = yield* connect(local, { fetchAsString: [] })
      yield* native.rows("ALTER SESSION SET TIMEZONE = 'UTC'")
      const [times] = yield* native.rows("SELECT TS, LT FROM V WHERE N IS NOT NULL")
      const exact = (time: unknown) => {
        const { getEpochSeconds, getNanoSeconds } = time as {
          getEpochSeconds: () => number
          getNanoSeconds: () => number
        }
        return [getEpochSeconds(), getNanoSeconds()]
      }
      expect(exact(times?.["TS"])).toStrictEqual([-1, 999_999_000])
      expect(exact(times?.["LT"])).toStrictEqual([Date.UTC(2026, 10, 23, 8) / 1000, 1000])
      expect(Buffer.from(row?.["X"] as Buffer).toString("hex")).toBe("00ff10")
      expect(new Set(Object.values(nulls ?? {}))).toStrictEqual(new Set([null]))
    }).pipe(Effect.scoped)
  )

  it.live("a large result comes in chunks, complete and in order", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* server())
      yield* client.rows("CREATE TABLE D (K NUMBER(38,0))")
      yield* client.change("INSERT INTO D VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)")
      const rows = yield* client.rows(
        "SELECT A.K + 10 * B.K + 100 * C.K + 1000 * D.K + 10000 * E.K AS N FROM D A JOIN D B ON TRUE JOIN D C ON TRUE JOIN D D ON TRUE JOIN D E ON E.K < 3 ORDER BY N"
      )
      expect(rows).toHaveLength(30_000)
      expect(rows.every(({ N }, index) => N === String(index))).toBe(true)
    }).pipe(Effect.scoped)
  )

  it.live("a statement that takes long is asked for again until it is done", () =>
    Effect.gen(function* () {
      const local = yield* server({ behaviour: { inProgressAfterMs: 20 } })
      const client = yield* connect(local)
      local.faults.add({ kind: "slow", delayMs: 150, times: 1 })
      expect(yield* client.rows("SELECT 1 AS X")).toStrictEqual([{ X: "1" }])
    }).pipe(Effect.scoped)
  )

  it.live("a variant is JSON", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* server())
      const [row] = yield* client.rows("SELECT PARSE_JSON(?) AS J", { binds: ['{"a":[1,"b",null]}'] })
      expect(JSON.parse(String(row?.["J"]))).toStrictEqual({ a: [1, "b", null] })
    }).pipe(Effect.scoped)
  )

  it.live("errors have Snowflake's codes", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* server())
      yield* client.rows("CREATE TABLE T (K NUMBER(5,0) NOT NULL)")
      expect(yield* client.code("SELECT K FROM NO_SUCH_TABLE")).toBe("002003")
      expect(yield* client.code("SELECT NO_SUCH_COLUMN FROM T")).toBe("000904")
      expect(yield* client.code("CREATE TABLE T (K NUMBER(38,0))")).toBe("002002")
      expect(yield* client.code("INSERT INTO T VALUES (NULL)")).toBe("100072")
      expect(yield* client.code("INSERT INTO T VALUES (100000)")).toBe("100046")
      expect(yield* client.code("ALTER SESSION SET AUTOCOMMIT = FALSE")).toBe("000002")
    }).pipe(Effect.scoped)
  )
})

describe("warehouses", () => {
  it.live("run for statements that read or change tables, and for nothing else", () =>
    Effect.gen(function* () {
      const local = yield* server()
      const client = yield* connect(local)
      yield* client.rows("CREATE TABLE T (K NUMBER(38,0))")
      yield* client.rows("SHOW TABLES")
      yield* client.rows("SELECT 1 AS X")
      yield* client.rows("BEGIN")
      yield* client.rows("COMMIT")
      expect(local.warehouses().get("LOAD_WH")?.resumes).toBe(0)
      yield* client.rows("SELECT COUNT(*) AS N FROM T")
      expect(local.warehouses().get("LOAD_WH")?.resumes).toBe(1)
      local.advance(Duration.hours(1))
      // Answered from the result cache: the table has not changed since.
      yield* client.rows("SELECT COUNT(*) AS N FROM T")
      expect(local.warehouses().get("LOAD_WH")?.resumes).toBe(1)
      yield* client.change("INSERT INTO T VALUES (1)")
      expect(local.warehouses().get("LOAD_WH")?.resumes).toBe(2)
      expect(yield* client.rows("SELECT COUNT(*) AS N FROM T")).toStrictEqual([{ N: "1" }])
    }).pipe(Effect.scoped)
  )

  it.live("every statement is in the history with its tag, rows, bytes and warehouse", () =>
    Effect.gen(function* () {
      const local = yield* server()
      const client = yield* connect(local)
      yield* client.rows("CREATE TABLE T (K NUMBER(38,0))")
      yield* client.rows("ALTER SESSION SET QUERY_TAG = 'orders/7'")
      yield* client.change("INSERT INTO T VALUES (1), (2)")
      yield* client.change("UPDATE T SET K = 3 WHERE K = 1")
      expect(local.history().slice(-2)).toMatchObject([
        { type: "INSERT", tag: "orders/7", rows: 2, warehouse: "LOAD_WH" },
        { type: "UPDATE", tag: "orders/7", rows: 1, warehouse: "LOAD_WH", bytesScanned: 16 }
      ])
      const rows = yield* client.rows(
        "SELECT QUERY_TYPE, QUERY_TAG, ROWS_PRODUCED FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION()) WHERE QUERY_TYPE = 'UPDATE'"
      )
      expect(rows).toStrictEqual([{ QUERY_TYPE: "UPDATE", QUERY_TAG: "orders/7", ROWS_PRODUCED: "1" }])
    }).pipe(Effect.scoped)
  )

  it.live("what is not there may be dropped IF EXISTS, and is refused without", () =>
    Effect.gen(function* () {
      const client = yield* connect(yield* server())
      for (const object of ["DATABASE NOWHERE", "SCHEMA NOWHERE", "SCHEMA SALES.NOWHERE", "TABLE NOWHERE"]) {
        const [kind = "", name = ""] = object.split(" ")
        yield* client.rows(`DROP ${kind} IF EXISTS ${name}`)
        expect([object, yield* client.code(`DROP ${kind} ${name}`)]).toEqual([object, "002003"])
      }
      yield* client.rows("CREATE SCHEMA SHORTLIVED")
      yield* client.rows("DROP SCHEMA IF EXISTS SHORTLIVED")
      expect(yield* client.code("CREATE TABLE SHORTLIVED.T (K NUMBER(38,0))")).toBe("002003")
    }).pipe(Effect.scoped)
  )
})
