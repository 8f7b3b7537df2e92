import { gunzipSync, inflateRawSync } from "node:zlib"
import { parse } from "csv-parse/sync"
import { DateTime, Option } from "effect"
import * as Partners from "../Partners.ts"
import type { Delivery } from "../partners/Delivery.ts"
import type { Truth, Values } from "./Truth.ts"

/** A delivery with the time that its file was given, Unix milliseconds. */
export interface Dropped {
  readonly delivery: Delivery
  readonly modifiedMs: number
}

/** One file as a simple reader of its own sees it: nothing here knows how the files are ingested. */
export interface File {
  readonly table: Truth["table"]
  readonly rows: ReadonlyArray<Values>
  /** Which of two rows of a key counts, to the second; then the later delivery's. */
  readonly orderMs: (row: Values) => number
  readonly isReplacing: boolean
}

/** The rows that the curated tables must hold after these deliveries, in their order. A file that contradicts itself counts for nothing. */
export const fold = (dropped: ReadonlyArray<Dropped>): ReadonlyArray<Truth> => {
  const tables = new Map<Truth["table"], Map<string, { readonly atMs: number; readonly row: Values }>>(
    [Partners.shipments, Partners.shipmentEvents, Partners.returns, Partners.stockLevels].map((table) => [
      table,
      new Map()
    ])
  )
  const before = new Map<string, ReadonlySet<string>>()
  for (const { delivery, modifiedMs } of dropped) {
    const file = read(delivery, modifiedMs)
    if (file === undefined) continue
    const known = tables.get(file.table)
    const keyOf = (row: Values) => file.table.key.map((name) => row[name]).join("\0")
    for (const row of file.rows) {
      const atMs = Math.floor(file.orderMs(row) / 1000)
      const last = known?.get(keyOf(row))
      if (last === undefined || last.atMs <= atMs) known?.set(keyOf(row), { atMs, row })
    }
    if (!file.isReplacing) continue
    const keys = new Set(file.rows.map(keyOf))
    for (const key of before.get(delivery.key) ?? []) if (!keys.has(key)) known?.delete(key)
    before.set(delivery.key, keys)
  }
  return [...tables].map(([table, rows]) => ({ table, rows: [...rows.values()].map(({ row }) => row) }))
}

/** Reads one file; `undefined` if its control totals are wrong. */
export const read = ({ bytes, key, sidecar }: Delivery, modifiedMs: number): File | undefined => {
  if (key.startsWith("fleetfoot/shipments/")) return shipments(key, bytes)
  if (key.startsWith("fleetfoot/events/")) {
    const file = events(key, bytes, modifiedMs)
    return Buffer.from(sidecar?.bytes ?? []).toString() === `rows=${file.rows.length}\n` ? file : undefined
  }
  return key.startsWith("rueckweg/") ? returns(key, bytes) : stock(key, bytes)
}

const shipments = (file: string, bytes: Uint8Array): File => {
  const text = new TextDecoder().decode(file.endsWith(".gz") ? gunzipSync(bytes) : bytes)
  const rows = records(text, { columns: true }).map((row) => ({
    shipment_id: row["Shipment No"] ?? null,
    order_number: row["Your Order"] ?? null,
    carrier: row["Carrier"] ?? null,
    service: row["Service"] ?? null,
    tracking_number: row["Tracking No"] ?? null,
    status: row["Status"] ?? null,
    parcel_count: row["Parcels"] ?? null,
    weight_kg: row["Weight (kg)"] ?? null,
    cost_minor: row["Cost (p)"] ?? null,
    handed_over_at: british(row["Handed Over"] ?? ""),
    updated_at: british(row["Last Update"] ?? ""),
    file
  }))
  const orderMs = (row: Values) => Number(row["updated_at"])
  return { table: Partners.shipments, rows, orderMs, isReplacing: false }
}

