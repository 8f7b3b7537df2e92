import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import * as LocalSnowflake from "../../src/local/snowflake/LocalSnowflake.ts"
import * as Snowflake from "../../src/snowflake/Snowflake.ts"
import type { SnowflakeConfig } from "../../src/snowflake/SnowflakeConfig.ts"
import { desired } from "../../src/snowflake/SnowflakeObjects.ts"
import { plan } from "../../src/snowflake/SnowflakePlan.ts"
import { execute as apply } from "../../src/warehouse/Migrate.ts"
import { snowflake as dialect } from "../../src/snowflake/SnowflakeDialect.ts"
import * as Rollback from "../../src/warehouse/Rollback.ts"
import { Warehouse } from "../../src/warehouse/Warehouse.ts"
import { changesOf } from "../warehouse/Changes.ts"
import { heldOpen, segmentsOf } from "../warehouse/Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-objects-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const table = Table.make("orders", {
  columns: { id: Column.int64, email: Column.nullable(Column.pii(Column.text)), total: Column.nullable(Column.int64) },
  key: ["id"]
})
const tables = [table]
const { put, remove } = changesOf("orders")

const wanted = desired(dialect, {
  tables,
  marts: [{ name: "order_totals", query: "SELECT id, total FROM curated.orders" }],
  landing: { url: `file://${root}/` }
})

const pair = () =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  })

/** An account that was put together by its administrator, and the configurations of programs and people in it. */
const built = Effect.gen(function* () {
  const local = yield* LocalSnowflake.start()
  const admin: SnowflakeConfig = {
    account: local.account,
    accessUrl: local.accessUrl,
    user: local.admin.user,
    privateKey: Redacted.make(local.admin.privateKey),
    role: "ACCOUNTADMIN",
    warehouse: "NORTHSTAR_LOAD",
    database: "NORTHSTAR"
  }
  const administer = <A, E>(work: (session: Parameters<typeof plan>[0]) => Effect.Effect<A, E>) =>
    Effect.scoped(
      Effect.gen(function* () {
        const { session } = yield* Warehouse
        return yield* work(yield* session)
      })
    ).pipe(Effect.provide(Snowflake.layer(admin)))
  yield* administer((session) => Effect.flatMap(plan(session, wanted), (migrations) => apply(session, migrations)))
  const as = Effect.fnUntraced(function* (role: string, warehouse: string) {
    const { publicKey, privateKey } = pair()
    const user = `${role}_PROGRAM`
    yield* local.execute(`CREATE USER ${user} RSA_PUBLIC_KEY = '${publicKey}' DEFAULT_ROLE = ${role}`)
    yield* local.execute(`GRANT ROLE ${role} TO USER ${user}`)
    return Snowflake.layer({ ...admin, user, role, warehouse, privateKey: Redacted.make(privateKey) })
  })
  return { local, administer, as }
})

const ask = (sql: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { session } = yield* Warehouse
      return yield* (yield* session).query(sql)
    })
  )

describe("objects as code, through the driver", () => {
  it.live("a second plan is empty, and the publisher's grants suffice for cycles and a rollback", () =>
    Effect.gen(function* () {
      const { administer, as } = yield* built
      assert.deepStrictEqual(yield* administer((session) => plan(session, wanted)), [])
      const publisher = Layer.merge(yield* as("NORTHSTAR_PUBLISHER", "NORTHSTAR_LOAD"), FolderStore.layer(root))
      yield* Effect.gen(function* () {
        const cycles = [
          [
            put(1, { id: "1", email: "a@b", total: "5" }),
            put(1, { id: "2", email: "c@d", total: "7" }, { ordinal: 1 })
          ],
          [remove(2, "2"), put(2, { id: "1", total: "6" }, { ordinal: 1, leavesOut: ["email"] })],
          [put(3, { id: "3", email: "e@f", total: "no number" })]
        ]
        for (const changes of cycles) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* heldOpen(tables)
              yield* writer.commit(yield* segmentsOf(tables, changes))
            })
          )
        }
        const rows = "SELECT id AS id, email AS email, total AS total FROM curated.orders ORDER BY id"
        assert.strictEqual((yield* ask(rows)).length, 1)
        const [quarantined] = yield* ask("SELECT count(*) AS n FROM northstar.quarantine")
        assert.deepStrictEqual(Object.values(quarantined ?? {}).map(String), ["1"])
        yield* Rollback.apply(tables, `laws/main/${"2".padStart(20, "0")}`)
        assert.strictEqual((yield* ask(rows)).length, 2)
      }).pipe(Effect.provide(publisher))
      const finance = yield* as("NORTHSTAR_FINANCE", "NORTHSTAR_BI")
      assert.strictEqual((yield* ask("SELECT * FROM marts.order_totals").pipe(Effect.provide(finance))).length, 2)
      const refused = yield* Effect.flip(ask("SELECT * FROM curated.orders").pipe(Effect.provide(finance)))
      assert.include(["Unauthorized", "Misconfigured"], refused.reason._tag)
    }).pipe(Effect.scoped)
  )
})
