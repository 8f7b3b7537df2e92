import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect, server } from "./Driver.ts"

/** A folder with `a.parquet` (K 0 to 2) and `b.parquet` (K 10 to 12), gone after the test. */
const files = Effect.acquireRelease(
  Effect.promise(async () => {
    const folder = await mkdtemp(join(tmpdir(), "northstar-stage-"))
    const connection = await (await DuckDBInstance.create(":memory:")).connect()
    for (const [file, first] of [
      ["a", 0],
      ["b", 10]
    ] as const) {
      await connection.run(
        `COPY (SELECT ${first} + range AS k FROM range(3)) TO '${folder}/${file}.parquet' (FORMAT parquet)`
      )
    }
    connection.closeSync()
    return folder
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

const prepared = Effect.gen(function* () {
  const local = yield* server()
  const client = yield* connect(local)
  yield* client.rows(`CREATE STAGE LANDING URL = 'file://${yield* files}/' FILE_FORMAT = (TYPE = PARQUET)`)
  yield* client.rows("CREATE TRANSIENT TABLE T (K NUMBER(38,0))")
  return { local, client }
})

const copy = (...names: ReadonlyArray<string>) =>
  `COPY INTO T (K) FROM (SELECT $1:k::NUMBER(38,0) FROM @LANDING) FILES = (${names.map((name) => `'${name}'`).join(", ")}) FILE_FORMAT = (TYPE = PARQUET NULL_IF = ()) ON_ERROR = ABORT_STATEMENT`

const count = "SELECT COUNT(*) AS N FROM T"

describe("COPY", () => {
  it.live("loads the named files, says how many rows of each, and skips them the next time", () =>
    Effect.gen(function* () {
      const { client } = yield* prepared
      const loaded = yield* client.rows(copy("a.parquet", "b.parquet"))
      expect(loaded.map(({ status, rows_loaded }) => [status, rows_loaded])).toStrictEqual([
        ["LOADED", "3"],
        ["LOADED", "3"]
      ])
      expect(yield* client.rows(copy("a.parquet"))).toStrictEqual([{ status: "Copy executed with 0 files processed." }])
      expect(yield* client.rows(count)).toStrictEqual([{ N: "6" }])
    }).pipe(Effect.scoped)
  )

  it.live("belongs to the open transaction, and a missing file undoes it alone", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      const other = yield* connect(local)
      yield* client.rows("BEGIN")
      yield* client.change("INSERT INTO T VALUES (99)")
      expect(yield* client.code(copy("a.parquet", "none.parquet"))).toBe("091016")
      yield* client.rows(copy("a.parquet"))
      expect(yield* client.rows(count)).toStrictEqual([{ N: "4" }])
      expect(yield* other.rows(count)).toStrictEqual([{ N: "0" }])
      yield* client.rows("COMMIT")
      expect(yield* other.rows(count)).toStrictEqual([{ N: "4" }])
    }).pipe(Effect.scoped)
  )

  it.live("temporary tables of one name are each session's own, and no other's commits disturb them", () =>
    Effect.gen(function* () {
      const { local, client } = yield* prepared
      const other = yield* connect(local)
      for (const session of [client, other]) yield* session.rows("CREATE TEMPORARY TABLE S (K NUMBER(38,0))")
      yield* client.rows("BEGIN")
      yield* client.change("INSERT INTO T SELECT COUNT(*) FROM S")
      yield* other.change("INSERT INTO S VALUES (1), (2)")
      expect(yield* client.rows("SELECT COUNT(*) AS N FROM S")).toStrictEqual([{ N: "0" }])
      expect(yield* other.rows("SELECT COUNT(*) AS N FROM S")).toStrictEqual([{ N: "2" }])
      yield* client.rows("COMMIT")
    }).pipe(Effect.scoped)
  )
})
