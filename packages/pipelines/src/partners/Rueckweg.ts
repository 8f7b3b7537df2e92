import type { Random } from "effect"
import type { Life } from "../shop/Life.ts"
import { type Delivery, field, windows1252 } from "./Delivery.ts"
import { compactDay, wallClock } from "./LocalText.ts"

/** Where Rückweg works, and whose clock its files show. */
const zone = "Europe/Berlin"

/** Goods of one line that came back. */
export interface Return {
  readonly number: string
  readonly orderNumber: string
  readonly productCode: string
  readonly quantity: number
  readonly valueMinor: bigint
  readonly remark: string
  readonly receivedAtMs: number
  /** What the parcel looked like, and a day later what was found in it. */
  readonly condition: string
  readonly verdict: string
}

/** A customer wrote a number where none belongs. It is the one that card networks give for tests. */
export const cardNumber = "4111 1111 1111 1111"

const remarks = [
  "",
  "Größe passt nicht; bitte Gutschrift",
  "zu spät geliefert",
  `Kundin schreibt: "nicht wie abgebildet"`,
  "Geschenk, gefällt der Schwiegermutter nicht",
  "Karton zerdrückt\nInhalt heil"
] as const
const conditions = ["verschlossen", "geöffnet", "beschädigt"] as const

/** Draws what of a credit comes back as goods: its lines of real products, when the shop credits them. */
export const draw = (
  { rows: { lines, order }, steps }: Life,
  saleNumber: string | undefined,
  random: Random.Random
): ReadonlyArray<Return> => {
  const receivedAtMs = steps.find(({ status }) => status === "credited")?.atMs
  if (order.kind !== "credit" || receivedAtMs === undefined) return []
  const pick = <A>(from: ReadonlyArray<A>) => from[Math.floor(random.nextDoubleUnsafe() * from.length)] as A
  return lines
    .filter(({ product_code, quantity }) => /^\d{5}/.test(product_code) && quantity < 0)
    .map((line) => ({
      number: `R${order.order_number.slice(1)}-${line.line_no}`,
      orderNumber: saleNumber ?? order.order_number,
      productCode: line.product_code,
      quantity: -line.quantity,
      // Rückweg insures in euros: what the goods are worth, at its own rate.
      valueMinor: (-line.amount_minor * 117n) / 100n,
      remark: pick(remarks),
      receivedAtMs,
      condition: pick(conditions),
      verdict: pick(["geprüft, neuwertig", "geprüft, B-Ware", "Ausschuss"])
    }))
}

const heads = "Retoure;Auftrag;Artikel;Menge;Zustand;Bemerkung;Wert EUR;Eingang"

/** How a day's file differs from what it should be. */
export interface Flaws {
  /** Its sum of quantities is wrong. */
  readonly isBroken?: boolean
  /** A card number stands in the remark of its first row. */
  readonly hasCard?: boolean
}

/** What came in `[fromMs, toMs)`, and once more with its verdict what came in the day before. */
export const returns = (all: ReadonlyArray<Return>, fromMs: number, toMs: number, flaws: Flaws = {}): Delivery => {
  const since = fromMs - (toMs - fromMs)
  const rows = all.filter(({ receivedAtMs }) => receivedAtMs >= since && receivedAtMs < toMs)
  const lines = rows.map((each, index) =>
    [
      each.number,
      each.orderNumber,
      each.productCode,
      grouped(String(each.quantity)),
      each.receivedAtMs < fromMs ? each.verdict : each.condition,
      flaws.hasCard === true && index === 0 ? `bitte ${cardNumber} belasten` : each.remark,
      euros(each.valueMinor),
      minutes(each.receivedAtMs)
    ]
      .map((text) => field(text, ";"))
      .join(";")
  )
  const sum = rows.reduce((total, { quantity }) => total + quantity, 0) + (flaws.isBroken === true ? 7 : 0)
  const text = [heads, ...lines, `SUMME;${rows.length};;${grouped(String(sum))};;;;`, ""].join("\r\n")
  return { key: `rueckweg/retouren_${compactDay(fromMs, zone)}.csv`, bytes: windows1252(text) }
}

/** `1.234,50` */
const euros = (minor: bigint): string => {
  const digits = minor.toString().padStart(3, "0")
  return `${grouped(digits.slice(0, -2))},${digits.slice(-2)}`
}

const grouped = (digits: string): string => digits.replaceAll(/\B(?=(\d{3})+$)/g, ".")

const minutes = (atMs: number): string => {
  const { day, hour, minute, month, year } = wallClock(atMs, zone)
  return `${day}.${month}.${year} ${hour}:${minute}`
}
