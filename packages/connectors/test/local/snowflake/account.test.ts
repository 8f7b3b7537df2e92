import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Account } from "../../../src/local/snowflake/account/Account.ts"
import { lex } from "../../../src/local/snowflake/sql/Lexer.ts"
import { objectKey } from "../../../src/local/snowflake/sql/Names.ts"
import type { Copy, ObjectName, SessionState, Statement } from "../../../src/local/snowflake/Statement.ts"

const folder = mkdtempSync(join(tmpdir(), "northstar-account-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
const pem = publicKey.export({ format: "pem", type: "spki" }).toString()

/** An account with a database of two schemas, and its clock. */
const start = () => {
  const clock = { ms: 1_000_000 }
  const account = new Account({ name: "local", nowMs: () => clock.ms, admin: { user: "admin", publicKey: pem } })
  const admin = account.login({ id: "admin", user: "admin" })
  for (const schema of ["CURATED", "NORTHSTAR"]) {
    define(account, admin, { verb: "CREATE", object: "SCHEMA", name: { database: "SHOP", schema, name: schema } })
  }
  return { account, admin, clock }
}

const define = (
  account: Account,
  session: SessionState,
  ddl: {
    readonly verb: "CREATE" | "DROP" | "TRUNCATE"
    readonly object: "DATABASE" | "SCHEMA" | "TABLE"
    readonly name: ObjectName
    readonly temporary?: boolean
  }
) => {
  if (ddl.object === "SCHEMA" && account.securables.find("DATABASE", ddl.name.database) === undefined) {
    define(account, session, { ...ddl, object: "DATABASE", name: { ...ddl.name, name: ddl.name.database } })
  }
  const statement = {
    _tag: "Ddl",
    transient: false,
    temporary: false,
    sql: ddl.verb,
    reads: [],
    message: "",
    ...ddl
  } as const
  account.authorise(session, statement)
  if (statement.temporary) session.temporary.add(objectKey(statement.name))
  account.defined(session, statement)
}

const run = (account: Account, session: SessionState, sql: string) =>
  account.execute({ _tag: "Account", tokens: lex(sql) }, session)

const records = async (account: Account, session: SessionState, sql: string) => {
  const { columns, rows } = await run(account, session, sql)
  return rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null])))
}

/** The code of the error that something ends in. */
const code = async (work: () => unknown): Promise<string> => {
  try {
    await work()
    return "none"
  } catch (cause) {
    return (cause as { readonly code?: string }).code ?? String(cause)
  }
}

const orders: ObjectName = { database: "SHOP", schema: "CURATED", name: "ORDERS" }
const select: Statement = { _tag: "Query", sql: "", reads: [orders] }
const insert: Statement = { _tag: "Dml", verb: "INSERT", target: orders, sql: "", reads: [] }

