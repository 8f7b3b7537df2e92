import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { connect, server } from "./Driver.ts"

/** A session and an empty table. The driver waits one to three seconds before it resends. */
const prepared = Effect.gen(function* () {
  const local = yield* server()
  const client = yield* connect(local)
  yield* client.rows("CREATE TABLE T (K NUMBER(38,0))")
  return { local, client }
})

const count = "SELECT COUNT(*) AS N FROM T"

describe("faults", () => {
  it.live("a dropped answer is resent with its request id and not executed again", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      local.faults.add({ kind: "drop", when: "after", times: 1 })
      expect(yield* client.change("INSERT INTO T VALUES (1)")).toBe(1)
      yield* client.rows("BEGIN")
      yield* client.change("INSERT INTO T VALUES (2)")
      local.faults.add({ kind: "drop", when: "after", matches: /^COMMIT/, times: 1 })
      yield* client.rows("COMMIT")
      expect(local.faults.struck.drop).toBe(2)
      expect(yield* client.rows(count)).toStrictEqual([{ N: "2" }])
    }).pipe(Effect.scoped)
  )

  it.live("a request cut off before it ran, and one answered by 503, run once in the end", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      local.faults.add({ kind: "drop", when: "before", times: 1 })
      local.faults.add({ kind: "status", when: "after", status: 503, times: 1 })
      expect(yield* client.change("INSERT INTO T VALUES (1)")).toBe(1)
      expect(local.faults.struck).toMatchObject({ drop: 1, status: 1 })
      expect(yield* client.rows(count)).toStrictEqual([{ N: "1" }])
    }).pipe(Effect.scoped)
  )

  it.live("a client that asks again with the same request id gets the recorded outcome, also while it still runs", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      const requestId = "0f4a8e0c-2d53-4f0c-8d0e-6f1d1a2b3c4d"
      local.faults.add({ kind: "slow", delayMs: 200, times: 1 })
      const insert = client.change("INSERT INTO T VALUES (1)", { requestId })
      expect(yield* Effect.all([insert, insert], { concurrency: 2 })).toStrictEqual([1, 1])
      expect(yield* insert).toBe(1)
      expect(yield* client.rows(count)).toStrictEqual([{ N: "1" }])
    }).pipe(Effect.scoped)
  )

  it.live("a request that a proxy doubles runs twice", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      local.faults.add({ kind: "twice", matches: /^INSERT/, times: 1 })
      yield* client.change("INSERT INTO T VALUES (1)")
      expect(yield* client.rows(count)).toStrictEqual([{ N: "2" }])
    }).pipe(Effect.scoped)
  )

  it.live("a session that is gone takes its transaction with it", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      yield* client.rows("BEGIN")
      yield* client.change("INSERT INTO T VALUES (1)")
      local.faults.add({ kind: "gone", detached: false, times: 1 })
      expect(yield* client.code("COMMIT")).toBe("407002")
      const next = yield* connect(local)
      expect(yield* next.rows(count)).toStrictEqual([{ N: "0" }])
    }).pipe(Effect.scoped)
  )

  it.live("the same seed strikes the same requests", () =>
    Effect.gen(function* () {
      const struck: Array<string> = []
      for (let run = 0; run < 2; run++) {
        const local = yield* server({ seed: 7 })
        const client = yield* connect(local)
        local.faults.add({ kind: "slow", delayMs: 1, probability: 0.3 })
        const pattern: Array<number> = []
        for (let step = 0; step < 20; step++) {
          yield* client.rows("SELECT 1 AS X")
          pattern.push(local.faults.struck.slow)
        }
        struck.push(pattern.join())
      }
      expect(struck[0]).toBe(struck[1])
      expect(struck[0]).not.toBe(Array.from({ length: 20 }, () => 0).join())
    }).pipe(Effect.scoped)
  )
})

describe("ending a statement", () => {
  it.live("a cancel interrupts it, and the session goes on", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      yield* client.change(`INSERT INTO T VALUES ${Array.from({ length: 2000 }, (_, k) => `(${k})`).join(", ")}`)
      const long = "SELECT COUNT(*) AS N FROM T A JOIN T B ON A.K <> B.K JOIN T C ON C.K <> B.K JOIN T D ON D.K <> C.K"
      const fiber = yield* Effect.forkChild(client.rows(long))
      yield* Effect.sleep("200 millis")
      yield* Fiber.interrupt(fiber)
      expect(yield* client.rows(count)).toStrictEqual([{ N: "2000" }])
      expect(local.history().at(-2)?.errorCode).toBe("000604")
    }).pipe(Effect.scoped)
  )

  it.live("a statement beyond its timeout is cancelled with 000630, and its transaction stays", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      yield* client.rows("BEGIN")
      yield* client.change("INSERT INTO T VALUES (1)")
      yield* client.rows("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
      local.faults.add({ kind: "slow", delayMs: 60_000, times: 1 })
      expect(yield* client.code("INSERT INTO T VALUES (2)")).toBe("000630")
      yield* client.rows("COMMIT")
      expect(yield* client.rows(count)).toStrictEqual([{ N: "1" }])
    }).pipe(Effect.scoped)
  )
})
