import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { objectKey } from "../../../src/local/snowflake/sql/Names.ts"
import { parse } from "../../../src/local/snowflake/sql/Parse.ts"
import { SnowflakeError, type Statement } from "../../../src/local/snowflake/Statement.ts"
import { openDuck, render, session } from "./Duck.ts"

const name = (text: string, schema = "PUBLIC", database = "DB") => ({ database, schema, name: text })

const parsed = <Tag extends Statement["_tag"]>(tag: Tag, sql: string): Extract<Statement, { _tag: Tag }> => {
  const statement = parse(sql, {}, session())
  if (statement._tag !== tag) throw new Error(`${statement._tag}: ${sql}`)
  return statement as Extract<Statement, { _tag: Tag }>
}

const codeOf = (sql: string): string => {
  try {
    parse(sql, {}, session())
  } catch (error) {
    return error instanceof SnowflakeError ? error.code : String(error)
  }
  return "accepted"
}

describe("what is not on the allowlist is refused", () => {
  const refused: Readonly<Record<string, ReadonlyArray<string>>> = {
    "002140": ["SELECT median(1)", "SELECT epoch_ms(x) FROM t", "SELECT f.g(1)", "SELECT read_parquet('x')"],
    "002040": [
      "SELECT 1::TINYINT",
      "SELECT CAST(x AS TIMESTAMP_TZ)",
      "CREATE TABLE t (a GEOGRAPHY)",
      "SELECT x::TIMESTAMP_NTZ",
      "SELECT x::VARCHAR(3)"
    ],
    "000938": ["SELECT md5()", "SELECT coalesce(1)"],
    "001003": [
      "SELECT 1 FROM",
      "SELECT 1 1",
      "SELECT * FROM t AT (OFFSET => -60)",
      "SELECT * FROM t SAMPLE (10)",
      "SELECT * FROM t PIVOT (1)",
      "SELECT 1 AS rows",
      "SELECT current FROM t",
      "SELECT * FROM t LEFT t2",
      "CALL p()",
      "EXECUTE IMMEDIATE 'SELECT 1'",
      "BEGIN SELECT 1",
      "PRAGMA version",
      "ATTACH 'x'",
      "UPDATE t SET t.a = 1",
      "INSERT OVERWRITE INTO t SELECT 1",
      "SELECT $1 FROM t",
      "SELECT METADATA$FILENAME FROM t",
      "SELECT * FROM 'file.parquet'"
    ],
    "000002": [
      "SELECT 1 / 2",
      "SELECT sum(DISTINCT 1)",
      "SELECT row_number()",
      "SELECT abs(1) OVER (ORDER BY 1)",
      "SELECT (1, 2)",
      "SELECT (1, 2) NOT IN (SELECT 1, 2)",
      "SELECT try_to_date('x', 'DD.MM.YYYY')",
      "SELECT get(x, 1)",
      "WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a",
      "CREATE TABLE t (v VARIANT)",
      "CREATE OR REPLACE SCHEMA s",
      "COPY INTO t FROM (SELECT $1:a FROM @s) FILE_FORMAT = (TYPE = CSV)",
      "COPY INTO t FROM (SELECT $1:a FROM @s) FILE_FORMAT = (TYPE = PARQUET) PATTERN = '.*'",
      "COPY INTO t FROM (SELECT $1:a FROM @s) FILE_FORMAT = (TYPE = PARQUET) ON_ERROR = CONTINUE",
      "COPY INTO @s FROM t",
      "SELECT * FROM TABLE(RESULT_SCAN())"
    ],
    "002003": ["SELECT * FROM information_schema.usage"],
    "000008": ["SELECT 1; SELECT 2"],
    "000900": ["", " -- nothing"],
    "002049": ["SELECT ?", "SELECT :2"],
    "090105": ["SELECT * FROM t"]
  }
  for (const [code, statements] of Object.entries(refused)) {
    it(`${code}: ${statements[0]}`, () => {
      const state = code === "090105" ? { ...session(), database: undefined } : session()
      const codes = statements.map((sql) => {
        if (code !== "090105") return [sql, codeOf(sql)]
        assert.throws(() => parse(sql, {}, state), SnowflakeError)
        return [sql, code]
      })
      assert.deepStrictEqual(
        codes,
        statements.map((sql) => [sql, code])
      )
    })
  }
})

