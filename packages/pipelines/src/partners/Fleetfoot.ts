import { gzipSync } from "node:zlib"
import type { Random } from "effect"
import type { Life } from "../shop/Life.ts"
import { type Delivery, field, marked } from "./Delivery.ts"
import { compactDay, wallClock } from "./LocalText.ts"

/** Where Fleetfoot works, and whose clock its files show. */
const zone = "Europe/London"

/** A shipment with everything that will ever be told about it, in the order of its time. */
export interface Shipment {
  readonly shipmentNo: string
  readonly orderNumber: string
  readonly carrier: string
  readonly service: string
  readonly trackingNo: string
  readonly parcels: number
  readonly weightG: number
  readonly costMinor: number
  readonly note: string
  readonly states: ReadonlyArray<State>
  readonly scans: ReadonlyArray<Scan>
}

interface State {
  readonly atMs: number
  readonly status: "PACKED" | "DISPATCHED" | "DELIVERED" | "EXCEPTION" | "CANCELLED"
}

interface Scan {
  readonly atMs: number
  readonly code: string
  readonly place: string
}

const hourMs = 3_600_000

/** The service "Next Day, before 12" is why Fleetfoot quotes. */
const services = ["Standard", "Next Day, before 12", `"Fragile" care`] as const
const notes = ["", "", "", "Leave with neighbour", "Gate code on file,\r\nring twice", `Ask for "Shop desk"`] as const

/**
 * Draws how a sale is shipped: packed when it was picked, handed over and delivered when the shop says so. One in thirty has
 * a second parcel that is cancelled, one in forty an exception on the way. None for orders that are not picked.
 */
export const draw = ({ rows, steps }: Life, random: Random.Random): ReadonlyArray<Shipment> => {
  const { order } = rows
  const at = (status: string) => steps.find((step) => step.status === status)?.atMs
  const packedMs = at("picked")
  const handedMs = at("shipped")
  const deliveredMs = at("delivered")
  if (order.kind !== "sale" || packedMs === undefined || handedMs === undefined || deliveredMs === undefined) return []
  const units = rows.lines.reduce((sum, { quantity }) => sum + quantity, 0)
  const pick = <A>(from: ReadonlyArray<A>) => from[Math.floor(random.nextDoubleUnsafe() * from.length)] as A
  const isAbroad = order.country !== "United Kingdom"
  const number = 10_000_000 + Math.floor(random.nextDoubleUnsafe() * 89_999_999)
  const isHeldUp = random.nextDoubleUnsafe() < 0.025
  const heldUpMs = Math.floor((handedMs + deliveredMs) / 2)
  const first: Shipment = {
    shipmentNo: `FF${order.order_number}-1`,
    orderNumber: order.order_number,
    carrier: isAbroad ? "DHL Parcel" : pick(["Royal Mail", "DPD"]),
    service: pick(services),
    trackingNo: `FF${number}GB`,
    parcels: 1 + Math.floor(units / 400),
    weightG: 150 + units * 35,
    costMinor: 295 + units * 2 + (isAbroad ? 900 : 0),
    note: pick(notes),
    states: [
      { atMs: packedMs, status: "PACKED" },
      { atMs: handedMs, status: "DISPATCHED" },
      ...(isHeldUp ? ([{ atMs: heldUpMs, status: "EXCEPTION" }] as const) : []),
      { atMs: deliveredMs, status: "DELIVERED" }
    ],
    scans: [
      { atMs: handedMs, code: "COLLECTED", place: "London Park Royal" },
      { atMs: handedMs + 6 * hourMs, code: "HUB", place: isAbroad ? "Bonn" : "Coventry" },
      ...(isHeldUp ? [{ atMs: heldUpMs, code: "HELD", place: "Coventry" }] : []),
      { atMs: deliveredMs - 3 * hourMs, code: "OUT", place: order.country },
      { atMs: deliveredMs, code: "DELIVERED", place: order.country }
    ]
  }
  if (random.nextDoubleUnsafe() >= 1 / 30) return [first]
  const second: Shipment = {
    ...first,
    shipmentNo: `FF${order.order_number}-2`,
    trackingNo: `FF${number + 1}GB`,
    states: [
      { atMs: packedMs, status: "PACKED" },
      { atMs: packedMs + hourMs / 2, status: "CANCELLED" }
    ],
    scans: []
  }
  return [first, second]
}

const heads = [
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
  "Last Update",
  "Delivery Note"
]

/** The rows of shipments about which there is news in `[fromMs, toMs)`, as they stand at its end; every second day packed. */
export const shipments = (all: ReadonlyArray<Shipment>, fromMs: number, toMs: number): Delivery => {
  const rows = all.flatMap((shipment) => {
    const states = shipment.states.filter(({ atMs }) => atMs < toMs)
    const last = states.at(-1)
    if (last === undefined || last.atMs < fromMs) return []
    const handed = states.find(({ status }) => status === "DISPATCHED")
    return [
      [
        shipment.shipmentNo,
        shipment.orderNumber,
        shipment.carrier,
        shipment.service,
        shipment.trackingNo,
        last.status,
        String(shipment.parcels),
        `${Math.floor(shipment.weightG / 1000)}.${String(shipment.weightG % 1000).padStart(3, "0")}`,
        String(shipment.costMinor),
        handed === undefined ? "" : minutes(handed.atMs),
        seconds(last.atMs),
        shipment.note
      ]
    ]
  })
  const text = [heads, ...rows].map((row) => row.map((each) => field(each, ",")).join(",")).join("\r\n") + "\r\n"
  const day = compactDay(fromMs, zone)
  const isPacked = Number(day) % 2 === 0
  const key = `fleetfoot/shipments/shipments_${day}.csv`
  return isPacked ? { key: `${key}.gz`, bytes: gzipSync(marked(text)) } : { key, bytes: marked(text) }
}

/** The scans in `[fromMs, toMs)`, and once more those of the hour before, with the file that counts them. */
export const scans = (all: ReadonlyArray<Shipment>, fromMs: number, toMs: number): Delivery => {
  const rows = all
    .flatMap(({ scans, shipmentNo }) => scans.map((scan) => ({ shipmentNo, ...scan })))
    .filter(({ atMs }) => atMs >= fromMs - hourMs && atMs < toMs)
    .toSorted((left, right) => left.atMs - right.atMs)
  const text = rows.map(({ atMs, code, place, shipmentNo }) => `${shipmentNo}|${code}|${iso(atMs)}|${place}\n`)
  const key = `fleetfoot/events/scans_${compactDay(fromMs, zone)}.csv`
  return {
    key,
    bytes: Buffer.from(`shipment|code|time|place\n${text.join("")}`),
    sidecar: { key: `${key}.ok`, bytes: Buffer.from(`rows=${rows.length}\n`) }
  }
}

const minutes = (atMs: number): string => {
  const { day, hour, minute, month, year } = wallClock(atMs, zone)
  return `${day}/${month}/${year} ${hour}:${minute}`
}

const seconds = (atMs: number): string => `${minutes(atMs)}:${wallClock(atMs, zone).second}`

const iso = (atMs: number): string => {
  const { day, hour, minute, month, second, year } = wallClock(atMs, zone)
  return `${year}-${month}-${day}T${hour}:${minute}:${second}`
}