describe("account of the local Snowflake", () => {
  it("a role may do what it or a role it inherits was granted, and a table it has no privilege on does not exist", async () => {
    const { account, admin } = start()
    define(account, admin, { verb: "CREATE", object: "TABLE", name: orders })
    for (const sql of [
      "CREATE ROLE reader",
      "CREATE ROLE writer",
      "CREATE USER loader TYPE = SERVICE",
      "GRANT ROLE writer TO USER loader"
    ]) {
      await run(account, admin, sql)
    }
    const writer = account.login({ id: "1", user: "loader", role: "writer" })
    assert.strictEqual(await code(() => account.authorise(writer, select)), "002003")
    await run(account, admin, "GRANT USAGE ON DATABASE shop TO ROLE reader")
    await run(account, admin, "GRANT USAGE ON SCHEMA shop.curated TO ROLE reader")
    await run(account, admin, "GRANT SELECT ON ALL TABLES IN SCHEMA shop.curated TO ROLE reader")
    assert.strictEqual(await code(() => account.authorise(writer, select)), "002003")
    await run(account, admin, "GRANT ROLE reader TO ROLE writer")
    assert.strictEqual(await code(() => account.authorise(writer, select)), "none")
    assert.strictEqual(await code(() => account.authorise(writer, insert)), "003001")
    await run(account, admin, "GRANT INSERT ON TABLE shop.curated.orders TO ROLE writer")
    assert.strictEqual(await code(() => account.authorise(writer, insert)), "none")
    await run(account, admin, "REVOKE ROLE reader FROM ROLE writer")
    assert.strictEqual(await code(() => account.authorise(writer, insert)), "002003")
  })

  it("future grants reach tables made later, a replaced table loses its own, and only owners drop", async () => {
    const { account, admin } = start()
    for (const sql of [
      "CREATE ROLE reader",
      "CREATE USER r",
      "GRANT ROLE reader TO USER r",
      "GRANT USAGE ON DATABASE shop TO ROLE reader",
      "GRANT USAGE ON ALL SCHEMAS IN DATABASE shop TO ROLE reader",
      "GRANT SELECT ON FUTURE TABLES IN SCHEMA shop.curated TO ROLE reader"
    ]) {
      await run(account, admin, sql)
    }
    define(account, admin, { verb: "CREATE", object: "TABLE", name: orders })
    const reader = account.login({ id: "1", user: "r", role: "reader" })
    assert.strictEqual(await code(() => account.authorise(reader, select)), "none")
    assert.strictEqual(
      await code(() => define(account, reader, { verb: "DROP", object: "TABLE", name: orders })),
      "003001"
    )
    const other = { ...orders, name: "OTHER" }
    assert.strictEqual(
      await code(() => define(account, reader, { verb: "CREATE", object: "TABLE", name: other })),
      "003001"
    )
    define(account, reader, { verb: "CREATE", object: "TABLE", name: other, temporary: true })
    assert.strictEqual(await code(() => account.authorise(reader, { ...insert, target: other })), "none")
    const shown = await records(account, admin, "SHOW GRANTS TO ROLE reader")
    assert.deepStrictEqual(
      shown.map(({ privilege, granted_on, name }) => `${privilege} ${granted_on} ${name}`),
      [
        "USAGE DATABASE SHOP",
        "USAGE SCHEMA SHOP.CURATED",
        "USAGE SCHEMA SHOP.NORTHSTAR",
        "USAGE SCHEMA SHOP.PUBLIC",
        "SELECT TABLE SHOP.CURATED.ORDERS"
      ]
    )
  })

  it("a login needs a user and a role that was granted to it", async () => {
    const { account, admin } = start()
    assert.strictEqual(await code(() => account.login({ id: "1", user: "nobody" })), "390100")
    await run(account, admin, "CREATE ROLE apart")
    await run(account, admin, `CREATE USER program RSA_PUBLIC_KEY = '${pem}' DEFAULT_ROLE = apart`)
    assert.strictEqual(await code(() => account.login({ id: "1", user: "program" })), "390189")
    await run(account, admin, "GRANT ROLE apart TO USER program")
    assert.strictEqual(account.login({ id: "1", user: "program" }).role, "APART")
    const fingerprint = (await records(account, admin, "DESCRIBE USER program")).find(
      ({ property }) => property === "RSA_PUBLIC_KEY_FP"
    )
    assert.isDefined(account.publicKey("program", fingerprint!["value"]!))
    assert.strictEqual(
      await code(() => run(account, admin, "ALTER USER program SET RSA_PUBLIC_KEY = 'none'")),
      "003052"
    )
  })

  it("a warehouse resumes for a statement, is billed for a minute at least, suspends when idle, and stops at its quota", async () => {
    const { account, admin, clock } = start()
    for (const sql of [
      "CREATE RESOURCE MONITOR m WITH CREDIT_QUOTA = 1 FREQUENCY = MONTHLY TRIGGERS ON 75 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND",
      "CREATE WAREHOUSE load WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE RESOURCE_MONITOR = m"
    ]) {
      await run(account, admin, sql)
    }
    // A new warehouse is its creator's.
    assert.strictEqual(admin.warehouse, "LOAD")
    admin.warehouse = undefined
    assert.strictEqual(await code(() => account.requireWarehouse(admin)), "000606")
    admin.warehouse = "LOAD"
    const use = account.requireWarehouse(admin)
    clock.ms += 5_000
    use.end()
    clock.ms += 70_000
    const warehouse = account.warehouses.get("LOAD")!
    assert.deepStrictEqual([warehouse.state, warehouse.resumes, warehouse.billedSeconds], ["SUSPENDED", 1, 65])
    const long = account.requireWarehouse(admin)
    clock.ms += 3_600_000
    long.end()
    assert.strictEqual(await code(() => account.requireWarehouse(admin)), "090073")
    const [monitor] = await records(account, admin, "SHOW RESOURCE MONITORS LIKE 'm'")
    assert.deepStrictEqual(
      [monitor?.["level"], monitor?.["notify_at"], monitor?.["suspend_at"], monitor?.["used_credits"]],
      ["WAREHOUSE", "75%", "100%", "1.02"]
    )
    await run(account, admin, "ALTER RESOURCE MONITOR m SET CREDIT_QUOTA = 100")
    await run(account, admin, "ALTER WAREHOUSE load SET AUTO_RESUME = FALSE WAREHOUSE_SIZE = MEDIUM")
    await run(account, admin, "ALTER WAREHOUSE load SUSPEND")
    assert.strictEqual(await code(() => account.requireWarehouse(admin)), "000606")
    const [shown] = await records(account, admin, "SHOW WAREHOUSES")
    assert.deepStrictEqual(
      [shown?.["size"], shown?.["state"], shown?.["auto_resume"]],
      ["Medium", "SUSPENDED", "false"]
    )
  })

  it("masking policies and clustering are shown where they were set", async () => {
    const { account, admin } = start()
    define(account, admin, { verb: "CREATE", object: "TABLE", name: orders })
    await run(
      account,
      admin,
      "CREATE MASKING POLICY shop.northstar.mask_text AS (val VARCHAR) RETURNS VARCHAR -> CASE WHEN IS_ROLE_IN_SESSION('FINANCE') THEN val ELSE '***' END"
    )
    await run(
      account,
      admin,
      "ALTER TABLE shop.curated.orders MODIFY COLUMN email SET MASKING POLICY shop.northstar.mask_text"
    )
    await run(account, admin, "ALTER TABLE shop.curated.orders CLUSTER BY (_business_date, order_id)")
    const [policy] = await records(account, admin, "DESCRIBE MASKING POLICY shop.northstar.mask_text")
    assert.strictEqual(policy?.["body"], "CASE WHEN IS_ROLE_IN_SESSION ( 'FINANCE' ) THEN VAL ELSE '***' END")
    const described = await account.execute(
      { _tag: "Account", tokens: lex("DESCRIBE TABLE shop.curated.orders") },
      admin,
      () => Promise.resolve([{ name: "EMAIL", type: "VARCHAR(16777216)", nullable: true }])
    )
    assert.strictEqual(described.rows[0]?.at(-1), "SHOP.NORTHSTAR.MASK_TEXT")
    assert.strictEqual(
      (await records(account, admin, "SHOW TABLES IN SCHEMA shop.curated"))[0]?.["cluster_by"],
      "LINEAR(_BUSINESS_DATE, ORDER_ID)"
    )
    assert.strictEqual(await code(() => run(account, admin, "DROP MASKING POLICY shop.northstar.mask_text")), "003017")
  })

  it("what it does not know is refused and changes nothing", async () => {
    const { account, admin } = start()
    assert.strictEqual(await code(() => run(account, admin, "CREATE WAREHOUSE w MAX_CLUSTER_COUNT = 3")), "001420")
    assert.strictEqual(await code(() => run(account, admin, "SHOW PIPES")), "001003")
    assert.strictEqual(await code(() => run(account, admin, "GRANT TRUNCATE ON WAREHOUSE w TO ROLE public")), "002003")
    assert.strictEqual(await code(() => run(account, admin, "CREATE STAGE shop.northstar.s")), "000002")
    assert.deepStrictEqual(await records(account, admin, "SHOW WAREHOUSES"), [])
  })

  it("COPY loads listed files whole or not at all, skips what it loaded before, and misses what is not there", async () => {
    const { account, admin } = start()
    const table: ObjectName = { ...orders, schema: "NORTHSTAR", name: "RAW" }
    const connection = await (await DuckDBInstance.create(":memory:")).connect()
    const runSql = async (sql: string) => (await connection.run(sql)).getRows()
    await runSql("ATTACH ':memory:' AS \"SHOP\"")
    await runSql('CREATE SCHEMA "SHOP"."NORTHSTAR"')
    await runSql('CREATE TABLE "SHOP"."NORTHSTAR"."RAW" (ID BIGINT, FILE VARCHAR, R BIGINT)')
    for (const [file, value] of [
      ["a", "1"],
      ["b", "'two'"]
    ]) {
      await runSql(`COPY (SELECT ${value} AS id FROM range(3)) TO '${folder}/${file}.parquet' (FORMAT parquet)`)
    }
    define(account, admin, { verb: "CREATE", object: "TABLE", name: table })
    await run(
      account,
      admin,
      `CREATE STAGE shop.northstar.landing URL = 'file://${folder}/' FILE_FORMAT = (TYPE = PARQUET)`
    )
    const copy = (files: ReadonlyArray<string>, force = false): Copy => ({
      _tag: "Copy",
      target: table,
      columns: ["ID", "FILE", "R"],
      stage: { ...table, name: "LANDING" },
      path: "",
      select: ["CAST(id AS BIGINT)", "{filename}", "file_row_number + 1"],
      files,
      format: "PARQUET",
      onError: "ABORT_STATEMENT",
      force
    })
    const load = (statement: Copy) => account.copy(statement, admin, runSql)
    const count = async () => String((await runSql('SELECT count(*) FROM "SHOP"."NORTHSTAR"."RAW"'))[0]?.[0])
    account.authorise(admin, copy(["a.parquet"]))
    assert.deepStrictEqual((await load(copy(["a.parquet"]))).rows[0]?.slice(1, 4), ["LOADED", "3", "3"])
    assert.deepStrictEqual((await load(copy(["a.parquet"]))).rows, [["Copy executed with 0 files processed."]])
    assert.strictEqual(await count(), "3")
    await load(copy(["a.parquet"], true))
    assert.strictEqual(await count(), "6")
    assert.strictEqual(await code(() => load(copy(["a.parquet", "none.parquet"], true))), "091016")
    assert.notStrictEqual(await code(() => load(copy(["a.parquet", "b.parquet"], true))), "none")
    writeFileSync(join(folder, "c.parquet"), "not Parquet")
    assert.strictEqual(await code(() => load(copy(["c.parquet"]))), "100152")
    assert.strictEqual(await count(), "6")
    const listed = await records(account, admin, "LIST @shop.northstar.landing/")
    assert.deepStrictEqual(
      listed.map(({ name }) => name?.slice(name.lastIndexOf("/") + 1)),
      ["a.parquet", "b.parquet", "c.parquet"]
    )
    connection.closeSync()
  })
})