describe("names", () => {
  it("resolve by the session's defaults and are quoted as they are kept", () => {
    const { reads, sql } = parsed("Query", `SELECT a, "b" FROM orders JOIN other."t" AS x ON x.a = orders.a`)
    assert.deepStrictEqual(reads, [name("ORDERS"), name("t", "OTHER")])
    assert.strictEqual(
      sql,
      `SELECT "A" AS "A", "b~" AS "b~" FROM "DB"."PUBLIC"."ORDERS" AS "ORDERS" INNER JOIN "DB"."OTHER"."t~" AS "X" ON ("X"."A" = "ORDERS"."A")`
    )
  })

  it("a temporary table of the session hides a permanent one", () => {
    const state = session()
    state.temporary.add(objectKey(name("T")))
    assert.include(render("SELECT * FROM t", {}, state), 'temp.main."DB.~.PUBLIC.~.T"')
    assert.include(render("SELECT * FROM t"), '"DB"."PUBLIC"."T"')
  })

  it("common table expressions are no objects, and only where they are in scope", () => {
    const { reads } = parsed("Query", "SELECT * FROM (WITH a AS (SELECT 1 AS x) SELECT * FROM a) AS q, a")
    assert.deepStrictEqual(reads, [name("A")])
  })
})

describe("queries on DuckDB", () => {
  const answers: ReadonlyArray<
    readonly [what: string, sql: string, rows: ReadonlyArray<ReadonlyArray<string | null>>]
  > = [
    ["NULLs are last ascending", "SELECT column1 FROM (VALUES (NULL), (2), (1)) ORDER BY 1", [["1"], ["2"], [null]]],
    [
      "NULLs are first descending",
      "SELECT column1 AS x FROM (VALUES (NULL), (2)) AS v ORDER BY x DESC",
      [[null], ["2"]]
    ],
    ["NULLS LAST is heeded", "SELECT a FROM (VALUES (NULL), (2)) AS v(a) ORDER BY a DESC NULLS LAST", [["2"], [null]]],
    ["windows order NULLs so too", "SELECT row_number() OVER (ORDER BY a DESC) FROM (VALUES (NULL)) AS v(a)", [["1"]]],
    [
      "QUALIFY",
      "SELECT a FROM (VALUES (1), (2)) AS v(a) QUALIFY row_number() OVER (PARTITION BY 1 ORDER BY a DESC) = 1",
      [["2"]]
    ],
    ["EXCLUDE", "SELECT v.* EXCLUDE (b) FROM (VALUES (1, 2)) AS v(a, b)", [["1"]]],
    ["UNION removes repeats", "SELECT 1 AS a UNION SELECT 1 UNION ALL SELECT 2 ORDER BY a", [["1"], ["2"]]],
    ["HAVING without groups", "SELECT max(a) AS m FROM (VALUES (1)) AS v(a) HAVING max(a) > 1", []],
    ["LIMIT", "SELECT 1 AS a LIMIT 0", []],
    ["GROUP BY places", "SELECT a, count(*) AS n FROM (VALUES ('x'), ('x')) AS v(a) GROUP BY 1", [["x", "2"]]]
  ]
  it.live("give what Snowflake documents", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      for (const [what, sql, rows] of answers) assert.deepStrictEqual(yield* run(render(sql)), rows, what)
    })
  )

  it.live("bind variables become literals of their type", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      const bindings = {
        "1": { type: "TEXT", value: "it's \\ \" -- ?" },
        "2": { type: "FIXED", value: "-12.5" },
        "3": { type: "BOOLEAN", value: "true" },
        "4": { type: "TEXT", value: null },
        "5": { type: "REAL", value: "0.5" }
      }
      assert.deepStrictEqual(yield* run(render("SELECT ?, ?, ?, ?, ?, :1", bindings)), [
        ["it's \\ \" -- ?", "-12.5", "true", null, "0.5", "it's \\ \" -- ?"]
      ])
      for (const value of ["1); DROP TABLE t", "1 1", ""]) {
        assert.throws(() => render("SELECT ?", { "1": { type: "FIXED", value } }), SnowflakeError)
      }
      assert.throws(() => render("SELECT ?", { "1": { type: "TEXT", value: ["a"] } }), SnowflakeError)
    })
  )

  it.live("INFORMATION_SCHEMA answers Snowflake's names and types", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      yield* run(
        render(
          `CREATE TABLE t (a NUMBER(19,0), "b" VARCHAR NOT NULL, c TIMESTAMP_LTZ(6), d NUMBER(38,0), e BINARY, f NUMBER(12,2), g TIME(6), h FLOAT)`
        )
      )
      const columns = yield* run(
        render(
          `SELECT column_name, data_type, numeric_precision, numeric_scale, datetime_precision, is_nullable FROM information_schema.columns WHERE table_name = 'T' ORDER BY ordinal_position`
        )
      )
      assert.deepStrictEqual(columns, [
        ["A", "NUMBER", "19", "0", null, "YES"],
        ["b", "TEXT", null, null, null, "NO"],
        ["C", "TIMESTAMP_LTZ", null, null, "6", "YES"],
        ["D", "NUMBER", "38", "0", null, "YES"],
        ["E", "BINARY", null, null, null, "YES"],
        ["F", "NUMBER", "12", "2", null, "YES"],
        ["G", "TIME", null, null, "6", "YES"],
        ["H", "FLOAT", null, null, null, "YES"]
      ])
      const tables = yield* run(
        render("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'PUBLIC'")
      )
      assert.deepStrictEqual(tables, [["T", "BASE TABLE"]])
    })
  )
})

