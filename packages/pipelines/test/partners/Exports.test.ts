import { gunzipSync, inflateRawSync } from "node:zlib"
import { expect, it } from "@effect/vitest"
import * as FileContract from "@northstar/connectors/files/FileContract"
import { Effect } from "effect"
import * as PartnerFiles from "../../src/demo/PartnerFiles.ts"
import type { Truth } from "../../src/demo/Truth.ts"
import * as Exports from "../../src/partners/Exports.ts"
import * as Rueckweg from "../../src/partners/Rueckweg.ts"
import * as Stockwell from "../../src/partners/Stockwell.ts"
import * as Partners from "../../src/Partners.ts"
import * as OnlineRetail from "../../src/shop/OnlineRetail.ts"
import * as Replay from "../../src/shop/Replay.ts"

const firstDayMs = Date.UTC(2010, 11, 1)
const daysMs = Array.from({ length: 7 }, (_, day) => firstDayMs + day * Exports.dayMs)

const exported = Effect.gen(function* () {
  const orders = yield* OnlineRetail.load
  const { lives } = yield* Replay.plan(orders, { seed: "partners", liveFromMs: 0 })
  return { exports: yield* Exports.make(lives, { seed: "partners" }), lives }
})

const all = ({ returns, scans, shipments, stock }: Exports.Day) => [shipments, scans, returns, stock]

const rowsOf = (truths: ReadonlyArray<Truth>, table: string) =>
  truths.find((truth) => truth.table.name === table)?.rows ?? []

it.live("the same orders and seed give the same bytes", () =>
  Effect.gen(function* () {
    const [one, other] = [yield* exported, yield* exported]
    for (const day of daysMs) expect(all(one.exports.ofDay(day))).toEqual(all(other.exports.ofDay(day)))
  })
)

it.live("every file is of exactly one contract, and of sound ones", () =>
  Effect.gen(function* () {
    const { exports } = yield* exported
    expect(Partners.all.flatMap(FileContract.problems)).toEqual([])
    for (const { key } of daysMs.flatMap((day) => all(exports.ofDay(day)))) {
      expect(Partners.all.filter((contract) => FileContract.matches(contract, key))).toHaveLength(1)
    }
  })
)

it.live("a simple reader finds what the partners know in their files", () =>
  Effect.gen(function* () {
    const { exports } = yield* exported
    const dropped = daysMs.flatMap((day) => all(exports.ofDay(day)).map((delivery) => ({ delivery, modifiedMs: day })))
    const truths = PartnerFiles.fold(dropped)
    const endMs = firstDayMs + 7 * Exports.dayMs
    const shipped = exports.shipments.filter(({ states }) => (states[0]?.atMs ?? endMs) < endMs)
    const status = rowsOf(truths, "fct_shipment").map((row) => [row["shipment_id"], row["status"], row["updated_at"]])
    expect(status.toSorted()).toEqual(
      shipped
        .map(({ shipmentNo, states }) => {
          const last = states.findLast(({ atMs }) => atMs < endMs)
          return [shipmentNo, last?.status, String(Math.floor((last?.atMs ?? 0) / 1000) * 1000)]
        })
        .toSorted()
    )
    const scans = exports.shipments.flatMap((each) =>
      each.scans.filter(({ atMs }) => atMs >= firstDayMs && atMs < endMs)
    )
    expect(rowsOf(truths, "fct_shipment_event")).toHaveLength(scans.length)
    const returned = exports.returns.filter(({ receivedAtMs }) => receivedAtMs < endMs)
    const returns = rowsOf(truths, "fct_return")
    expect(returns.map((row) => row["return_id"]).toSorted()).toEqual(returned.map(({ number }) => number).toSorted())
    expect(returns.reduce((sum, row) => sum + BigInt(String(row["value_eur"]).replace(".", "")), 0n)).toBe(
      returned.reduce((sum, { valueMinor }) => sum + valueMinor, 0n)
    )
    expect(rowsOf(truths, "stock_level").filter((row) => row["counted_on"] === "2010-12-07")).toHaveLength(
      exports.shelves(endMs).length
    )
  })
)

it.live(
  "Fleetfoot writes a byte order mark, CRLF, quotes around commas and line breaks, and packs every second day",
  () =>
    Effect.gen(function* () {
      const { exports } = yield* exported
      const [plain, packed] = [exports.ofDay(firstDayMs + 2 * Exports.dayMs), exports.ofDay(firstDayMs + Exports.dayMs)]
      expect(plain.shipments.key).toBe("fleetfoot/shipments/shipments_20101203.csv")
      expect(packed.shipments.key).toBe("fleetfoot/shipments/shipments_20101202.csv.gz")
      for (const bytes of [plain.shipments.bytes, gunzipSync(packed.shipments.bytes)]) {
        const text = Buffer.from(bytes).toString("utf8")
        expect(text).toMatch(/^\u{feff}Shipment No,[^\n]*\r\n/u)
        expect(text).toContain(`"Next Day, before 12"`)
        expect(text).toContain(`"""Fragile"" care"`)
        expect(text).toContain(`"Gate code on file,\r\nring twice"`)
      }
      expect(Buffer.from(packed.scans.sidecar?.bytes ?? []).toString()).toMatch(/^rows=\d+\n$/)
      expect(Buffer.from(packed.scans.bytes).toString()).toMatch(/^FF\d+-1\|COLLECTED\|2010-12-02T\d\d:\d\d:\d\d\|/m)
    })
)

