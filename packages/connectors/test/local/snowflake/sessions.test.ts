import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { connect, server, strangeKey } from "./Driver.ts"

describe("login", () => {
  it.live("a user's key opens a session with its role, warehouse, database and schema", () =>
    Effect.gen(function* () {
      const local = yield* server()
      const client = yield* connect(local)
      const [row] = yield* client.rows("SELECT CURRENT_USER() AS U, CURRENT_ROLE() AS R, CURRENT_WAREHOUSE() AS W")
      expect(row).toStrictEqual({ U: "ADMIN", R: "ACCOUNTADMIN", W: "LOAD_WH" })
      expect(local.sessions()).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.live("a wrong key, an unknown user and another account are refused alike, and the reason is kept", () =>
    Effect.gen(function* () {
      const local = yield* server()
      const attempts = [{ privateKey: strangeKey() }, { username: "NOBODY" }, { account: "ELSEWHERE" }]
      for (const options of attempts) {
        const error = yield* Effect.flip(connect(local, options))
        expect(error.code).toBe("390144")
      }
      expect(local.loginFailures()).toStrictEqual([
        "JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH",
        "JWT_TOKEN_INVALID_PUBLIC_KEY_FINGERPRINT_MISMATCH",
        "JWT_TOKEN_INVALID_USER_IN_ISSUER"
      ])
    }).pipe(Effect.scoped)
  )
})

describe("tokens", () => {
  it.live("an expired session token is renewed without the client noticing, in the same session", () =>
    Effect.gen(function* () {
      const local = yield* server({ sessionValidity: Duration.minutes(5) })
      const client = yield* connect(local)
      yield* client.rows("ALTER SESSION SET QUERY_TAG = 'kept'")
      local.advance(Duration.minutes(6))
      yield* client.rows("SELECT 1 AS X")
      expect(local.history().at(-1)?.tag).toBe("kept")
      expect(local.sessions()).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.live("when the master token has expired too the session is over", () =>
    Effect.gen(function* () {
      const local = yield* server({ sessionValidity: Duration.minutes(5), masterValidity: Duration.minutes(10) })
      const client = yield* connect(local)
      local.advance(Duration.minutes(11))
      expect(yield* client.code("SELECT 1 AS X")).toBe("407002")
    }).pipe(Effect.scoped)
  )
})

describe("a vanished session", () => {
  it.live("keeps its locks until somebody aborts it", () =>
    Effect.gen(function* () {
      const local = yield* server()
      const lost = yield* connect(local)
      const next = yield* connect(local)
      yield* lost.rows("CREATE TABLE T (K NUMBER(38,0))")
      yield* lost.change("INSERT INTO T VALUES (1)")
      yield* lost.rows("BEGIN")
      yield* lost.change("UPDATE T SET K = 2")
      local.faults.add({ kind: "gone", detached: true, times: 1 })
      expect(yield* lost.code("SELECT 1 AS X")).toBe("407002")
      yield* next.rows("ALTER SESSION SET LOCK_TIMEOUT = 1")
      expect(yield* next.code("UPDATE T SET K = 3")).toBe("000625")
      const [open] = yield* next.rows("SHOW TRANSACTIONS")
      yield* next.rows(`SELECT SYSTEM$ABORT_TRANSACTION(${String(open?.["id"])})`)
      expect(yield* next.change("UPDATE T SET K = K + 10")).toBe(1)
      expect(yield* next.rows("SELECT K FROM T")).toStrictEqual([{ K: "11" }])
    }).pipe(Effect.scoped)
  )

  it.live("is rolled back when it blocks another for too long, or when its session is aborted", () =>
    Effect.gen(function* () {
      const local = yield* server({ behaviour: { idleAbortMs: 50 } })
      const lost = yield* connect(local)
      const next = yield* connect(local)
      yield* lost.rows("CREATE TABLE T (K NUMBER(38,0))")
      yield* lost.change("INSERT INTO T VALUES (1)")
      yield* lost.rows("BEGIN")
      yield* lost.change("UPDATE T SET K = 2")
      expect(yield* next.change("UPDATE T SET K = K + 10")).toBe(1)
      expect(yield* lost.code("COMMIT")).toBe("000604")
      yield* lost.rows("ROLLBACK")
      expect(yield* lost.rows("SELECT K FROM T")).toStrictEqual([{ K: "11" }])

      const [session] = local.sessions()
      yield* next.rows(`SELECT SYSTEM$ABORT_SESSION(${session})`)
      expect(local.sessions()).toHaveLength(1)
      expect(yield* lost.code("SELECT 1 AS X")).toBe("407002")
    }).pipe(Effect.scoped)
  )
})
