import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { duckdb } from "../../src/duckdb/DuckDbDialect.ts"
import type { Segment } from "../../src/landing/Segment.ts"
import { snowflake as snowflakeDialect } from "../../src/snowflake/SnowflakeDialect.ts"
import { make as makeModel } from "../../src/warehouse/Model.ts"
import { alike, stageQuery } from "../../src/warehouse/Stage.ts"
import type { AttachedSegment } from "../../src/warehouse/Warehouse.ts"
import { changesOf } from "./Changes.ts"
import { shared } from "./SnowflakeSubject.ts"
import { fresh, scene } from "./Subject.ts"

const root = mkdtempSync(join(tmpdir(), "northstar-warehouse-stage-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const orders = Table.make("orders", {
  columns: { id: Column.int64, amount: Column.int32, note: Column.nullable(Column.text) },
  key: ["id"]
})
const { put } = changesOf("orders")
const snowflake = shared()

/** Three segments, two of which read alike; in each a row is set aside whose place in its file is none of the others'. */
const program = Effect.gen(function* () {
  const { load, query, segment } = yield* scene([orders])
  const good = (at: number) => put(at, { id: `${at}`, amount: `${at}`, note: null })
  const bad = (at: number) => put(at, { id: `${at}`, amount: "x", note: `bad ${at}` })
  const wider = { columns: ["note", "extra", "amount", "id"] }
  const segments: ReadonlyArray<Segment> = [
    yield* segment(orders, [bad(1), good(2), good(3)]),
    yield* segment(orders, [good(4), good(5), bad(6)], wider),
    yield* segment(orders, [good(7), bad(8)])
  ]
  yield* load(segments.map((found, index) => ({ ...found, writtenAtMs: 1_700_000_000_001 + index })))
  const aside = yield* query(
    "SELECT row_key AS k, segment AS s, source_values AS v FROM northstar.quarantine ORDER BY 1"
  )
  return {
    paths: segments.map(({ file }) => file.path),
    rows: yield* query(
      "SELECT CAST(id AS VARCHAR) AS id, CAST(amount AS VARCHAR) AS amount FROM curated.orders ORDER BY 1"
    ),
    aside: aside.map(({ k, s, v }) => ({ k, s, note: (JSON.parse(String(v)) as { note: string }).note })),
    ingested: yield* query("SELECT CAST(id AS VARCHAR) AS id, _ingested_at AS t FROM curated.orders ORDER BY 1")
  }
})

/** What is wrong is found by its place, so that places that are not a file's own would name other rows' values. */
const check = Effect.gen(function* () {
  const { aside, ingested, paths, rows } = yield* program
  assert.deepStrictEqual(
    rows,
    ["2", "3", "4", "5", "7"].map((id) => ({ id, amount: id }))
  )
  assert.deepStrictEqual(aside, [
    { k: '["1"]', s: paths[0], note: "bad 1" },
    { k: '["6"]', s: paths[1], note: "bad 6" },
    { k: '["8"]', s: paths[2], note: "bad 8" }
  ])
  const millis = ingested.map(({ t }) => /\.(\d{3})/.exec(String(t))?.[1])
  assert.deepStrictEqual(millis, ["001", "001", "002", "002", "003"])
})

layer(fresh([orders], root))("the stage in DuckDB", (it) => {
  it.effect("a row's segment, its place in it and when it was landed are its own", () => check)
})

const partition = join(root, "note=live")
mkdirSync(partition)
layer(fresh([orders], partition))("the stage in DuckDB, below a path like a partition's", (it) => {
  it.effect("V1 lossless: values come from the file, never from its path", () => check)
})

layer(snowflake.fresh([orders], root), { timeout: 60_000 })("the stage in Snowflake", (it) => {
  it.effect(
    "a row's segment, its place in it and when it was landed are its own; segments that read alike share a statement",
    Effect.fnUntraced(function* () {
      const { history } = yield* snowflake.server
      const before = history().length
      yield* check
      const filled = history()
        .slice(before)
        .filter(({ text }) => text.startsWith("INSERT INTO stage_orders"))
      assert.strictEqual(filled.length, 2)
    })
  )
})

describe("segments that read alike", () => {
  const segments = Array.from({ length: 2_500 }, (_, index): AttachedSegment => {
    const at = String(index).padStart(20, "0")
    const path = `northstar-retail/shop/data/${at}-6f9619ff-8b86-4011-b42d-00c04fc964ff/0-public_orders.parquet`
    const columns = ["id", "amount", "note"].map((name) => ({ name, type: "text", key: name === "id" }))
    const file = { path, table: "public.orders", fingerprint: "f".repeat(32), rows: 1, bytes: 1, sha256: "0" }
    return {
      file: `northstar.raw_orders_1|some/prefix/${path}`,
      segment: {
        file,
        columns,
        sequence: BigInt(index),
        epoch: 1,
        revision: 1,
        writtenAtMs: 1_700_000_000_000 + index,
        completeThroughMs: null
      }
    }
  })

  it("take far less than a megabyte of SQL by the thousand: their list, and once what to do with a row", () => {
    const sizes = [snowflakeDialect, duckdb].map((of) => {
      const query = (count: number) =>
        stageQuery(of, makeModel(of, orders), alike(segments.slice(0, count)).at(0)!).length
      return [query(1_000), query(2) - query(1)] as const
    })
    for (const [ofThousand, ofOneMore] of sizes) {
      assert.isBelow(ofThousand, 450_000)
      assert.isBelow(ofOneMore, 450)
    }
    assert.isBelow(sizes.at(0)!.at(0)!, 300_000, "Snowflake, whose limit is a megabyte")
  })

  it("are of one relation, epoch and revision, and at most a thousand", () => {
    const first = segments.at(0)!
    const other = { ...first, segment: { ...first.segment, epoch: 2 } }
    assert.deepStrictEqual(
      alike([...segments.slice(1), other, first]).map(({ length }) => length),
      [1_000, 1_000, 500, 1]
    )
  })
})