describe("changes on DuckDB", () => {
  it.live("a number that does not fit is an error, never wrapped or rounded away", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      yield* run(render("CREATE TABLE t (small NUMBER(5,0), wide NUMBER(38,0), money NUMBER(12,2))"))
      for (const values of ["100000, 1, 1", "1, '1e39', 1", "1, 1, 10000000000"]) {
        const outcome = yield* Effect.exit(run(render(`INSERT INTO t VALUES (${values})`)))
        assert.strictEqual(outcome._tag, "Failure", values)
      }
      yield* run(render("INSERT INTO t (small, wide, money) SELECT 1, 9223372036854775807, 1.005"))
      assert.deepStrictEqual(yield* run(render("SELECT small + 1, wide * 1000, money FROM t")), [
        ["2", "9223372036854775807000", "1.01"]
      ])
    })
  )

  it.live("MERGE is refused exactly where its outcome would not be determined", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      yield* run(render("CREATE TABLE t AS SELECT 1 AS k, 'old' AS v"))
      const merge = (source: string) =>
        parsed(
          "Dml",
          `MERGE INTO t USING (SELECT column1 AS k, column2 AS v, column3 AS op FROM (VALUES ${source})) AS s ON t.k = s.k
          WHEN MATCHED AND s.op = 2 THEN DELETE WHEN MATCHED AND s.op = 1 THEN UPDATE SET v = s.v WHEN NOT MATCHED AND s.op = 1 THEN INSERT (k, v) VALUES (s.k, s.v)`
        )
      const isDetermined = (source: string) =>
        Effect.map(
          Effect.suspend(() => run(merge(source).duplicates ?? "")),
          (rows) => rows.length === 0
        )
      assert.isTrue(yield* isDetermined("(1, 'a', 1), (2, 'b', 1), (2, 'c', 1)"))
      assert.isTrue(yield* isDetermined("(1, 'a', 1), (1, 'b', 3)"))
      assert.isTrue(yield* isDetermined("(1, 'a', 2), (1, 'b', 2)"))
      assert.isFalse(yield* isDetermined("(1, 'a', 1), (1, 'b', 1)"))
      assert.isFalse(yield* isDetermined("(1, 'a', 1), (1, 'b', 2)"))
      yield* run(merge("(1, 'new', 1), (2, 'b', 1), (3, 'c', 2)").sql)
      assert.deepStrictEqual(yield* run(render("SELECT k, v FROM t ORDER BY k")), [
        ["1", "new"],
        ["2", "b"]
      ])
      yield* run(merge("(1, 'x', 2)").sql)
      assert.deepStrictEqual(yield* run(render("SELECT k FROM t")), [["2"]])
    })
  )

  it.live("UPDATE and DELETE with and without other tables", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      yield* run(
        render("CREATE TABLE t AS SELECT column1 AS k, column2 AS v FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c'))")
      )
      const simple = parsed("Dml", "UPDATE t SET v = v || '!' WHERE k = 1")
      assert.deepStrictEqual(simple.update, {
        target: '"DB"."PUBLIC"."T" AS "T"',
        set: `"V" = ("V" || '!')`,
        where: '("K" = 1)'
      })
      const joined = parsed("Dml", "UPDATE t AS x SET v = s.w FROM (SELECT 2 AS k, 'w' AS w) AS s WHERE x.k = s.k")
      assert.isUndefined(joined.update)
      for (const { sql } of [
        simple,
        joined,
        parsed("Dml", "DELETE FROM t WHERE EXISTS (SELECT 1 FROM (SELECT 3 AS k) AS s WHERE s.k = t.k)")
      ]) {
        yield* run(sql)
      }
      assert.deepStrictEqual(yield* run(render("SELECT k, v FROM t ORDER BY k")), [
        ["1", "a!"],
        ["2", "w"]
      ])
    })
  )
})

