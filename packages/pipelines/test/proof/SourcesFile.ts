import { gzipSync } from "node:zlib"
import { field, marked, utf16, windows1252 } from "../../src/partners/Delivery.ts"
import { wallClock } from "../../src/partners/LocalText.ts"
import { zip } from "../../src/partners/Zip.ts"
import type { Dice } from "./SourcesDice.ts"

/** A row of a file as it must arrive: made before it was written, so that nobody has to read it back. */
export interface Row {
  /** By column of the curated table: instants as Unix microseconds, all else as the warehouse writes it. */
  readonly values: Readonly<Record<string, string | null>>
  /** Values of the key; `undefined` where the row cannot even be told apart. */
  readonly key: string | undefined
  /** Which of two rows of a key counts, in seconds; `undefined`: that of its file. */
  readonly seconds: number | undefined
  /** It cannot be published. */
  readonly isAside: boolean
}

/** The content of one file. */
export interface Content {
  readonly table: "fct_shipment" | "fct_shipment_event" | "fct_return" | "stock_level"
  readonly key: string
  readonly bytes: Uint8Array
  /** Of the file of control totals beside it. */
  readonly totals: Uint8Array | undefined
  readonly rows: ReadonlyArray<Row>
  /** Order of rows without one of their own, in seconds; `undefined`: the time at which the file was written. */
  readonly seconds: number | undefined
  /** Nothing of it can be read, whatever it holds. */
  readonly isBroken: boolean
}

const dayMs = 86_400_000
const faultShare = 0.04

/** A random file of one of the four kinds, as a partner writes it at `nowMs`. */
export const random = (dice: Dice, nowMs: number): Content =>
  dice.pick([shipments, events, returns, stock])(dice, nowMs)

/** A file of Fleetfoot's that has a header and nothing else, or not even all of that. */
export const empty = (name: string, isBroken: boolean): Content => {
  const heads = isBroken ? shipmentHeads.slice(1) : shipmentHeads
  const key = `fleetfoot/shipments/${name}.csv`
  const bytes = Buffer.from(`${heads.join(",")}\n`)
  return { table: "fct_shipment", key, bytes, totals: undefined, rows: [], seconds: undefined, isBroken }
}

/** The instant that a partner's local time means: where clocks show it twice, the first. */
const meant = (atMs: number, zone: string): number => {
  const face = (ms: number) => JSON.stringify(wallClock(ms, zone))
  return face(atMs - 3_600_000) === face(atMs) ? atMs - 3_600_000 : atMs
}

const us = (ms: number): string => `${ms}000`

const recently = (dice: Dice, nowMs: number, days: number, unitMs: number): number => {
  const at = nowMs - dice.below(days * dayMs)
  return at - (at % unitMs)
}

/** Lines under a header whose columns stand in any order, perhaps with one that nobody asked for. */
const table = (
  dice: Dice,
  { delimiter, heads, rows }: { delimiter: string; heads: ReadonlyArray<string>; rows: ReadonlyArray<Fields> }
): string => {
  const order = [...heads.keys()]
  for (let at = order.length - 1; at > 0; at--) {
    const other = dice.below(at + 1)
    const moved = order[at] ?? 0
    order[at] = order[other] ?? 0
    order[other] = moved
  }
  const isMore = dice.chance(0.2)
  const line = (fields: ReadonlyArray<string>, more: ReadonlyArray<string>) =>
    [...order.map((at) => fields[at] ?? ""), ...more].map((text) => field(text, delimiter)).join(delimiter)
  const more = (text: string) => (isMore ? [text] : [])
  return [
    line(heads, more("Internal")),
    ...rows.map(({ fields, isCut }) => line(fields, [...more("x"), ...(isCut ? ["and one more"] : [])])),
    ""
  ].join(dice.pick(["\n", "\r\n", "\r"]))
}

