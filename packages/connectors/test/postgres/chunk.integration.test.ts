import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Block, Relation } from "../../src/landing/Block.ts"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Chunk from "../../src/postgres/Chunk.ts"
import * as Connection from "../../src/postgres/Connection.ts"

const relation = (table: string, columns: ReadonlyArray<string>, key: ReadonlyArray<string>): Relation => ({
  table,
  columns: columns.map((name) => ({ name, type: "text", key: key.includes(name) })),
  fingerprint: "f"
})
const notes: Chunk.Target = {
  relation: relation("public.notes", ["body", "name", "no"], ["name", "no"]),
  key: ["name", "no"]
}

/** Names whose order differs between bytes and the collation `und`. */
const setup = `
  CREATE TABLE public.notes (body text, no int, name text COLLATE "und-x-icu", PRIMARY KEY (name, no));
  INSERT INTO public.notes SELECT CASE WHEN n % 3 > 0 THEN repeat('é', n) END, n, (ARRAY['a', 'B', 'c''\\', 'Ä', ''])[1 + n % 5]
  FROM generate_series(1, 23) n`

const open = Effect.gen(function* () {
  const server = yield* Postgres.start()
  const connection = yield* Connection.open({ url: server.url })
  yield* connection.query(setup)
  return { server, connection }
})

/** Rows of a block as texts. */
const rows = (block: Block): ReadonlyArray<ReadonlyArray<string | null>> => {
  const columns = block.columns.map(({ bytes, present }) => {
    let at = 0
    return Array.from(present, (one) => {
      if (one === 0) return null
      const length = Buffer.from(bytes).readUInt32LE(at)
      at += 4 + length
      return Buffer.from(bytes).toString("utf8", at - length, at)
    })
  })
  return Array.from({ length: block.rows }, (_, row) => columns.map((column) => column[row] ?? null))
}

const readAll = Effect.fnUntraced(function* (
  connection: Connection.Connection,
  limits: { readonly rows: number; readonly bytesMax: number }
) {
  const chunks: Array<Chunk.Chunk> = []
  for (let after: ReadonlyArray<string> | null = null; chunks.length < 100;) {
    const chunk: Chunk.Chunk = yield* Chunk.readChunk(connection, notes, after, limits)
    chunks.push(chunk)
    if (chunk.done) break
    after = chunk.last
  }
  return chunks
})

describe("chunks", () => {
  it.live("chunks of any size hold every row once, in the source's own key order", () =>
    Effect.gen(function* () {
      const { connection } = yield* open
      const expected = yield* connection.query("SELECT body, name, no FROM public.notes ORDER BY name, no")
      for (const limits of [
        { rows: 1, bytesMax: 1e6 },
        { rows: 5, bytesMax: 1e6 },
        { rows: 23, bytesMax: 1e6 },
        { rows: 100, bytesMax: 1e6 },
        { rows: 100, bytesMax: 60 },
        { rows: 7, bytesMax: 1 }
      ]) {
        const chunks = yield* readAll(connection, limits)
        expect({ limits, rows: chunks.flatMap((chunk) => rows(chunk.block)) }).toEqual({ limits, rows: expected })
        expect(chunks.every((chunk) => chunk.block.rows <= limits.rows)).toBe(true)
      }
    })
  )

  it.live("a chunk's snapshot and rows see the same transactions", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* open
      const writer = yield* Connection.open({ url: server.url })
      yield* writer.query("BEGIN; INSERT INTO public.notes VALUES ('late', 0, '')")
      const xid = BigInt((yield* writer.query("SELECT pg_current_xact_id()"))[0]?.[0] ?? 0)
      const limits = { rows: 1000, bytesMax: 1e6 }
      const during = yield* Chunk.readChunk(connection, notes, null, limits)
      yield* writer.query("COMMIT")
      const after = yield* Chunk.readChunk(connection, notes, null, limits)
      const sees = ({ snapshot }: Chunk.Chunk) => xid < snapshot.xmax && !snapshot.xip.has(xid)
      expect([sees(during), sees(after)]).toEqual([false, true])
      expect([during.block.rows, after.block.rows]).toEqual([23, 24])
      expect(after.snapshot.xmin > xid && after.snapshot.xip.size === 0).toBe(true)
      expect(after.readAtUs > during.readAtUs).toBe(true)
      expect([...after.block.committedAtUs].every((time) => time === after.readAtUs)).toBe(true)
    })
  )

  it.live("an empty range is done and has no last key; the session stays usable after a failure", () =>
    Effect.gen(function* () {
      const { connection } = yield* open
      const limits = { rows: 10, bytesMax: 1e6 }
      const chunk = yield* Chunk.readChunk(connection, notes, ["zzz", "0"], limits)
      expect(chunk).toMatchObject({ done: true, last: null, block: { rows: 0 } })
      const gone = { ...notes, relation: relation("public.gone", ["name", "no"], notes.key) }
      expect((yield* Effect.flip(Chunk.readChunk(connection, gone, null, limits))).reason._tag).toBe("Misconfigured")
      expect((yield* Chunk.readChunk(connection, notes, null, limits)).block.rows).toBe(10)
    })
  )

  it.live("waits only briefly for DDL, and refuses to read less than all rows", () =>
    Effect.gen(function* () {
      const { connection, server } = yield* open
      const limits = { rows: 10, bytesMax: 1e6 }
      const owner = yield* Connection.open({ url: server.url })
      yield* owner.query("BEGIN; LOCK TABLE public.notes IN ACCESS EXCLUSIVE MODE")
      expect((yield* Effect.flip(Chunk.readChunk(connection, notes, null, limits))).reason._tag).toBe("Unavailable")
      yield* owner.query("ROLLBACK")
      yield* owner.query(`
        ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON public.notes USING (no < 3);
        CREATE ROLE capture LOGIN PASSWORD 'x'; GRANT SELECT ON public.notes TO capture`)
      const capture = yield* Connection.open({ url: server.url.replace(/\/\/[^@]*/, "//capture:x") })
      expect((yield* Effect.flip(Chunk.readChunk(capture, notes, null, limits))).reason._tag).toBe("Unauthorized")
    })
  )
})