describe("definitions", () => {
  it.live("create, alter and drop what they name", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      for (const sql of [
        "CREATE SCHEMA IF NOT EXISTS s",
        "CREATE TRANSIENT TABLE s.t (a NUMBER(10,0) NOT NULL COMMENT 'key', b VARCHAR) CLUSTER BY (a, b) DATA_RETENTION_TIME_IN_DAYS = 0 COMMENT = 'x'",
        "ALTER TABLE s.t ADD COLUMN c DATE",
        "ALTER TABLE s.t RENAME COLUMN c TO d",
        "ALTER TABLE s.t ALTER COLUMN a SET DATA TYPE NUMBER(12,0)",
        "ALTER TABLE s.t RENAME TO s.u",
        "CREATE OR REPLACE VIEW s.v AS SELECT a, d FROM s.u",
        "CREATE OR REPLACE TEMPORARY TABLE s.w (a DATE)",
        "INSERT INTO s.u SELECT 1, 'b', '2024-02-29'",
        "TRUNCATE TABLE s.u",
        "DROP VIEW s.v",
        "DROP TABLE IF EXISTS s.u",
        "DROP SCHEMA s CASCADE",
        "CREATE DATABASE d2",
        "CREATE TABLE d2.public.t (a DATE)",
        "DROP DATABASE d2"
      ]) {
        yield* run(render(sql))
      }
    })
  )

  it.live("a column keeps its type, or changes the precision of its NUMBER", () =>
    Effect.gen(function* () {
      const run = yield* openDuck
      yield* run(render("CREATE TABLE t (a NUMBER(10,0), b VARCHAR, c NUMBER(38,0))"))
      const retype = (change: string) => Effect.exit(run(render(`ALTER TABLE t ALTER COLUMN ${change}`)))
      for (const change of [
        "a TYPE NUMBER(19,0)",
        "a SET DATA TYPE NUMBER(38,0)",
        "b TYPE VARCHAR",
        "c TYPE NUMBER(12,0)"
      ]) {
        assert.strictEqual((yield* retype(change))._tag, "Success", change)
      }
      for (const change of ["a TYPE VARCHAR", "b TYPE NUMBER", "c TYPE NUMBER(12,2)"]) {
        assert.strictEqual((yield* retype(change))._tag, "Failure", change)
      }
    })
  )

  it("say what they are", () => {
    const {
      message,
      name: of,
      temporary,
      transient,
      clusterBy
    } = parsed("Ddl", "CREATE TRANSIENT TABLE x.t (a DATE) CLUSTER BY (a)")
    assert.deepStrictEqual(
      { message, of, temporary, transient, clusterBy },
      {
        message: "Table T successfully created.",
        of: name("T", "X"),
        temporary: false,
        transient: true,
        clusterBy: "(A)"
      }
    )
  })
})

