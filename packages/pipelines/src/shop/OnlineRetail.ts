import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { ConnectorError, InvalidData } from "@northstar/core/ConnectorError"
import { parse as parseCsv } from "csv-parse/sync"
import { DateTime, Effect, Option, Schema } from "effect"
import { type orderKinds, zone } from "../Tables.ts"

/** An order of the data set with its lines. Its money is in minor units of GBP. */
export interface Order {
  /** The digits of `number`; no credit shares them with a sale. */
  readonly id: bigint
  /** `InvoiceNo`, such as `536365` or `C536379`. */
  readonly number: string
  readonly kind: (typeof orderKinds)[number]
  /** Of a credit: the newest earlier sale to the customer that holds the first credited product, if there is one. */
  readonly creditsOrderId: bigint | null
  readonly customerId: bigint | null
  readonly country: string
  /** Time of the first line, Unix milliseconds. */
  readonly placedAtMs: number
  /** In the order of the file, which numbers them from 1. Never empty. */
  readonly lines: ReadonlyArray<Line>
}

/** One row of the file. */
export interface Line {
  readonly productCode: string
  /** NULL where the file has no description. */
  readonly productName: string | null
  readonly quantity: number
  readonly unitPriceMinor: bigint
  /** Unix milliseconds. */
  readonly placedAtMs: number
}

/** Path of the data set that the package ships. */
export const file = fileURLToPath(new URL("../../data/online-retail-2010-12.csv", import.meta.url))

/** Reads the data set that the package ships. */
export const load: Effect.Effect<ReadonlyArray<Order>, ConnectorError> = Effect.tryPromise({
  try: () => readFile(file, "utf8"),
  catch: (cause) => failed("cannot read the file of orders", cause)
}).pipe(Effect.flatMap(parse))

/**
 * Orders by the time they were placed, then by number. Every row of `csv` becomes exactly one line; a row that is not
 * of the data set's shape fails the whole with `InvalidData`.
 *
 * `InvoiceNo` with a leading `C` is a credit. An order without a customer and without a price above zero is an adjustment
 * of stock; all else is a sale.
 */
export function parse(csv: string): Effect.Effect<ReadonlyArray<Order>, ConnectorError> {
  return Effect.try({
    try: (): unknown => parseCsv(csv, { columns: true, bom: true }),
    catch: (cause) => failed("the file of orders is not CSV", cause)
  }).pipe(
    Effect.flatMap((rows) =>
      Effect.mapError(decodeRows(rows), (cause) => failed("the file of orders has a row of another shape", cause))
    ),
    Effect.map((rows) => linked(grouped(rows)))
  )
}

const matching = (pattern: RegExp) => Schema.String.check(Schema.isPattern(pattern))

const Row = Schema.Struct({
  InvoiceNo: matching(/^C?\d+$/),
  StockCode: Schema.NonEmptyString,
  Description: Schema.String,
  Quantity: matching(/^-?\d+$/),
  InvoiceDate: matching(/^([1-9]|1[0-2])\/([1-9]|[12]\d|3[01])\/\d{2} (1?\d|2[0-3]):[0-5]\d$/),
  UnitPrice: matching(/^\d+(\.\d{1,2})?$/),
  CustomerID: matching(/^\d*$/),
  Country: Schema.NonEmptyString
})
type Row = typeof Row.Type

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

const grouped = (rows: ReadonlyArray<Row>): ReadonlyArray<Order> =>
  [...Map.groupBy(rows, (row) => row.InvoiceNo)]
    .map(([number, [first, ...others]]) => order(number, first as Row, others))
    .toSorted((left, right) => left.placedAtMs - right.placedAtMs || Number(left.id - right.id))

const order = (number: string, first: Row, others: ReadonlyArray<Row>): Order => {
  const lines = [first, ...others].map(line)
  const isFree = lines.every((each) => each.unitPriceMinor === 0n)
  return {
    id: BigInt(number.replace("C", "")),
    number,
    kind: number.startsWith("C") ? "credit" : first.CustomerID === "" && isFree ? "adjustment" : "sale",
    creditsOrderId: null,
    customerId: first.CustomerID === "" ? null : BigInt(first.CustomerID),
    country: first.Country,
    placedAtMs: instantMs(first.InvoiceDate),
    lines
  }
}

const line = (row: Row): Line => ({
  productCode: row.StockCode,
  productName: row.Description.trim() === "" ? null : row.Description,
  quantity: Number(row.Quantity),
  unitPriceMinor: minor(row.UnitPrice),
  placedAtMs: instantMs(row.InvoiceDate)
})

/** Pence of a price in pounds, digit by digit: no float comes near it. */
const minor = (price: string): bigint => {
  const [pounds, pence = ""] = price.split(".")
  return BigInt(`${pounds}${pence.padEnd(2, "0")}`)
}

/** `month/day/year hour:minute` of the shop's wall clock as an instant. */
const instantMs = (text: string): number => {
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0] = text.split(/[/ :]/).map(Number)
  const local = DateTime.makeZoned(
    { year: 2000 + year, month, day, hour, minute },
    { timeZone: zone, adjustForTimeZone: true }
  )
  return DateTime.toEpochMillis(Option.getOrThrow(local))
}

/** Finds the sale of each credit. */
const linked = (orders: ReadonlyArray<Order>): ReadonlyArray<Order> => {
  const newest = new Map<string, bigint>()
  const result: Array<Order> = []
  for (const each of orders) {
    if (each.customerId === null) result.push(each)
    else if (each.kind === "credit") {
      result.push({ ...each, creditsOrderId: newest.get(`${each.customerId} ${each.lines[0]?.productCode}`) ?? null })
    } else {
      for (const { productCode } of each.lines) newest.set(`${each.customerId} ${productCode}`, each.id)
      result.push(each)
    }
  }
  return result
}

const failed = (detail: string, cause: unknown): ConnectorError =>
  new ConnectorError({
    connector: "online-retail",
    operation: "read",
    detail,
    action: "Restore data/online-retail-2010-12.csv from the package.",
    reason: new InvalidData({ detail: cause instanceof Error ? cause.name : "unreadable" })
  })
