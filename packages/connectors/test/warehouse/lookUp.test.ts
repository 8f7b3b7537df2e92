import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as Digests from "../../src/warehouse/Digests.ts"
import { make as makeModel } from "../../src/warehouse/Model.ts"
import { type Session, Warehouse } from "../../src/warehouse/Warehouse.ts"
import { fresh } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-lookUp-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const bills = Table.make("bills", { columns: { id: Column.uuid, amount: Column.int32 }, key: ["id"] })

describe("looking keys up", () => {
  it.live("takes 10,000 keys in statements below 300 kB, and answers each at its own place", () =>
    Effect.gen(function* () {
      const { dialect, session: open } = yield* Warehouse
      const session = yield* open
      const statements: Array<number> = []
      const measured: Session = {
        ...session,
        execute: (sql) => {
          statements.push(sql.length)
          return session.execute(sql)
        }
      }
      const keys = Array.from({ length: 10_000 }, () => [randomUUID()])
      const there = [0, 1_999, 2_000, 9_999]
      const rows = there.map((at) => `('${keys[at]?.[0]}', ${at})`)
      yield* session.execute(`INSERT INTO curated.bills (id, amount) VALUES ${rows.join(", ")}`)
      const model = makeModel(dialect, bills)
      const sought = keys.map((key) => ({ key, from: 0x16_b374_d848n, through: 0x16_b374_d999n }))
      const known = yield* Digests.lookUp(measured, dialect, model, 1, sought)
      assert.isBelow(Math.max(...statements), 300_000)
      const digests = yield* Digests.keys(session, dialect, model, { after: null, through: null }, 10)
      for (const [at, { now }] of known.entries()) {
        assert.strictEqual(now, digests.get(JSON.stringify(keys[at])) ?? null)
      }
      assert.lengthOf(
        known.filter(({ now }) => now !== null),
        there.length
      )
    }).pipe(Effect.scoped, Effect.provide(fresh([bills], root)))
  )
})