describe("other statements", () => {
  it("COPY names its files and reads columns by their exact names", () => {
    const copy = parsed(
      "Copy",
      `COPY INTO raw (id, f, n, r) FROM (SELECT $1:"Order Id"::VARCHAR, METADATA$FILENAME, $1:_op::NUMBER(38,0), METADATA$FILE_ROW_NUMBER FROM @northstar.landing/data)
       FILES = ('a.parquet', 'b/c.parquet') FILE_FORMAT = (TYPE = PARQUET NULL_IF = ()) ON_ERROR = ABORT_STATEMENT FORCE = TRUE`
    )
    assert.deepStrictEqual(copy, {
      _tag: "Copy",
      target: name("RAW"),
      columns: ["ID", "F", "N", "R"],
      stage: name("LANDING", "NORTHSTAR"),
      path: "data/",
      select: [copy.select[0] ?? "", "{filename}", 'CAST("_op" AS HUGEINT)', "(file_row_number + 1)"],
      files: ["a.parquet", "b/c.parquet"],
      format: "PARQUET",
      onError: "ABORT_STATEMENT",
      force: true
    })
    assert.include(copy.select[0], 'CAST("Order Id" AS VARCHAR)')
  })

  it("transactions and sessions", () => {
    const verbs = ["BEGIN", "BEGIN TRANSACTION", "START TRANSACTION", "COMMIT WORK", "ROLLBACK;"]
    assert.deepStrictEqual(
      verbs.map((sql) => parsed("Transaction", sql).verb),
      ["BEGIN", "BEGIN", "BEGIN", "COMMIT", "ROLLBACK"]
    )
    assert.deepStrictEqual(
      [...parsed("Session", "USE SCHEMA a.b").set],
      [
        ["DATABASE", "A"],
        ["SCHEMA", "B"]
      ]
    )
    assert.deepStrictEqual([...parsed("Session", `USE ROLE "loader"`).set], [["ROLE", "loader"]])
    const set = parsed(
      "Session",
      "ALTER SESSION SET TIMEZONE = 'UTC' AUTOCOMMIT = TRUE, STATEMENT_TIMEOUT_IN_SECONDS = 60"
    )
    assert.deepStrictEqual(
      [...set.set],
      [
        ["TIMEZONE", "UTC"],
        ["AUTOCOMMIT", "TRUE"],
        ["STATEMENT_TIMEOUT_IN_SECONDS", "60"]
      ]
    )
  })

  it("the account's own are handed on as tokens", () => {
    for (const sql of [
      "CREATE ROLE r",
      "CREATE OR REPLACE WAREHOUSE w",
      "CREATE STAGE s URL = 's3://b/p/'",
      "ALTER WAREHOUSE w SUSPEND",
      "ALTER TABLE t CLUSTER BY (a)",
      "ALTER TABLE t MODIFY COLUMN a SET MASKING POLICY p",
      "GRANT SELECT ON TABLE t TO ROLE r",
      "DROP ROLE r",
      "SHOW TABLES IN SCHEMA s",
      "DESCRIBE TABLE t",
      "LIST @s/path/"
    ]) {
      assert.isAbove(parsed("Account", sql).tokens.length, 1)
    }
  })
})
