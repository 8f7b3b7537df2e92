import type { Life } from "../shop/Life.ts"
import { type Delivery, utf16 } from "./Delivery.ts"
import { wallClock } from "./LocalText.ts"
import { zip } from "./Zip.ts"

/** What lies on a shelf. */
export interface Shelf {
  readonly productCode: string
  readonly ean: string
  readonly onHand: number
  readonly reserved: number
}

/** Pieces that a product has on the shelf when the shop opens. */
const pieces = 5000

/** Stockwell keeps what hangs, lights and holds: the rest lies in the shop's own cellar. */
const isKept = (productCode: string): boolean => /^(84|85)\d{3}/.test(productCode)

/** The shelves at an instant: of every product it keeps that was ordered by then, what is left, and what open orders wait for. */
export const shelves = (lives: ReadonlyArray<Life>, atMs: number): ReadonlyArray<Shelf> => {
  const taken = new Map<string, { gone: number; reserved: number }>()
  for (const { rows, steps } of lives) {
    if (Date.parse(rows.order.placed_at) >= atMs) continue
    const isGone = rows.order.kind !== "sale" || steps.some((step) => step.status === "shipped" && step.atMs < atMs)
    for (const { product_code, quantity } of rows.lines) {
      if (!isKept(product_code)) continue
      const sofar = taken.get(product_code) ?? { gone: 0, reserved: 0 }
      sofar[isGone ? "gone" : "reserved"] += quantity
      taken.set(product_code, sofar)
    }
  }
  return [...taken]
    .map(([productCode, { gone, reserved }]) => ({
      productCode,
      ean: eanOf(productCode),
      onHand: pieces - gone,
      reserved: Math.max(0, reserved)
    }))
    .toSorted((left, right) => (left.productCode < right.productCode ? -1 : 1))
}

/** The count of the day that begins at `fromMs` in London. */
export const stock = (shelves: ReadonlyArray<Shelf>, fromMs: number): Delivery => {
  const { day, month, year } = wallClock(fromMs, "Europe/London")
  const date = `${year}-${month}-${day}`
  const rows = shelves.map(({ ean, onHand, productCode, reserved }) =>
    [date, "PARK ROYAL", productCode, ean, onHand, reserved].join("\t")
  )
  const text = ["DATE\tWH\tSKU\tEAN\tQTY\tRESERVED", ...rows, ""].join("\r\n")
  return { key: `stockwell/stock_${date}.zip`, bytes: zip(`stock_${date}.txt`, utf16(text)) }
}

/** A made-up EAN-13 of a product: British prefix, ten digits from its code, check digit. */
const eanOf = (productCode: string): string => {
  let hash = 0
  for (const character of productCode) hash = (hash * 131 + (character.codePointAt(0) ?? 0)) % 10_000_000_000
  const digits = `50${String(hash).padStart(10, "0")}`
  const sum = Array.from(digits, Number).reduce((total, digit, at) => total + digit * (at % 2 === 0 ? 1 : 3), 0)
  return `${digits}${(10 - (sum % 10)) % 10}`
}
