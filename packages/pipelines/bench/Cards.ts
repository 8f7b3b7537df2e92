/**
 * `npm run bench:cards`: how often the tripwire takes for a card number what is none, and what the guard costs. Prints
 * the tables of docs/card-data.md.
 */
import * as CardKeys from "@northstar/connectors/cards/CardKeys"
import * as CardGuard from "@northstar/connectors/cards/CardGuard"
import { maskText } from "@northstar/connectors/cards/Tripwire"
import { type Block, opUpsert } from "@northstar/connectors/landing/Block"
import { BlockBuilder, relation } from "@northstar/connectors/landing/BlockBuilder"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { Effect, Redacted } from "effect"
import { createHash, randomBytes, randomInt, randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { median } from "./Measure.ts"

const samples = 200_000
const blockRows = 10_000
const rounds = 30

const digits = (count: number): string => Array.from({ length: count }, () => randomInt(10)).join("")

/** The digit that makes weights of 3 and 1 from the right add up to a multiple of ten: GS1's and USPS's check digit. */
const gs1 = (text: string): string => {
  const sum = Array.from(text)
    .toReversed()
    .reduce((all, digit, index) => all + Number(digit) * (index % 2 === 0 ? 3 : 1), 0)
  return text + String((10 - (sum % 10)) % 10)
}

const nowMs = Date.parse("2026-11-23T12:00:00Z")
const instant = () => new Date(nowMs - randomInt(400 * 86_400_000))

const shipper = () => Array.from({ length: 6 }, () => randomInt(36).toString(36).toUpperCase()).join("")

/** Texts that shops and carriers write, each a new one per call. */
const kinds: ReadonlyArray<readonly [string, () => string]> = [
  ["order id, 6 to 12 digits", () => digits(6 + randomInt(7))],
  ["order id with prefix (N-2026-00123456)", () => `N-2026-${digits(8)}`],
  ["order id, 13 random digits", () => digits(13)],
  ["order id, 16 random digits", () => `${1 + randomInt(9)}${digits(15)}`],
  ["order id, 19 random digits", () => `${1 + randomInt(9)}${digits(18)}`],
  [
    "snowflake id (Twitter's epoch)",
    () => String((BigInt(instant().getTime() - 1_288_834_974_657) << 22n) | BigInt(randomInt(4_194_304)))
  ],
  ["UUID", () => randomUUID()],
  ["SHA-256, hexadecimal", () => createHash("sha256").update(randomBytes(16)).digest("hex")],
  ["base64url of 32 bytes", () => randomBytes(32).toString("base64url")],
  ["UPS (1Z, shipper of 6 letters and digits, 10 digits)", () => `1Z${shipper()}${digits(10)}`],
  ["UPS with a shipper of 6 digits", () => `1Z${digits(16)}`],
  ["FedEx Express, 12 digits", () => digits(12)],
  ["FedEx Ground, 15 digits", () => `${1 + randomInt(9)}${digits(14)}`],
  ["FedEx SmartPost, 20 digits from 92", () => gs1(`92${digits(17)}`)],
  ["DHL Express, 10 digits", () => digits(10)],
  ["DHL eCommerce (GM and 16 digits)", () => `GM${digits(16)}`],
  ["DHL parcel Germany, 20 digits from 00", () => gs1(`00${digits(17)}`)],
  ["USPS IMpb, 22 digits from 94", () => gs1(`94${digits(19)}`)],
  ["USPS IMpb in groups of four", () => gs1(`94${digits(19)}`).replaceAll(/(\d{4})(?=\d)/g, "$1 ")],
  ["Royal Mail (AB123456789GB)", () => `AB${digits(9)}GB`],
  ["EAN-13, any prefix", () => gs1(digits(12))],
  ["EAN-13 from 40 to 44 (Germany)", () => gs1(`4${randomInt(5)}${digits(10)}`)],
  ["EAN-13 from 50 (United Kingdom)", () => gs1(`50${digits(10)}`)],
  ["GTIN-14", () => gs1(digits(13))],
  ["SSCC, 18 digits", () => gs1(digits(17))],
  ["IMEI, 15 digits from 35", () => `35${digits(13)}`],
  ["IBAN (GB, in groups of four)", () => `GB${digits(2)} NWBK ${digits(4)} ${digits(4)} ${digits(4)} ${digits(2)}`],
  ["IBAN (DE, 20 digits)", () => `DE${digits(20)}`],
  ["phone, +44 20 7946 0958", () => `+44 20 ${digits(4)} ${digits(4)}`],
  ["phone, 0049-151-23456789", () => `0049-15${randomInt(10)}-${digits(8)}`],
  ["phone, +4915123456789", () => `+4915${digits(9)}`],
  ["phone, 4915123456789 (digits only)", () => `4915${digits(9)}`],
  ["two numbers of 8 digits with a space between", () => `${digits(8)} ${digits(8)}`],
  ["two numbers of 8 digits with two spaces between", () => `${digits(8)}  ${digits(8)}`],
  ["two numbers of 8 digits with a dash and spaces between", () => `${digits(8)} - ${digits(8)}`],
  ["two phones with a space between", () => `020 7946 ${digits(4)} 020 7946 ${digits(4)}`],
  ["timestamp, 2026-11-23 12:00:00.123456+00", () => `${instant().toISOString().slice(0, 23).replace("T", " ")}456+00`],
  ["timestamp, 20261123120000123", () => instant().toISOString().replaceAll(/\D/g, "")],
  ["Unix milliseconds", () => String(instant().getTime())],
  ["Unix microseconds", () => `${instant().getTime()}${digits(3)}`],
  ["float in a text column (0.1234567890123456)", () => String(randomInt(2 ** 47) / 2 ** 47)]
]

const falsePositives = () => {
  const rows = kinds.map(([name, make]) => {
    let hits = 0
    for (let n = 0; n < samples; n++) {
      const text = make()
      if (maskText(text) !== text) hits++
    }
    return `| ${name} | ${hits} | ${((100 * hits) / samples).toPrecision(2)} % |`
  })
  const csv = readFileSync(join(import.meta.dirname, "../data/online-retail-2010-12.csv"), "utf8").split("\n")
  const real = csv.filter((line) => maskText(line) !== line).length
  return [
    `| what | hits in ${samples.toLocaleString("en")} | share |`,
    "|---|---|---|",
    ...rows,
    `| real order lines (${csv.length.toLocaleString("en")} lines of CSV) | ${real} | ${((100 * real) / csv.length).toPrecision(2)} % |`
  ].join("\n")
}

const names = [
  "id",
  "order_number",
  "kind",
  "customer_id",
  "country",
  "status",
  "currency",
  "total_minor",
  "placed_at",
  "updated_at",
  "notes",
  "details",
  "card"
]
const orders = Table.make("orders", {
  columns: Object.fromEntries(
    names.map((name) => [name, Column.nullable(name === "card" ? Column.pci(Column.text) : Column.text)])
  ),
  key: ["id"]
})

const words = "please leave the parcel with the neighbour at number 12, thank you".split(" ")
const texts = (row: number, card: string | null, note: string): ReadonlyArray<string | null> => {
  const at = `${instant().toISOString().slice(0, 23).replace("T", " ")}456+00`
  const details = JSON.stringify({
    channel: "web",
    lines: 1 + (row % 9),
    payment: "pi_3QK9vR2eZvKYlo2C1pX",
    total: 123.45
  })
  return [
    `${1_000_000_000 + row}`,
    `N${1_000_000_000 + row}`,
    "sale",
    `${12_000 + row}`,
    "United Kingdom",
    "placed",
    "GBP",
    `${row * 13}`,
    at,
    at,
    note,
    details,
    card
  ]
}

const block = (card: (row: number) => string | null, note: (row: number) => string): Block => {
  const shape = relation(
    orders.source,
    names.map((name) => ({ name, type: "text", key: name === "id" }))
  )
  const builder = new BlockBuilder(shape)
  for (let row = 0; row < blockRows; row++) {
    builder.begin(opUpsert, 1n, row, 0n)
    for (const [column, text] of texts(row, card(row), note(row)).entries()) {
      if (text === null) continue
      const bytes = Buffer.from(text)
      builder.value(column, bytes, 0, bytes.length)
    }
  }
  return builder.finish()
}

const note = (): string => Array.from({ length: 12 }, () => words[randomInt(words.length)]).join(" ")
const card = (row: number) => `4111${String(row).padStart(12, "0")}`

const costs = Effect.gen(function* () {
  const keys = Effect.asSome(CardKeys.parse(Redacted.make(randomBytes(32).toString("base64"))))
  const protect = yield* CardGuard.protector({ tables: [orders], keys, policy: "tokenise" })
  const long = note().repeat(50)
  const cases = [
    ["orders, 13 columns, nothing in them", block(() => null, note)],
    [
      "the same, notes of 3.5 kB",
      block(
        () => null,
        () => long
      )
    ],
    [
      "the same, notes of sixteen digits that are no card number",
      block(
        () => null,
        (row) => `9${String(row).padStart(15, "0")}`
      )
    ],
    [
      "the same, a card number in every 100th note",
      block(
        () => null,
        (row) => (row % 100 === 0 ? "4111 1111 1111 1111" : note())
      )
    ],
    ["the same, a pci column filled", block(card, note)]
  ] as const
  const rows = cases.map(([name, given]) => {
    const bytes = given.columns.reduce((sum, column) => sum + column.bytes.length, 0)
    const took = Array.from({ length: rounds }, () => {
      const before = process.cpuUsage()
      for (let turn = 0; turn < 5; turn++) protect(given)
      const { user, system } = process.cpuUsage(before)
      return ((user + system) * 1000) / 5
    })
    const ns = median(took.slice(5))
    return `| ${name} | ${Math.round(bytes / blockRows)} | ${Math.round(ns / blockRows)} | ${(ns / bytes).toFixed(2)} |`
  })
  return ["| rows | bytes a row | CPU ns a row | CPU ns a byte |", "|---|---|---|---|", ...rows].join("\n")
})

console.log(`${await Effect.runPromise(costs)}\n\n${falsePositives()}`)