it.live(
  "a time in the hour that London's clocks show twice is written as they show it, and read as the earlier one",
  () =>
    Effect.gen(function* () {
      const { exports } = yield* exported
      const { shipments } = exports.ofDay(firstDayMs + Exports.dayMs)
      expect(gunzipSync(shipments.bytes).toString()).toContain("FF530001-1,530001,DPD")
      const row = PartnerFiles.read(shipments, 0)?.rows.find(({ shipment_id }) => shipment_id === "FF530001-1")
      expect(gunzipSync(shipments.bytes).toString()).toContain("31/10/2010 01:30")
      expect(row?.["handed_over_at"]).toBe(String(Date.UTC(2010, 9, 31, 0, 30)))
    })
)

it.live(
  "Rückweg writes umlauts in one byte, decimal commas and a last row of totals, which a broken file contradicts",
  () =>
    Effect.gen(function* () {
      const { exports } = yield* exported
      const from = daysMs.find((day) => PartnerFiles.read(exports.ofDay(day).returns, 0)?.rows.length) ?? 0
      const { bytes } = exports.ofDay(from).returns
      const text = Buffer.from(bytes).toString("latin1")
      expect(text).toMatch(/\r\nSUMME;\d+;;[\d.]+;;;;\r\n$/)
      expect(text).toMatch(/;\d{1,3}(\.\d{3})*,\d\d;\d\d\.\d\d\.2010 \d\d:\d\d\r\n/)
      const whole = daysMs.map((day) => Buffer.from(exports.ofDay(day).returns.bytes).toString("latin1")).join("")
      expect(whole).toMatch(/Gr\u{f6}\u{df}e/u)
      const broken = Rueckweg.returns(exports.returns, from, from + Exports.dayMs, { isBroken: true })
      expect(PartnerFiles.read(broken, 0)).toBeUndefined()
      const withCard = Rueckweg.returns(exports.returns, from, from + Exports.dayMs, { hasCard: true })
      expect(Buffer.from(withCard.bytes).toString("latin1")).toContain(Rueckweg.cardNumber)
    })
)

it.live(
  "Stockwell zips one member of UTF-16; its EANs have a right check digit; a corrected count may lack a row",
  () =>
    Effect.gen(function* () {
      const { exports } = yield* exported
      const shelves = exports.shelves(firstDayMs + Exports.dayMs)
      const full = Stockwell.stock(shelves, firstDayMs)
      const bytes = Buffer.from(full.bytes)
      const from = 30 + bytes.readUInt16LE(26)
      const member = inflateRawSync(bytes.subarray(from, from + bytes.readUInt32LE(18)))
      expect([...member.subarray(0, 4)]).toEqual([0xff, 0xfe, 0x44, 0])
      const check = (ean: string) =>
        Array.from(ean, Number).reduce((sum, digit, at) => sum + digit * (at % 2 === 0 ? 1 : 3), 0)
      expect(shelves.every(({ ean }) => /^50\d{11}$/.test(ean) && check(ean) % 10 === 0)).toBe(true)
      const corrected = Stockwell.stock(shelves.slice(1), firstDayMs)
      expect(corrected.key).toBe(full.key)
      const folded = (...deliveries: ReadonlyArray<typeof full>) =>
        rowsOf(PartnerFiles.fold(deliveries.map((delivery) => ({ delivery, modifiedMs: 0 }))), "stock_level")
      expect(folded(full)).toHaveLength(shelves.length)
      expect(folded(full, corrected)).toEqual(folded(corrected))
    })
)

it.live("yesterday's file that comes today does not win over today's", () =>
  Effect.gen(function* () {
    const { exports } = yield* exported
    const days = daysMs.map((day) => ({ delivery: exports.ofDay(day).returns, modifiedMs: 0 }))
    const sorted = (truths: ReadonlyArray<Truth>) =>
      rowsOf(truths, "fct_return").toSorted((a, b) => (String(a["return_id"]) < String(b["return_id"]) ? -1 : 1))
    const inOrder = sorted(PartnerFiles.fold(days))
    expect(inOrder.some(({ condition }) => condition === "Ausschuss")).toBe(true)
    expect(sorted(PartnerFiles.fold(days.toReversed()))).toEqual(inOrder)
  })
)