interface Fields {
  readonly fields: ReadonlyArray<string>
  /** The row has a field too many. */
  readonly isCut: boolean
}

interface Drawn extends Fields {
  readonly row: Row
}

/** A row whose fields are `texts`, perhaps with something wrong in it: `faults` are what may stand where, by place. */
const drawn = (
  dice: Dice,
  texts: ReadonlyArray<string>,
  row: Omit<Row, "isAside">,
  faults: Readonly<Record<number, string>>
): Drawn => {
  if (!dice.chance(faultShare)) return { fields: texts, isCut: false, row: { ...row, isAside: false } }
  if (dice.chance(0.2)) return { fields: texts, isCut: true, row: { ...row, key: undefined, isAside: true } }
  const [place, text] = dice.pick(Object.entries(faults))
  const fields = texts.map((before, at) => (String(at) === place ? text : before))
  return { fields, isCut: false, row: { ...row, isAside: true } }
}

const times = <A>(count: number, make: () => A): ReadonlyArray<A> => Array.from({ length: count }, make)

const shipmentHeads = [
  "Shipment No",
  "Your Order",
  "Carrier",
  "Service",
  "Tracking No",
  "Status",
  "Parcels",
  "Weight (kg)",
  "Cost (p)",
  "Handed Over",
  "Last Update"
]

const shipments = (dice: Dice, nowMs: number): Content => {
  const isPacked = dice.chance(0.3)
  const key = `fleetfoot/shipments/ship_${dice.below(10)}.csv${isPacked ? ".gz" : ""}`
  const all = times(dice.below(25), () => shipment(dice, nowMs, key))
  const isBroken = dice.chance(0.08)
  const heads = isBroken ? shipmentHeads.map((head) => (head === "Status" ? "State" : head)) : shipmentHeads
  const text = table(dice, { delimiter: ",", heads, rows: all })
  const plain = dice.chance(0.3) ? marked(text) : Buffer.from(text)
  const bytes = isPacked ? gzipSync(plain) : plain
  const rows = all.map(({ row }) => row)
  const content = { table: "fct_shipment", key, totals: undefined, rows, seconds: undefined } as const
  if (isPacked && dice.chance(0.1)) return { ...content, bytes: bytes.subarray(0, bytes.length - 9), isBroken: true }
  return { ...content, bytes, isBroken }
}

const shipment = (dice: Dice, nowMs: number, file: string): Drawn => {
  const zone = "Europe/London"
  const updatedMs = recently(dice, nowMs, 20, 1000)
  const handedMs = dice.chance(0.3) ? undefined : recently(dice, nowMs, 20, 60_000)
  const grams = dice.chance(0.3) ? undefined : 1 + dice.below(99_999)
  const id = `SH${dice.below(60)}`
  const values = {
    shipment_id: id,
    order_number: `N${dice.below(1000)}`,
    carrier: dice.pick(["Fleet", "Royal, Mail", 'The "Quick" one']),
    service: dice.pick([null, "Next day", "Two\nlines"]),
    tracking_number: dice.pick([null, `FF${dice.below(1_000_000)}GB`]),
    status: dice.pick(["PACKED", "DISPATCHED", "DELIVERED", "EXCEPTION", "CANCELLED"]),
    parcel_count: String(dice.below(9)),
    weight_kg: grams === undefined ? null : (grams / 1000).toFixed(3),
    cost_minor: String(dice.below(5000)),
    handed_over_at: handedMs === undefined ? null : us(meant(handedMs, zone)),
    updated_at: us(meant(updatedMs, zone)),
    file
  }
  const on = (ms: number | undefined, hasSeconds: boolean): string => {
    if (ms === undefined) return ""
    const { day, hour, minute, month, second, year } = wallClock(ms, zone)
    return `${day}/${month}/${year} ${hour}:${minute}${hasSeconds ? `:${second}` : ""}`
  }
  const { carrier, cost_minor, order_number, parcel_count, service, status, tracking_number, weight_kg } = values
  const front = [id, order_number, carrier, service ?? "", tracking_number ?? "", status, parcel_count, weight_kg ?? ""]
  const fields = [...front, cost_minor, on(handedMs, false), on(updatedMs, true)]
  const row = { values, key: id, seconds: meant(updatedMs, zone) / 1000 }
  return drawn(dice, fields, row, { 1: "", 5: "LOST", 6: "many", 7: "1,5", 8: "12.5", 9: "soon", 10: "31/31/2026" })
}

