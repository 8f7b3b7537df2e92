import { Effect, Option, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import * as Column from "@northstar/core/Column"
import type { Reader } from "@northstar/core/Source"
import * as Table from "@northstar/core/Table"
import type { Block, TextColumn } from "../../src/landing/Block.ts"
import * as Postgres from "../../src/local/Postgres.ts"
import * as Connection from "../../src/postgres/Connection.ts"
import type { PostgresPosition } from "../../src/postgres/Position.ts"
import * as Source from "../../src/postgres/Source.ts"

export const orders = Table.make("orders", {
  key: ["id"],
  columns: { id: Column.int64, status: Column.text, note: Column.nullable(Column.text) }
})

export const lines = Table.make("lines", {
  key: ["order_id", "line"],
  columns: { order_id: Column.int64, line: Column.int32, amount: Column.decimal(12, 2) }
})

const setup = `
  create table public.orders (id bigint primary key, status text not null, note text);
  alter table public.orders alter column note set storage external;
  create table public.lines (order_id bigint, line int, amount numeric(12,2), primary key (order_id, line));
  create table public.unrelated (id int);
  create publication northstar for table public.orders, public.lines;`

/** A server with two published tables and a slot. */
export const start = Effect.fnUntraced(function* (options: Postgres.StartOptions = {}) {
  const server = yield* Postgres.start(options)
  const sql = yield* Connection.open({ url: server.url })
  yield* sql.query(setup)
  yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
  return { server, sql }
})

export const source = (url: string, more: Partial<Source.Options> = {}) =>
  Source.make({
    url,
    slot: "northstar",
    publication: "northstar",
    tables: [orders, lines],
    epoch: 1,
    ...more,
    limits: { lingerMs: 20, ...more.limits }
  })

/** One row as plain data. */
export interface Row {
  readonly table: string
  readonly op: number
  readonly position: bigint
  readonly ordinal: number
  readonly values: Readonly<Record<string, string | null>>
  readonly unchanged: string | null
  readonly movedFrom: string | null
}

export interface Read {
  readonly after: Option.Option<PostgresPosition>
  readonly through: PostgresPosition
  readonly rows: ReadonlyArray<Row>
  readonly chunks: number
  readonly completeThroughMs: Option.Option<number>
}

/** Pulls a batch's chunks. */
export const pull = (batch: Batch<Block, PostgresPosition>) =>
  Stream.runCollect(batch.chunks).pipe(
    Effect.map((chunks): Read => {
      const { after, through, completeThroughMs } = batch
      return {
        after,
        through,
        completeThroughMs,
        chunks: chunks.length,
        rows: chunks.flatMap((blocks) => rowsOf(blocks))
      }
    })
  )

/** Everything from `after` (or the slot's start) to the head. */
export const toHead = Effect.fnUntraced(function* (
  reader: Reader<Block, PostgresPosition>,
  after: Option.Option<PostgresPosition> = Option.none()
) {
  const through = yield* reader.head
  return yield* Stream.runCollect(Stream.mapEffect(reader.read({ after, through }), pull))
})

export const rows = (reads: ReadonlyArray<Read>): ReadonlyArray<Row> => reads.flatMap((read) => read.rows)

/** Rows of all blocks in version order. */
export const rowsOf = (blocks: ReadonlyArray<Block>): ReadonlyArray<Row> =>
  blocks
    .flatMap(blockRows)
    .toSorted((a, b) => (a.position === b.position ? a.ordinal - b.ordinal : a.position < b.position ? -1 : 1))

const blockRows = (block: Block): ReadonlyArray<Row> => {
  const columns = block.relation.columns.map((column) => column.name)
  const texts = block.columns.map((column) => textsOf(column))
  const unchanged = textsOf(block.unchanged)
  const movedFrom = textsOf(block.movedFrom)
  return Array.from({ length: block.rows }, (_, row) => ({
    table: block.relation.table,
    op: block.ops[row] ?? 0,
    position: block.positions[row] ?? 0n,
    ordinal: block.ordinals[row] ?? 0,
    values: Object.fromEntries(columns.map((name, column) => [name, texts[column]?.[row] ?? null])),
    unchanged: unchanged[row] ?? null,
    movedFrom: movedFrom[row] ?? null
  }))
}

/** Texts of a column, `null` where absent. */
const textsOf = (column: TextColumn): ReadonlyArray<string | null> => {
  const view = new DataView(column.bytes.buffer, column.bytes.byteOffset, column.bytes.byteLength)
  let at = 0
  return Array.from(column.present, (present) => {
    if (present === 0) return null
    const length = view.getUint32(at, true)
    const text = new TextDecoder().decode(column.bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
    return text
  })
}
