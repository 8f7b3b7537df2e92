import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Parquet from "../../src/landing/Parquet.ts"
import type { Segment } from "../../src/landing/Segment.ts"
import { snowflake as dialect } from "../../src/snowflake/SnowflakeDialect.ts"
import * as SnowflakeSegments from "../../src/snowflake/SnowflakeSegments.ts"
import type { Session } from "../../src/warehouse/Warehouse.ts"
import { block, relation, type TestRow } from "../landing/Blocks.ts"
import { account } from "./Fixture.ts"

/** A folder as the landing log's bucket, a stage over it, and a session. */
const landing = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-segments-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  const { session: open, local } = yield* account({ url: `file://${folder}/` })
  const write = Effect.fnUntraced(function* (
    path: string,
    columns: ReadonlyArray<string>,
    rows: ReadonlyArray<TestRow>
  ) {
    const shape = relation("public.orders", columns)
    const bytes = yield* Parquet.encode([block(shape, rows)])
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), bytes)
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const segment: Segment = {
      file: {
        path,
        table: shape.table,
        fingerprint: shape.fingerprint,
        rows: rows.length,
        bytes: bytes.length,
        sha256
      },
      columns: shape.columns,
      sequence: 1n,
      epoch: 1,
      revision: 0,
      writtenAtMs: 0,
      completeThroughMs: null
    }
    return segment
  })
  return { folder, local, write, session: yield* open() }
})

const options = { dialect, stage: "northstar.landing" }
const attach = (session: Session, segments: ReadonlyArray<Segment>) =>
  SnowflakeSegments.attach(session, options, "orders", segments)

describe("segments in the stage", () => {
  it.live("every text arrives as it was written, by relation, file and row", () =>
    Effect.gen(function* () {
      const { session, write, local } = yield* landing
      const texts = ["", "\\N", "NULL", "null", " padded ", "it's é 😀", '"quoted"', "12345678901234567890.10", null]
      const first = yield* write(
        "s/data/1/a.parquet",
        ["id", "Note"],
        texts.map((text, index) => ({ position: 9_007_199_254_740_993n, ordinal: index, values: [`${index}`, text] }))
      )
      const second = yield* write(
        "s/data/1/b.parquet",
        ["id", "note", "extra col"],
        [
          {
            op: 2,
            committedAtUs: 1_700_000_000_123_456n,
            unchanged: '["note"]',
            flagged: "why",
            values: ["9", "n", "x"]
          }
        ]
      )
      yield* Effect.scoped(
        Effect.gen(function* () {
          const attached = yield* attach(session, [first, second])
          const [a, b] = [dialect.segments(attached.slice(0, 1)), dialect.segments(attached.slice(1))]
          const note = dialect.id("Note")
          const rows = yield* session.query(
            `SELECT ${note} AS t, CAST(_position AS VARCHAR) AS p FROM ${a} ORDER BY _ordinal`
          )
          assert.deepStrictEqual(
            rows.map(({ t }) => t),
            texts
          )
          assert.deepStrictEqual(new Set(rows.map(({ p }) => p)), new Set(["9007199254740993"]))
          assert.deepStrictEqual(
            yield* session.query(
              `SELECT _op AS o, _committed_at AS c, _unchanged AS u, _flagged AS f, ${dialect.id("extra col")} AS e FROM ${b}`
            ),
            [{ o: "2", c: "1700000000123456", u: '["note"]', f: "why", e: "x" }]
          )
          const numbers = yield* session.query(`SELECT count(DISTINCT ${dialect.rowNumber}) AS n FROM ${a}`)
          assert.deepStrictEqual(numbers, [{ n: String(texts.length) }])
          const both = yield* session.query(
            `SELECT f._segment AS s, max(${dialect.rowNumber}) - min(${dialect.rowNumber}) + 1 AS n FROM ${dialect.segments(attached)} GROUP BY 1 ORDER BY 1`
          )
          assert.deepStrictEqual(both, [
            { s: first.file.path, n: String(texts.length) },
            { s: second.file.path, n: "1" }
          ])
        })
      )
      assert.isTrue(local.history().some(({ text }) => text.startsWith("DROP TABLE")))
    })
  )

  it.live("a column that was renamed in its case alone is one column of the raw table", () =>
    Effect.gen(function* () {
      const { session, write } = yield* landing
      const before = yield* write("s/data/1/a.parquet", ["id", "sku", "order"], [{ values: ["1", "a", "x"] }])
      const after = yield* write("s/data/1/b.parquet", ["id", "SKU", "ORDER"], [{ values: ["2", "b", "y"] }])
      const attached = yield* attach(session, [before, after])
      const [sku, order] = [dialect.id("SKU"), dialect.id("ORDER")]
      const found = yield* session.query(
        `SELECT id AS i, ${sku} AS s, ${order} AS o FROM ${dialect.segments(attached)} ORDER BY 1`
      )
      assert.deepStrictEqual(found, [
        { i: "1", s: "a", o: "x" },
        { i: "2", s: "b", o: "y" }
      ])
    })
  )

  it.live("attaching the same files again loads them again: load metadata does not decide", () =>
    Effect.gen(function* () {
      const { session, write } = yield* landing
      const segment = yield* write("s/data/1/a.parquet", ["id"], [{ values: ["1"] }])
      for (let time = 0; time < 2; time++) yield* Effect.scoped(attach(session, [segment]))
      const both = yield* Effect.all([attach(session, [segment]), attach(session, [segment])])
      assert.notStrictEqual(both[0][0]?.file, both[1][0]?.file)
      assert.deepStrictEqual(yield* attach(session, []), [])
    })
  )

  it.live("a file with other rows than the log recorded is InvalidData, and so is a missing one", () =>
    Effect.gen(function* () {
      const { session, write, folder } = yield* landing
      const segment = yield* write("s/data/1/a.parquet", ["id"], [{ values: ["1"] }])
      const wrong = { ...segment, file: { ...segment.file, rows: 2 } }
      const error = yield* Effect.flip(attach(session, [wrong]))
      assert.strictEqual(error.reason._tag, "InvalidData")
      assert.match(error.detail, /s\/data\/1\/a.parquet: 1 rows loaded of 2/)
      rmSync(join(folder, segment.file.path))
      const missing = yield* Effect.flip(attach(session, [segment]))
      assert.strictEqual(missing.reason._tag, "InvalidData")
      assert.match(missing.detail, /not in the stage/)
    })
  )

  it.live("a lost answer to COPY loads once", () =>
    Effect.gen(function* () {
      const { session, write, local } = yield* landing
      const segment = yield* write("s/data/1/a.parquet", ["id"], [{ values: ["1"] }])
      local.faults.add({ kind: "status", when: "after", status: 400, matches: /^COPY/, times: 2 })
      const attached = (yield* attach(session, [segment])).at(0)!
      assert.deepStrictEqual(yield* session.query(`SELECT count(*) AS n FROM ${dialect.segments([attached])}`), [
        { n: "1" }
      ])
    })
  )
})
