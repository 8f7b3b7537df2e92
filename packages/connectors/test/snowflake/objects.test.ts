import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { snowflake as dialect } from "../../src/snowflake/SnowflakeDialect.ts"
import { desired, type ObjectsOptions } from "../../src/snowflake/SnowflakeObjects.ts"
import { plan } from "../../src/snowflake/SnowflakePlan.ts"
import { execute as apply } from "../../src/warehouse/Migrate.ts"
import { type Stand, stand } from "./Stand.ts"

const orders = Table.make("orders", {
  columns: {
    id: Column.int64,
    email: Column.pii(Column.text),
    born: Column.nullable(Column.pii(Column.date)),
    placed_at: Column.timestamptz,
    // Found again by the next plan, although Snowflake gives it as it gives one of lower-case letters.
    SKU: Column.nullable(Column.pii(Column.text))
  },
  key: ["id"],
  event: { column: "placed_at" }
})
const wider = Table.make("orders", {
  columns: { ...orders.columns, memo: Column.nullable(Column.text) },
  key: ["id"],
  event: { column: "placed_at" }
})

const options: ObjectsOptions = {
  tables: [orders],
  marts: [
    {
      name: "orders_a_day",
      query: "SELECT _business_date AS day, count(*) AS orders FROM curated.orders GROUP BY _business_date"
    }
  ],
  landing: {
    url: "s3://landing/northstar/",
    integration: { name: "NORTHSTAR_LANDING", roleArn: "arn:aws:iam::1:role/landing" }
  }
}

const described = (of: Stand, changed: Partial<ObjectsOptions> = {}) =>
  Effect.map(plan(of.session("admin"), desired(dialect, { ...options, ...changed })), (migrations) =>
    migrations.map(({ description }) => description)
  )

/** An account that a plan was applied to. */
const applied = Effect.fnUntraced(function* () {
  const of = yield* stand()
  const admin = of.session("admin")
  const { left } = yield* apply(admin, yield* plan(admin, desired(dialect, options)))
  assert.deepStrictEqual(left, [])
  return { of, admin }
})

