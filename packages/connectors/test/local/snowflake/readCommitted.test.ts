import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Client, connect, server } from "./Driver.ts"

/** A table as a transaction sees it: values by row. */
type Rows = Map<number, number>

/** What a READ COMMITTED session sees: what is committed now, with its own changes on top. */
class Model {
  readonly committed: Record<string, Rows> = { A: new Map(), B: new Map() }
  readonly own: Array<Record<string, Map<number, number | undefined>> | undefined> = []

  seen(session: number, table: string): Rows {
    const rows = new Map(this.committed[table])
    for (const [row, value] of this.own[session]?.[table] ?? []) {
      if (value === undefined) rows.delete(row)
      else rows.set(row, value)
    }
    return rows
  }

  write(session: number, table: string, changes: ReadonlyArray<readonly [number, number | undefined]>): void {
    for (const [row, value] of changes) {
      const own = this.own[session]
      if (own !== undefined) own[table]?.set(row, value)
      else if (value === undefined) this.committed[table]?.delete(row)
      else this.committed[table]?.set(row, value)
    }
  }

  commit(session: number): void {
    const own = this.own[session] ?? {}
    this.own[session] = undefined
    for (const [table, changes] of Object.entries(own)) this.write(session, table, [...changes])
  }
}

const random = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}

/** One random step of one session, in the server and in the model. Returns 1 if the server refused it. */
const step = Effect.fnUntraced(function* (
  model: Model,
  clients: ReadonlyArray<Client>,
  draw: (below: number) => number,
  row: number
) {
  const session = draw(clients.length)
  const client = clients.at(session)
  if (client === undefined) return 0
  const table = draw(2) === 0 ? "A" : "B"
  const other = table === "A" ? "B" : "A"
  const attempt = (sql: string, apply: () => void) =>
    client.change(sql).pipe(
      Effect.tap(() => Effect.sync(apply)),
      Effect.as(0),
      Effect.catch((error) =>
        Effect.gen(function* () {
          expect(["000625", "000604"]).toContain(error.code)
          // A refused statement changed nothing and its transaction goes on, unless it had to be given up.
          if (error.code === "000625") return 1
          yield* client.rows("ROLLBACK")
          model.own[session] = undefined
          return 1
        })
      )
    )
  const seen = model.seen(session, table)
  switch (draw(8)) {
    case 0:
      yield* client.rows("BEGIN")
      model.own[session] ??= { A: new Map(), B: new Map() }
      return 0
    case 1:
      return yield* attempt("COMMIT", () => model.commit(session))
    case 2:
      yield* client.rows("ROLLBACK")
      model.own[session] = undefined
      return 0
    case 3:
      return yield* attempt(`INSERT INTO ${table} VALUES (${row}, ${row % 5})`, () =>
        model.write(session, table, [[row, row % 5]])
      )
    case 4:
      return yield* attempt(`UPDATE ${table} SET V = V + 1 WHERE V < 4`, () =>
        model.write(
          session,
          table,
          [...seen].filter(([, value]) => value < 4).map(([at, value]) => [at, value + 1])
        )
      )
    case 5:
      return yield* attempt(`DELETE FROM ${table} WHERE V = 4`, () =>
        model.write(
          session,
          table,
          [...seen].filter(([, value]) => value === 4).map(([at]) => [at, undefined])
        )
      )
    case 6: {
      const sum = [...model.seen(session, other).values()].reduce((total, value) => total + value, 0)
      return yield* attempt(`INSERT INTO ${table} SELECT ${row}, COALESCE(SUM(V), 0) FROM ${other}`, () =>
        model.write(session, table, [[row, sum]])
      )
    }
    default: {
      const expected = [...seen]
        .toSorted(([one], [another]) => one - another)
        .map(([K, V]) => ({ K: String(K), V: String(V) }))
      return yield* client.rows(`SELECT K, V FROM ${table} ORDER BY K`).pipe(
        Effect.map((rows) => {
          expect(rows).toStrictEqual(expected)
          return 0
        }),
        Effect.catch(({ code }) =>
          Effect.sync(() => {
            expect(code).toBe("000625")
            return 1
          })
        )
      )
    }
  }
})

describe("READ COMMITTED", () => {
  it.live("sessions that change two tables in any order see what the model sees, or are refused", () =>
    Effect.gen(function* () {
      const seeds = (process.env["NORTHSTAR_SEEDS"] ?? "1,2,3").split(",").map(Number)
      for (const seed of seeds) {
        yield* Effect.gen(function* () {
          const local = yield* server()
          const clients = yield* Effect.all([connect(local), connect(local), connect(local)])
          for (const table of ["A", "B"])
            yield* clients[0].rows(`CREATE TABLE ${table} (K NUMBER(38,0), V NUMBER(38,0))`)
          for (const client of clients) yield* client.rows("ALTER SESSION SET LOCK_TIMEOUT = 0")
          const draw = random(seed)
          const model = new Model()
          let refused = 0
          for (let row = 0; row < 250; row++) refused += yield* step(model, clients, draw, row)
          expect(refused, `seed ${seed}`).toBeLessThan(100)
        }).pipe(Effect.scoped)
      }
    })
  )
})
