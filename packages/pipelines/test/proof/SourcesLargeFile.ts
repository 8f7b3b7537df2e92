import { closeSync, mkdirSync, openSync, renameSync, utimesSync, writeSync } from "node:fs"
import { dirname, join } from "node:path"

/** What a large file holds. */
export interface Written {
  readonly rows: number
  /** Rows that cannot be published. */
  readonly aside: number
  readonly bytes: number
  /** Sum of the costs of all rows that can, in pence. */
  readonly cost: bigint
}

const piece = 1 << 20

/**
 * Writes a file of Fleetfoot's shipments of so many bytes: each row another shipment, in any order, its time anywhere in two
 * years. One row in a million has a field too many, one has a status that does not exist.
 */
export const write = (drop: string, bytesMin: number, modifiedMs: number): Written => {
  const path = join(drop, "fleetfoot/shipments/all.csv")
  const hidden = join(dirname(path), ".all.csv")
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(hidden, "w")
  const fromMs = modifiedMs - 730 * 86_400_000
  let text =
    "Shipment No,Your Order,Carrier,Service,Tracking No,Status,Parcels,Weight (kg),Cost (p),Handed Over,Last Update\n"
  let [rows, aside, bytes, cost] = [0, 0, 0, 0n]
  while (bytes < bytesMin) {
    while (text.length < piece) {
      // Multiplied by an odd number, a counter of 32 bits visits all of them in another order.
      const mixed = Math.imul(rows, 0x9e3779b1) >>> 0
      const isCut = rows % 1_000_000 === 77
      const isUnknown = rows % 1_000_000 === 7777
      const time = day(fromMs + (mixed % (730 * 86_400)) * 1000)
      text += `FF${mixed.toString(36)},N${rows % 900_001},Fleetfoot Parcels Ltd,Next working day before noon,TRK-${mixed.toString(16)}-GB,`
      text += `${isUnknown ? "LOST" : "DELIVERED"},${1 + (rows % 3)},${rows % 40}.250,${rows % 1999},${time.slice(0, 16)},${time}${isCut ? ",x" : ""}\n`
      if (isCut || isUnknown) aside++
      else cost += BigInt(rows % 1999)
      rows++
    }
    bytes += writeSync(file, text)
    text = ""
  }
  closeSync(file)
  utimesSync(hidden, modifiedMs / 1000, modifiedMs / 1000)
  renameSync(hidden, path)
  return { rows, aside, bytes, cost }
}

/** `dd/MM/yyyy HH:mm:ss`, read as London's time: noon is never told twice, nor left out. */
const day = (ms: number): string => {
  const text = new Date(ms - (ms % 86_400_000) + 43_200_000 + (ms % 3_600_000)).toISOString()
  return `${text.slice(8, 10)}/${text.slice(5, 7)}/${text.slice(0, 4)} ${text.slice(11, 19)}`
}