const events = (dice: Dice, nowMs: number): Content => {
  const zone = "Europe/London"
  const key = `fleetfoot/events/scans_${dice.below(8)}.csv`
  const all = times(dice.below(40), () => {
    const atMs = recently(dice, nowMs, 5, 3_600_000)
    const values = {
      shipment_id: `SH${dice.below(60)}`,
      event_code: dice.pick(["IN", "OUT", "DLV"]),
      scanned_at: "",
      place: dice.pick([null, 'Depot "North"', "Leeds, Hub"]),
      file: key
    }
    const { day, hour, minute, month, second, year } = wallClock(atMs, zone)
    const isLocal = dice.chance(0.6)
    const text = isLocal ? `${year}-${month}-${day}T${hour}:${minute}:${second}` : new Date(atMs).toISOString()
    const scanned_at = us(isLocal ? meant(atMs, zone) : atMs)
    const { event_code, place, shipment_id } = values
    const row = {
      values: { ...values, scanned_at },
      key: [shipment_id, event_code, scanned_at].join(),
      seconds: undefined
    }
    return drawn(dice, [shipment_id, event_code, text, place ?? ""], row, { 1: "", 2: "yesterday" })
  })
  const lines = all.map(({ fields, isCut }) => [...fields, ...(isCut ? ["more"] : [])].join("|"))
  const bytes = Buffer.from(["shipment|code|time|place", ...lines, ""].join("\n"))
  const isBroken = dice.chance(0.1)
  const totals = Buffer.from(`rows=${all.length + (isBroken ? 1 : 0)}\n`)
  return {
    table: "fct_shipment_event",
    key,
    bytes,
    totals,
    rows: all.map(({ row }) => row),
    seconds: undefined,
    isBroken
  }
}

const returnHeads = ["Retoure", "Auftrag", "Artikel", "Menge", "Zustand", "Bemerkung", "Wert EUR", "Eingang"]

const returns = (dice: Dice, nowMs: number): Content => {
  const { day, month, year } = wallClock(nowMs - dice.below(10) * dayMs, "Europe/Berlin")
  const isNamed = !dice.chance(0.05)
  const key = `rueckweg/retouren_${isNamed ? `${year}${month}${day}` : "neu"}.csv`
  const all = times(dice.below(25), () => returned(dice, nowMs, key))
  const pieces = all.reduce((sum, { row }) => sum + Number(row.values["quantity"]), 0)
  const isWrong = dice.chance(0.1)
  const lines = all.map(({ fields, isCut }) =>
    [...fields, ...(isCut ? ["mehr"] : [])].map((text) => field(text, ";")).join(";")
  )
  const total = `SUMME;${all.length};;${pieces + (isWrong ? 7 : 0)};;;;`
  const text = [returnHeads.join(";"), ...lines, total, ""].join("\r\n")
  // A file that was cut off lacks its totals.
  const isCut = dice.chance(0.05)
  const bytes = windows1252(isCut ? text.slice(0, text.lastIndexOf("SUMME")) : text)
  const hasUnread = all.some((one) => one.isCut)
  return {
    table: "fct_return",
    key,
    bytes,
    totals: undefined,
    rows: all.map(({ row }) => row),
    seconds: isNamed ? midnight(key, /(\d{4})(\d\d)(\d\d)/) : undefined,
    // With rows that cannot be read the sum says nothing.
    isBroken: (isWrong && !hasUnread) || isCut || !isNamed
  }
}

