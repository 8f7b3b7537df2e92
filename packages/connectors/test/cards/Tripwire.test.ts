import { randomUUID } from "node:crypto"
import { assert, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { brandOf } from "../../src/cards/IssuerRanges.ts"
import { hitsIn, maskText } from "../../src/cards/Tripwire.ts"
import { cardNumber, samples, settings, withCheckDigit, written } from "./CardNumbers.ts"

const digitsOf = (text: string) => {
  const bytes = Buffer.from(text)
  return hitsIn(bytes, 0, bytes.length).map(({ digits }) => digits)
}

it.prop("C1 card data: numbers of all brands are found however they are written", { cardNumber }, (given) => {
  for (const write of written) {
    for (const place of settings) {
      const masked = maskText(place(write(given.cardNumber)))
      assert.notInclude(masked.replaceAll(/[^\d]/g, ""), given.cardNumber)
      assert.include(masked, "[card number removed]")
    }
  }
})

it("C1 card data: a number is found wherever in a text it stands", () => {
  for (let before = 0; before < 40; before++) {
    for (let after = 0; after < 20; after++) {
      for (const number of ["4222222222222", "378282246310005", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"]) {
        const text = `${"x".repeat(before)}${number}${"7é".repeat(after).slice(1)}`
        const expected =
          after > 0 ? text.replace(number, "[card number removed]") : `${text.replace(number, "")}[card number removed]`
        assert.strictEqual(maskText(text), expected)
      }
    }
  }
})

const runsOfSeparators = ["  ", " - ", " -- ", "\u00a0\u2013\u00a0", "    "]
const figures = Arbitrary.array(Arbitrary.schema(Schema.Literals(["0", "1", "4", "5", "9"])), {
  minLength: 1,
  maxLength: 9
}).pipe(Arbitrary.map((digits) => digits.join("")))
const gaps = Arbitrary.array(Arbitrary.schema(Schema.Literals(runsOfSeparators)), { minLength: 2, maxLength: 2 })

/** For each digit of a text, whether it was masked. */
const maskedDigits = (text: string) => {
  const bytes = Buffer.from(text)
  const hits = hitsIn(bytes, 0, bytes.length)
  return [...bytes.entries()]
    .filter(([, byte]) => byte >= 0x30 && byte <= 0x39)
    .map(([at]) => hits.some(({ from, to }) => from <= at && at < to))
}

it.prop(
  "C1 card data: what is found with single separators is found with several, too",
  { cardNumber, before: figures, behind: figures, gaps },
  (given) => {
    for (const write of written) {
      const parts = [given.before, write(given.cardNumber), given.behind]
      const single = maskedDigits(parts.join(" "))
      const several = maskedDigits(`${parts[0]}${given.gaps[0]}${parts[1]}${given.gaps[1]}${parts[2]}`)
      assert.deepStrictEqual(
        several.map((isMasked, index) => isMasked || single[index]),
        several
      )
      assert.notInclude(maskText(`${parts[0]}${given.gaps[0]}${parts[1]}`).replaceAll(/[^\d]/g, ""), given.cardNumber)
    }
  }
)

it("C1 card data: no number before it, with several separators between, hides a card number or track data", () => {
  for (let prefix = 9000; prefix < 9600; prefix++) {
    for (const gap of runsOfSeparators) {
      assert.strictEqual(maskText(`${prefix}${gap}4111111111111111`), `${prefix}${gap}[card number removed]`)
      assert.include(maskText(`${prefix}17${gap}4012 8888 8888 1881`), "[card number removed]")
    }
  }
  // Neither has the check digit of a number: their form tells.
  assert.strictEqual(maskText("9101  4111111111111112^DOE/JOHN^2601101?"), "9101  [track data removed]")
  assert.strictEqual(
    maskText("4111111111111111  4111111111111112=26011010000"),
    "[card number removed]  [track data removed]"
  )
})

it("numbers that schemes publish for tests are found, with their brand", () => {
  const published = [
    ["4111111111111111", "visa"],
    ["4222222222222", "visa"],
    ["5555555555554444", "mastercard"],
    ["2223003122003222", "mastercard"],
    ["378282246310005", "amex"],
    ["6011111111111117", "discover"],
    ["30569309025904", "diners"],
    ["3530111333300000", "jcb"],
    ["6200000000000005", "unionpay"],
    ["6759649826438453", "maestro"]
  ] as const
  for (const [number, brand] of published) {
    assert.deepStrictEqual(digitsOf(number), [number])
    assert.strictEqual(brandOf(number), brand)
  }
  for (const [brand, prefix, length] of samples) {
    assert.strictEqual(brandOf(prefix.padEnd(length, "0")), brand)
  }
})

it("a wrong check digit, a longer number, another issuer and a code of a product are let pass", () => {
  const texts = [
    "4111111111111112",
    "41111111111111110000",
    `9${withCheckDigit("999999999999999").slice(1)}`,
    // An EAN that has the check digit of a card number too.
    "4000000000006",
    "6b29fc40-4111-1111-9111-111111111111",
    "0d4111111111111111aa0d4111111111111111aa0d4111111111111111aa0d41",
    "2026-09-21 13:20:00.123456+00",
    "+44 20 7946 0958",
    // Phone numbers whose digits have a check digit.
    "+4915112345673",
    "0049-151-12345673",
    // A tracking number of the US Postal Service in which four groups are one of a card.
    "9400 4111 1111 1111 1111 08",
    // Columns of a table in a text.
    "4111 1111     1111 1111",
    "4111.1111.1111.1111",
    "tok_v1_47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
  ]
  for (const text of texts) assert.strictEqual(maskText(text), text)
})

it("C1 card data: track data goes whole, whatever its check digit", () => {
  const tracks = [
    "%B4111111111111111^DOE/JOHN^26011010000000000000?",
    "%B4111 1111 1111 1112^DOE/JOHN^2601101?",
    ";4111111111111111=26011010000000000000?",
    "4111111111111112=2601101123456789",
    "4111111111111111D26011010000012300000"
  ]
  for (const track of tracks) assert.strictEqual(maskText(`swiped ${track} ok`), "swiped [track data removed] ok")
  assert.strictEqual(maskText("4111111111111111=2"), "[card number removed]=2")
})

it.prop(
  "texts without a number come back as they are",
  {
    text: Arbitrary.schema(Schema.Union([Schema.String, Schema.Literals(["🛒 no 12 34", "1 - 2 - 3", "\u00a0\u2013"])]))
  },
  ({ text }) => assert.strictEqual(maskText(text.replaceAll(/\d/g, "x")), text.replaceAll(/\d/g, "x"))
)

it("UUIDs and digests of any digits are let pass", () => {
  for (let round = 0; round < 20_000; round++) {
    const id = randomUUID()
    assert.strictEqual(maskText(id), id)
    // A digest of digits alone may be anything.
    const hex = `a${id.replaceAll("-", "")}`
    assert.strictEqual(maskText(hex), hex)
  }
})