const events = (file: string, bytes: Uint8Array, modifiedMs: number): File => {
  const rows = records(new TextDecoder().decode(bytes), { columns: true, delimiter: "|", quote: false }).map((row) => ({
    shipment_id: row["shipment"] ?? null,
    event_code: row["code"] ?? null,
    scanned_at: instant((row["time"] ?? "").split(/[-T:]/), "Europe/London"),
    place: row["place"] ?? null,
    file
  }))
  return { table: Partners.shipmentEvents, rows, orderMs: () => modifiedMs, isReplacing: false }
}

const returns = (file: string, bytes: Uint8Array): File | undefined => {
  const all = records(new TextDecoder("windows-1252").decode(bytes), { columns: true, delimiter: ";" })
  const total = all.at(-1)
  const rows = all.slice(0, -1).map((row) => ({
    return_id: row["Retoure"] ?? null,
    order_number: row["Auftrag"] ?? null,
    product_code: row["Artikel"] ?? null,
    quantity: row["Menge"]?.replaceAll(".", "") ?? null,
    condition: row["Zustand"] ?? null,
    remark: row["Bemerkung"] === "" ? null : (row["Bemerkung"] ?? null),
    value_eur: (row["Wert EUR"] ?? "").replaceAll(".", "").replace(",", "."),
    received_at: german(row["Eingang"] ?? ""),
    file
  }))
  const sum = rows.reduce((sofar, { quantity }) => sofar + Number(quantity), 0)
  const isWhole =
    total?.["Retoure"] === "SUMME" &&
    total["Auftrag"] === String(rows.length) &&
    total["Menge"]?.replaceAll(".", "") === String(sum)
  const [, day] = /_(\d{8})\.csv$/.exec(file) ?? []
  const atMs = Number(instant([day?.slice(0, 4), day?.slice(4, 6), day?.slice(6), "0", "0"], "Europe/Berlin"))
  return isWhole ? { table: Partners.returns, rows, orderMs: () => atMs, isReplacing: false } : undefined
}

const stock = (file: string, bytes: Uint8Array): File => {
  const zip = Buffer.from(bytes)
  const from = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28)
  const member = inflateRawSync(zip.subarray(from, from + zip.readUInt32LE(18)))
  const rows = records(new TextDecoder("utf-16le").decode(member), { columns: true, delimiter: "\t" }).map((row) => ({
    counted_on: row["DATE"] ?? null,
    warehouse: row["WH"] ?? null,
    product_code: row["SKU"] ?? null,
    ean: row["EAN"] ?? null,
    on_hand: row["QTY"] ?? null,
    reserved: row["RESERVED"] ?? null,
    file
  }))
  const orderMs = (row: Values) => Date.parse(row["counted_on"] ?? "")
  return { table: Partners.stockLevels, rows, orderMs, isReplacing: true }
}

const records = (text: string, options: { columns: true; delimiter?: string; quote?: false }) =>
  // Sound: with `columns: true` csv-parse gives one object of texts a row.
  parse(text, options) as unknown as ReadonlyArray<Readonly<Record<string, string>>>

/** `dd/MM/yyyy HH:mm[:ss]` on London's clocks. */
const british = (text: string): string | null => {
  const [day, month, year, ...clock] = text.split(/[/ :]/)
  return text === "" ? null : instant([year, month, day, ...clock], "Europe/London")
}

/** `dd.MM.yyyy HH:mm` on Berlin's clocks. */
const german = (text: string): string | null => {
  const [day, month, year, ...clock] = text.split(/[. :]/)
  return instant([year, month, day, ...clock], "Europe/Berlin")
}

/** The earlier of two instants where clocks show a time twice. */
const instant = (parts: ReadonlyArray<string | undefined>, timeZone: string): string | null => {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number)
  const local = DateTime.makeZoned(
    { year, month, day, hour, minute, second },
    { timeZone, adjustForTimeZone: true, disambiguation: "earlier" }
  )
  return Option.match(local, { onNone: () => null, onSome: (at) => String(DateTime.toEpochMillis(at)) })
}