/** Berlin's midnight of the day in a name; it lies in winter, but for files of October's first weeks. */
const midnight = (key: string, pattern: RegExp): number => {
  const [, year, month, day] = pattern.exec(key) ?? []
  const utcMs = Date.UTC(Number(year), Number(month) - 1, Number(day))
  const isSummer = wallClock(utcMs - 2 * 3_600_000, "Europe/Berlin").hour === "00"
  return (utcMs - (isSummer ? 2 : 1) * 3_600_000) / 1000
}

const returned = (dice: Dice, nowMs: number, file: string): Drawn => {
  const zone = "Europe/Berlin"
  const receivedMs = recently(dice, nowMs, 12, 60_000)
  const cents = dice.chance(0.2) ? undefined : dice.below(500_000)
  const values = {
    return_id: `R${dice.below(50)}`,
    order_number: `N${dice.below(1000)}`,
    product_code: `P${dice.below(30)}`,
    quantity: String(1 + dice.below(30)),
    condition: dice.pick(["neuwertig", "beschädigt"]),
    remark: dice.pick([null, "zu groß; bitte Geld zurück", 'Größe "L"\r\nfehlt']),
    value_eur: cents === undefined ? null : (cents / 100).toFixed(2),
    received_at: us(meant(receivedMs, zone)),
    file
  }
  const { day, hour, minute, month, year } = wallClock(receivedMs, zone)
  const { condition, order_number, product_code, quantity, remark, return_id, value_eur } = values
  const [euros = "", rest = ""] = (value_eur ?? "").split(".")
  const value = value_eur === null ? "" : `${euros.replaceAll(/\B(?=(\d{3})+$)/g, ".")},${rest}`
  const front = [return_id, order_number, product_code, quantity, condition, remark ?? "", value]
  const row = { values, key: return_id, seconds: undefined }
  return drawn(dice, [...front, `${day}.${month}.${year} ${hour}:${minute}`], row, { 4: "", 6: "12,5,0", 7: "gestern" })
}

/** A count of a warehouse's shelves, which replaces the day's count before. */
export const stock = (dice: Dice, nowMs: number): Content => {
  const atMs = nowMs - dice.below(5) * dayMs
  const date = new Date(atMs).toISOString().slice(0, 10)
  const dayBefore = new Date(atMs - dayMs).toISOString().slice(0, 10)
  const key = `stockwell/stock_${date}.zip`
  const all = times(dice.below(24), () => {
    const values = {
      counted_on: dice.chance(0.9) ? date : dayBefore,
      warehouse: dice.pick(["PARK ROYAL", "LEEDS"]),
      product_code: `P${dice.below(10)}`,
      ean: dice.pick([null, "4006381333931", "5012345678900"]),
      on_hand: String(dice.below(500)),
      reserved: String(dice.below(50)),
      file: key
    }
    const { counted_on, ean, on_hand, product_code, reserved, warehouse } = values
    const row = { values, key: [counted_on, warehouse, product_code].join(), seconds: undefined }
    return drawn(dice, [counted_on, warehouse, product_code, ean ?? "", on_hand, reserved], row, { 4: "?", 5: "-1" })
  })
  const heads = ["DATE", "WH", "SKU", "EAN", "QTY", "RESERVED"]
  const text = utf16(table(dice, { delimiter: "\t", heads, rows: all }))
  const name = `stock_${date}.txt`
  const bytes = zip(name, text)
  const isBroken = dice.chance(0.08)
  const within = 30 + name.length + 5
  if (isBroken) bytes[within] = (bytes[within] ?? 0) ^ 0xff
  const seconds = Date.parse(date) / 1000
  return { table: "stock_level", key, bytes, totals: undefined, rows: all.map(({ row }) => row), seconds, isBroken }
}
