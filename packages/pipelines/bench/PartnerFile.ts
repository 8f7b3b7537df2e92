import * as Ingest from "@northstar/connectors/project/Ingest"
import { Csv, more } from "@northstar/connectors/files/Csv"
import { relation } from "@northstar/connectors/files/Header"
import { Reading } from "@northstar/connectors/files/Reading"
import { DuckDBInstance } from "@duckdb/node-api"
import { Effect } from "effect"
import { createReadStream, createWriteStream, mkdirSync, utimesSync } from "node:fs"
import { dirname, join } from "node:path"
import { once } from "node:events"
import * as Partners from "../src/Partners.ts"
import * as Check from "./Check.ts"
import type { Line } from "./Line.ts"
import { rssMax } from "./Memory.ts"
import { type Cost, inWords } from "./Measure.ts"
import { say } from "./Report.ts"
import * as Runner from "./Runner.ts"
import { partner } from "./Subject.ts"
import type { Measurement } from "./Worker.ts"

const [contract] = Partners.all
const header =
  "Shipment No,Your Order,Carrier,Service,Tracking No,Status,Parcels,Weight (kg),Cost (p),Handed Over,Last Update"
const rowsPerWrite = 10_000
const readBytes = 1 << 18

/** What the file holds. */
interface Contents {
  readonly file: string
  readonly bytes: number
  /** Count, and sums of parcels and cost. */
  readonly sums: ReadonlyArray<string>
}

/** Fleetfoot's shipments of a file of about `megabytes` MB, as Fleetfoot writes them: quotes where they are needed, London's clock. */
const write = (folder: string, megabytes: number): Effect.Effect<Contents> =>
  Effect.promise(async () => {
    const file = join(folder, "drop", contract.keys.prefix, "shipments_20260921.csv")
    mkdirSync(dirname(file), { recursive: true })
    const out = createWriteStream(file)
    const sums = { rows: 0, parcels: 0, cost: 0 }
    let bytes = 0
    let text = `${header}\r\n`
    while (bytes < megabytes * 1e6) {
      for (let index = 0; index < rowsPerWrite; index++) {
        const row = sums.rows++
        const parcels = 1 + (row % 3)
        const cost = 395 + (row % 1000)
        sums.parcels += parcels
        sums.cost += cost
        text += `FF${536_000 + row}-1,${536_000 + row},DPD,${services[row % 3]},FF${10_000_000 + row}GB,DELIVERED,${parcels},${(0.2 + (row % 900) / 100).toFixed(3)},${cost},`
        text += `${day(row)}/09/2026 ${clock(row)},${day(row)}/09/2026 ${clock(row + 120)}:${two(row % 60)}\r\n`
      }
      bytes += Buffer.byteLength(text)
      if (!out.write(text)) await once(out, "drain")
      text = ""
    }
    out.end()
    await once(out, "close")
    // What changed a moment ago is left alone: somebody may still write it.
    const before = new Date("2026-09-22T06:00:00Z")
    utimesSync(file, before, before)
    return { file, bytes, sums: [sums.rows, sums.parcels, sums.cost].map(String) }
  })

const services = ["Standard", `"Next Day, before 12"`, `"""Fragile"" care"`]
const two = (number: number): string => String(number).padStart(2, "0")
const day = (row: number): string => two(1 + (row % 20))
const clock = (row: number): string => `${two(7 + (Math.floor(row / 60) % 12))}:${two(row % 60)}`

