import * as CardGuard from "@northstar/connectors/cards/CardGuard"
import { opUpsert } from "@northstar/connectors/landing/Block"
import { BlockBuilder, relation } from "@northstar/connectors/landing/BlockBuilder"
import * as LandingLog from "@northstar/connectors/landing/LandingLog"
import * as Services from "@northstar/connectors/project/Services"
import * as WarehouseSink from "@northstar/connectors/warehouse/WarehouseSink"
import * as Batch from "@northstar/core/Batch"
import { sequence } from "@northstar/core/Position"
import type { Table } from "@northstar/core/Table"
import { Effect, Option, Stream } from "effect"
import { orderLines, orders } from "../src/Tables.ts"
import { firstOrder, linesPerOrder } from "./Backlog.ts"
import { type Cost, cost } from "./Measure.ts"
import { shop } from "./Subject.ts"

/** Changes of a batch, and how many batches are published after one another. */
const batchRows = 100_000
const batches = 5
/** WAL positions of these changes: behind all that the warehouse was filled with. */
const firstPosition = 1_000_000_000n

/** What each batch of recent inserts took to publish, per table. */
export const measure = (folder: string) =>
  Effect.gen(function* () {
    const lines = yield* table(orderLines, "publish-lines", lineTexts)
    const ordersTook = yield* table(orders, "publish-orders", orderTexts)
    return { order_lines: lines, orders: ordersTook }
  }).pipe(Effect.scoped, Effect.provide(Services.layer(shop("", folder).project)))

const table = Effect.fnUntraced(function* (
  of: Table,
  stream: string,
  texts: (row: number) => ReadonlyArray<string | null>
) {
  const key = { pipeline: stream, stream: "main" }
  const log = yield* LandingLog.sink({ stream, revision: 1 }).open(key, sequence("bench/batch"))
  const reader = yield* LandingLog.source({ stream }).open
  const writer = yield* WarehouseSink.make({ tables: [of] }).open(key, LandingLog.position)
  const protect = yield* CardGuard.protector({ tables: [of], keys: Effect.succeedNone, policy: "tokenise" })
  const took: Array<Cost> = []
  for (let index = 0n; index < BigInt(batches); index++) {
    const after = index === 0n ? Option.none<bigint>() : Option.some(index)
    yield* log.commit(Batch.make({ after, through: index + 1n }, [protect(block(of, Number(index), texts)).block]))
    const found = yield* Stream.runCollect(reader.read({ after, through: Option.some(index + 1n) }))
    const publish = Effect.forEach(found, (batch) => writer.commit(batch))
    took.push(yield* cost(Effect.map(publish, (receipts) => receipts.reduce((sum, { rows }) => sum + rows, 0))))
  }
  return took
})

/** One batch of inserts as capture lays it out. */
const block = (of: Table, batch: number, texts: (row: number) => ReadonlyArray<string | null>) => {
  const types = { int64: "bigint", int32: "integer", timestamptz: "timestamp with time zone" } as const
  const shape = relation(
    of.source,
    Object.entries(of.columns).map(
      ([
        name,
        {
          type: { kind }
        }
      ]) => {
        return { name, type: kind in types ? types[kind as keyof typeof types] : "text", key: of.key.includes(name) }
      }
    )
  )
  const builder = new BlockBuilder(shape)
  const utf8 = new TextEncoder()
  for (let row = 0; row < batchRows; row++) {
    builder.begin(opUpsert, firstPosition + BigInt(batch), row, 1_790_000_000_000_000n + BigInt(batch) * 1_000_000n)
    for (const [column, text] of texts(batch * batchRows + row).entries()) {
      if (text === null) continue
      const bytes = utf8.encode(text)
      builder.value(column, bytes, 0, bytes.length)
    }
  }
  return builder.finish()
}

const at = "2026-09-21 13:20:00.123456+00"

const lineTexts = (row: number): ReadonlyArray<string> => {
  const order = firstOrder + Math.floor(row / linesPerOrder)
  const line = 1 + (row % linesPerOrder)
  const quantity = 1 + ((order + line) % 12)
  const price = 25 + ((order * 31 + line * 17) % 5000)
  return [
    order,
    line,
    `${10_000 + ((order * 7 + line * 131) % 80_000)}A`,
    quantity,
    price,
    quantity * price,
    "GBP",
    "placed",
    at,
    at
  ].map(String)
}

const orderTexts = (row: number): ReadonlyArray<string | null> => {
  const order = firstOrder + row
  return [
    `${order}`,
    `N${order}`,
    "sale",
    null,
    `${12_000 + (order % 6000)}`,
    "United Kingdom",
    "placed",
    "GBP",
    `${100 + (order % 50_000)}`,
    at,
    at,
    null
  ]
}
