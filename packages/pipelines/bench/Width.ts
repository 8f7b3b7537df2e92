/**
 * `node --conditions=northstar-source packages/pipelines/bench/Width.ts`: what capture costs by the width of rows. Reads a
 * slot into guarded, encoded segments (not stored), and for comparison only decodes it. Prints the table of docs/scale.md.
 */
import * as ProtectedRows from "@northstar/connectors/cards/ProtectedRows"
import * as Parquet from "@northstar/connectors/landing/Parquet"
import * as LocalPostgres from "@northstar/connectors/local/Postgres"
import * as Connection from "@northstar/connectors/postgres/Connection"
import * as Source from "@northstar/connectors/postgres/Source"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Console, Effect, Option, Stream } from "effect"
import { cost, median } from "./Measure.ts"

/** Bytes of a row's text, and rows of the backlog. */
const widths = [
  { bytes: 150, rows: 200_000 },
  { bytes: 2600, rows: 30_000 },
  { bytes: 26_000, rows: 4000 }
]
const rounds = 3

const table = Table.make("wide", { key: ["id"], columns: { id: Column.int64, body: Column.text } })
const protect = ProtectedRows.protector([table], Option.none(), "tokenise")

const setUp = `
  create table public.wide (id bigint primary key, body text);
  alter table public.wide alter body set storage external;
  create publication northstar for table public.wide`

/** A row as the JSON of an order with its lines is: 8 of 100 bytes are its own. */
const insert = (from: number, through: number, bytes: number) => `
  insert into public.wide select r, left(string_agg('{"sku":"' || left(md5((r * 977 + n)::text), 8) ||
    '","quantity":1,"status":"placed","warehouse":"north","currency":"EUR","price_minor":1999}', ','), ${bytes})
  from generate_series(${from}, ${through}) r, generate_series(1, ${Math.ceil(bytes / 95)}) n group by r`

const measure = Effect.fnUntraced(function* ({ bytes, rows }: (typeof widths)[number]) {
  const server = yield* LocalPostgres.start()
  const sql = yield* Connection.open({ url: server.url, statementTimeout: "10 minutes" })
  yield* sql.query(setUp)
  yield* sql.query("select pg_create_logical_replication_slot('northstar', 'pgoutput')")
  for (let from = 1; from <= rows; from += 2000) {
    yield* sql.query(insert(from, Math.min(rows, from + 1999), bytes))
  }
  let encodedBytes = 0
  const read = (isEncoded: boolean) =>
    Effect.gen(function* () {
      const options = { url: server.url, slot: "northstar", publication: "northstar", tables: [table], epoch: 1 }
      const reader = yield* Source.make(options).open
      const through = yield* reader.head
      encodedBytes = 0
      yield* reader.read({ after: Option.none(), through }).pipe(
        Stream.flatMap((batch) => batch.chunks),
        Stream.runForEach((blocks) =>
          Effect.forEach(isEncoded ? blocks : [], (block) =>
            Effect.map(Parquet.encode([protect(block).block]), (segment) => {
              encodedBytes += segment.length
            })
          )
        )
      )
      return rows
    }).pipe(Effect.scoped, cost)
  const decoded = yield* Effect.all(Array.from({ length: rounds }, () => read(false)))
  const encoded = yield* Effect.all(Array.from({ length: rounds }, () => read(true)))
  const rate = (costs: typeof decoded) => Math.round(median(costs.map(({ seconds }) => (rows * bytes) / seconds / 1e6)))
  const perByte = (costs: typeof decoded) => median(costs.map(({ cpuMicros }) => (cpuMicros * 1000) / bytes)).toFixed(1)
  yield* Console.log(
    `| ${bytes} | ${rate(decoded)} | ${rate(encoded)} | ${median(encoded.map(({ cpuMicros }) => cpuMicros)).toFixed(1)} | ` +
      `${perByte(decoded)} | ${perByte(encoded)} | ${((rows * bytes) / encodedBytes).toFixed(1)} | ${Math.round(Math.max(...encoded.map(({ rssMb }) => rssMb)))} |`
  )
}, Effect.scoped)

void Effect.runPromise(
  Console.log(
    "| bytes a row | decoded, MB/s | into segments, MB/s | CPU into segments, µs a change | CPU of decoding alone, ns a byte | into segments, ns a byte | compression | RSS, MB |\n|---|---|---|---|---|---|---|---|"
  ).pipe(Effect.andThen(Effect.forEach(widths, measure, { discard: true })))
)
