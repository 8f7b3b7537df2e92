import { Effect, Random } from "effect"
import type { Life } from "../shop/Life.ts"
import type { Delivery } from "./Delivery.ts"
import * as Fleetfoot from "./Fleetfoot.ts"
import * as Rueckweg from "./Rueckweg.ts"
import * as Stockwell from "./Stockwell.ts"

/** What the partners know of the shop's orders, and export day by day. */
export interface Exports {
  readonly shipments: ReadonlyArray<Fleetfoot.Shipment>
  readonly returns: ReadonlyArray<Rueckweg.Return>
  readonly shelves: (atMs: number) => ReadonlyArray<Stockwell.Shelf>
  /** The four files of the day that begins at `fromMs`, London midnight, as they should be. */
  readonly ofDay: (fromMs: number) => Day
}

/** The files of one day. */
export interface Day {
  readonly shipments: Delivery
  readonly scans: Delivery
  readonly returns: Delivery
  readonly stock: Delivery
}

/** Days of 24 hours: the data set lies in a winter. */
export const dayMs = 86_400_000

/** The partners' part in the shop's orders: the same for the same lives and seed. */
export const make = (lives: ReadonlyArray<Life>, options: { readonly seed: string }): Effect.Effect<Exports> =>
  Effect.map(Random.Random, (random): Exports => {
    const numbers = new Map(lives.map(({ rows: { order } }) => [order.id, order.order_number]))
    const shipments = [straggler, ...lives.flatMap((life) => Fleetfoot.draw(life, random))]
    const returns = lives.flatMap((life) =>
      Rueckweg.draw(life, numbers.get(life.rows.order.credits_order_id ?? 0n), random)
    )
    const shelves = (atMs: number) => Stockwell.shelves(lives, atMs)
    return {
      shipments,
      returns,
      shelves,
      ofDay: (fromMs) => ({
        shipments: Fleetfoot.shipments(shipments, fromMs, fromMs + dayMs),
        scans: Fleetfoot.scans(shipments, fromMs, fromMs + dayMs),
        returns: Rueckweg.returns(returns, fromMs, fromMs + dayMs),
        stock: Stockwell.stock(shelves(fromMs + dayMs), fromMs)
      })
    }
  }).pipe(Random.withSeed(`partners ${options.seed}`))

const stragglerMs = Date.UTC(2010, 9, 31, 0, 30)

/** Of an order before the shop's books begin: dispatched in the hour that London's clocks show twice, never delivered until now. */
const straggler: Fleetfoot.Shipment = {
  shipmentNo: "FF530001-1",
  orderNumber: "530001",
  carrier: "DPD",
  service: "Standard",
  trackingNo: "FF10000001GB",
  parcels: 1,
  weightG: 900,
  costMinor: 395,
  note: "",
  states: [
    { atMs: stragglerMs, status: "DISPATCHED" },
    { atMs: Date.UTC(2010, 11, 2, 11), status: "EXCEPTION" }
  ],
  scans: [{ atMs: stragglerMs, code: "COLLECTED", place: "London Park Royal" }]
}