/** A partner's file to curated beside DuckDB reading it into a table; and finding its rows and values alone. */
export const run = Effect.fnUntraced(function* (folder: string, megabytes: number) {
  const runner = { url: "", folder }
  yield* say(`csv: writing ${megabytes} MB`)
  const { bytes, file, sums } = yield* write(Runner.template(runner), megabytes)
  const rows = Number(sums[0])
  const options = { folder: Runner.template(runner), file, changes: rows }
  const measure = (what: Measurement) => Effect.map(Runner.run(runner, what, options), (cost) => cost as Cost)
  const table = yield* measure("csv-duckdb")
  const ingest = yield* measure("csv-ingest")
  yield* Check.withSession(partner(options.folder), (session) =>
    Effect.gen(function* () {
      for (const table of ["fct_shipment", "fct_shipment__history"]) {
        const [found] = yield* session.query(
          `SELECT count(*)::VARCHAR, sum(parcel_count)::VARCHAR, sum(cost_minor)::VARCHAR FROM curated.${table}`
        )
        yield* Check.same(`curated ${table}`, Object.values(found ?? {}), sums)
      }
    })
  )
  const ofParts: Array<Line> = []
  const scan = yield* measure("csv-scan")
  const scanAlone = yield* measure("csv-scan-alone")
  const speed = ({ seconds }: Cost) => `${(bytes / seconds / 1e6).toFixed(0)} MB/s`
  for (const what of ["csv-rows", "csv-blocks"] as const) {
    const cost = yield* measure(what)
    yield* Check.same(`${what}: rows`, cost.changes, rows)
    ofParts.push({
      what: what === "csv-rows" ? "its rows and fields found" : "its values in blocks, as they land",
      measured: `${speed(cost)} on one thread`,
      baseline: `read_csv as text: ${speed(scan)}, on one thread ${speed(scanAlone)}`,
      ratio: scan.seconds / cost.seconds,
      asked: undefined
    })
  }
  const mb = `${(bytes / 1e6).toFixed(0)} MB`
  return [
    {
      what: `partner file of ${mb}, ${rows} rows, to curated`,
      measured: inWords([ingest]),
      baseline: `DuckDB into a table: ${inWords([table])}`,
      ratio: table.seconds / ingest.seconds,
      asked: { atLeast: 0.5 }
    },
    ...ofParts,
    {
      what: `resident memory: partner file of ${mb}`,
      measured: inWords([ingest]),
      baseline: `${rssMax} MB`,
      ratio: ingest.rssMb / rssMax,
      asked: { atMost: 1 }
    }
  ] satisfies ReadonlyArray<Line>
})

/** The whole way: found, read, landed, loaded. */
export const ingest = (folder: string) =>
  Effect.map(Ingest.ingest(partner(folder), { untilCaughtUp: true }), ({ sources }) => sources[0]?.captured.rows ?? 0)

/** DuckDB reads the file into a table of a file of its own, typed as the contract says. */
export const duckdb = (folder: string, file: string) =>
  inDuckDb(join(folder, "plain.duckdb"), undefined, [
    `CREATE TABLE shipments AS SELECT "Shipment No" AS shipment_id, "Your Order" AS order_number, "Carrier" AS carrier, "Service" AS service, "Tracking No" AS tracking_number,
      "Status" AS status, "Parcels"::INTEGER AS parcel_count, "Weight (kg)"::DECIMAL(9,3) AS weight_kg, "Cost (p)"::BIGINT AS cost_minor,
      timezone('Europe/London', strptime("Handed Over", '%d/%m/%Y %H:%M')) AS handed_over_at, timezone('Europe/London', strptime("Last Update", '%d/%m/%Y %H:%M:%S')) AS updated_at
      FROM read_csv('${file}', header = true, all_varchar = true, quote = '"', delim = ',')`,
    "CHECKPOINT",
    "SELECT count(*)::INTEGER FROM shipments"
  ])

/** DuckDB finds rows and values, and keeps none. */
export const scan = (file: string, threads?: number) => {
  const lengths = header.split(",").map((name) => `sum(strlen("${name}"))`)
  return inDuckDb(":memory:", threads, [
    `SELECT count(*)::INTEGER, ${lengths.join(", ")} FROM read_csv('${file}', header = true, all_varchar = true, quote = '"', delim = ',')`
  ])
}

/** Runs statements and answers the first value of the last one's result. */
const inDuckDb = (database: string, threads: number | undefined, statements: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const instance = await DuckDBInstance.create(database, threads === undefined ? {} : { threads: String(threads) })
    const connection = await instance.connect()
    let first = 0
    for (const sql of statements) first = Number((await connection.runAndReadAll(sql)).getRows()[0]?.[0])
    connection.closeSync()
    instance.closeSync()
    return first
  })

/** Finds rows and fields, and does nothing with them. */
export const rows = (file: string) =>
  Effect.promise(async () => {
    const { delimiter, limits, quote } = contract
    const csv = new Csv({ delimiter, quote, rowBytesMax: limits.rowBytesMax })
    let found = -1
    const count = () => {
      while (csv.next() !== more) found++
    }
    for await (const chunk of createReadStream(file, { highWaterMark: readBytes })) {
      csv.feed(chunk as Buffer)
      count()
    }
    csv.feed(undefined)
    count()
    return found
  })

/** Reads the file into blocks as capture does, and throws them away. */
export const blocks = (file: string) =>
  Effect.promise(async () => {
    const shared = { contract, relation: relation(contract), sequence: 1n, file, modifiedMs: 0, seconds: 0 }
    const reading = new Reading(shared, undefined)
    let found = 0
    for await (const block of reading.blocks(createReadStream(file, { highWaterMark: readBytes }))) found += block.rows
    return found
  })