describe("objects as code", () => {
  it.effect("a first plan makes everything, runs exactly its statements, and a second plan is empty", () =>
    Effect.gen(function* () {
      const of = yield* stand()
      const admin = of.session("admin")
      const first = yield* plan(admin, desired(dialect, options))
      assert.isAbove(first.length, 40)
      of.statements.length = 0
      yield* apply(admin, first)
      assert.deepStrictEqual(
        of.statements,
        first.map(({ sql }) => sql)
      )
      assert.deepStrictEqual(yield* described(of), [])
    })
  )

  it.effect("planning changes nothing", () =>
    Effect.gen(function* () {
      const { of } = yield* applied()
      of.statements.length = 0
      yield* described(of, { tables: [wider], sizes: { load: "LARGE" } })
      const reading = /^(SHOW|DESCRIBE|USE|SELECT)\b/
      assert.deepStrictEqual(
        of.statements.filter((sql) => !reading.test(sql)),
        []
      )
    })
  )

  it.effect("drift made by hand is shown and mended", () =>
    Effect.gen(function* () {
      const { of, admin } = yield* applied()
      for (const sql of [
        "ALTER TABLE northstar.curated.orders DROP COLUMN born",
        "ALTER WAREHOUSE northstar_load SET WAREHOUSE_SIZE = XLARGE AUTO_SUSPEND = 3600",
        "ALTER RESOURCE MONITOR northstar_load SET CREDIT_QUOTA = 9",
        "GRANT INSERT ON TABLE northstar.curated.orders TO ROLE northstar_finance",
        "CREATE ROLE stranger",
        "GRANT DELETE ON TABLE northstar.northstar.batches TO ROLE stranger",
        "REVOKE SELECT ON VIEW northstar.marts.orders_a_day FROM ROLE northstar_finance",
        "ALTER TABLE northstar.curated.orders MODIFY COLUMN email UNSET MASKING POLICY",
        "ALTER TABLE northstar.curated.orders__history DROP CLUSTERING KEY",
        "ALTER MASKING POLICY northstar.northstar.mask_varchar SET BODY -> val",
        "DROP ROLE northstar_support",
        "CREATE OR REPLACE VIEW northstar.marts.orders_a_day AS SELECT 1 AS one"
      ]) {
        yield* admin.execute(sql)
      }
      const found = (yield* described(of)).toSorted()
      assert.deepStrictEqual(found, [
        "add column born to orders",
        "change masking policy NORTHSTAR.NORTHSTAR.MASK_VARCHAR",
        "change warehouse NORTHSTAR_LOAD: size from XLARGE to SMALL, auto-suspend from 3600 to 60",
        "cluster CURATED.ORDERS__HISTORY by _BUSINESS_DATE, ID",
        "create role NORTHSTAR_SUPPORT",
        "define mart orders_a_day",
        "grant SELECT on VIEW NORTHSTAR.MARTS.ORDERS_A_DAY to NORTHSTAR_AUDITOR",
        "grant SELECT on VIEW NORTHSTAR.MARTS.ORDERS_A_DAY to NORTHSTAR_FINANCE",
        "grant SELECT on VIEW NORTHSTAR.MARTS.ORDERS_A_DAY to NORTHSTAR_OPERATIONS",
        "grant USAGE on DATABASE NORTHSTAR to NORTHSTAR_SUPPORT",
        "grant USAGE on SCHEMA NORTHSTAR.MARTS to NORTHSTAR_SUPPORT",
        "grant USAGE on WAREHOUSE NORTHSTAR_BI to NORTHSTAR_SUPPORT",
        "mask BORN of CURATED.ORDERS",
        "mask EMAIL of CURATED.ORDERS",
        "revoke DELETE on TABLE NORTHSTAR.NORTHSTAR.BATCHES from STRANGER",
        "revoke INSERT on TABLE NORTHSTAR.CURATED.ORDERS from NORTHSTAR_FINANCE",
        "set resource monitor NORTHSTAR_LOAD from 9 to 1300 credits a month"
      ])
      yield* apply(admin, yield* plan(admin, desired(dialect, options)))
      assert.deepStrictEqual(yield* described(of), [])
    })
  )

  it.effect("a new column and a new size are planned alone, and a changed type waits for the flag", () =>
    Effect.gen(function* () {
      const { of, admin } = yield* applied()
      assert.deepStrictEqual(yield* described(of, { tables: [wider], sizes: { load: "MEDIUM" } }), [
        "change warehouse NORTHSTAR_LOAD: size from SMALL to MEDIUM",
        "add column memo to orders",
        "add column memo to orders__history"
      ])
      const retyped = Table.make("orders", {
        columns: { ...orders.columns, born: Column.nullable(Column.pii(Column.text)) },
        key: ["id"],
        event: { column: "placed_at" }
      })
      const { left } = yield* apply(admin, yield* plan(admin, desired(dialect, { ...options, tables: [retyped] })))
      assert.strictEqual(left.length, 2)
      assert.isTrue(left.every(({ destructive }) => destructive))
    })
  )

  it.effect("only the publisher writes curated, the ledgers are only added to, and finance sees marts alone", () =>
    Effect.gen(function* () {
      const { of, admin } = yield* applied()
      for (const role of ["publisher", "loader", "finance", "auditor", "operations"]) {
        yield* admin.execute(`CREATE USER u_${role} DEFAULT_ROLE = northstar_${role}`)
        yield* admin.execute(`GRANT ROLE northstar_${role} TO USER u_${role}`)
      }
      const refused = (role: string, sql: string) =>
        Effect.gen(function* () {
          const session = of.session(`u_${role}`)
          yield* session.execute("USE DATABASE northstar")
          yield* session.execute(
            role === "publisher" || role === "loader" ? "USE WAREHOUSE northstar_load" : "USE WAREHOUSE northstar_bi"
          )
          return yield* Effect.match(session.execute(sql), {
            onSuccess: () => "allowed",
            onFailure: ({ detail }) => detail.slice(0, 6)
          })
        })
      const insert = "INSERT INTO curated.orders (id) VALUES (1)"
      assert.strictEqual(yield* refused("publisher", insert), "allowed")
      for (const role of ["loader", "finance", "operations"]) assert.strictEqual(yield* refused(role, insert), "002003")
      assert.strictEqual(yield* refused("auditor", insert), "003001")
      assert.strictEqual(yield* refused("publisher", "INSERT INTO northstar.runs (run) VALUES ('r')"), "allowed")
      for (const sql of [
        "DELETE FROM northstar.runs WHERE run = 'r'",
        "UPDATE northstar.costs SET changes = 1",
        "DELETE FROM northstar.batches WHERE batch = 'b'"
      ]) {
        assert.strictEqual(yield* refused("publisher", sql), "003001")
      }
      // A load reads the stage by the loader's rights alone, and the loader sees nothing curated.
      for (const role of ["publisher", "loader"]) {
        assert.strictEqual(yield* refused(role, "DESCRIBE STAGE northstar.landing"), "allowed", role)
      }
      assert.strictEqual(yield* refused("loader", "SELECT * FROM curated.orders"), "002003")
      yield* admin.execute("REVOKE ROLE northstar_loader FROM ROLE northstar_publisher")
      assert.strictEqual(yield* refused("publisher", "DESCRIBE STAGE northstar.landing"), "002003")
      assert.deepStrictEqual(yield* described(of), ["grant ROLE NORTHSTAR_LOADER to NORTHSTAR_PUBLISHER"])
      assert.strictEqual(yield* refused("publisher", "CREATE TABLE curated.mine (id NUMBER(38,0))"), "003001")
      assert.strictEqual(yield* refused("finance", "SELECT * FROM marts.orders_a_day"), "allowed")
      assert.strictEqual(yield* refused("finance", "SELECT * FROM curated.orders"), "002003")
      assert.strictEqual(yield* refused("auditor", "SELECT * FROM curated.orders"), "allowed")
      assert.strictEqual(yield* refused("operations", "SELECT * FROM northstar.quarantine"), "002003")
    })
  )
})
