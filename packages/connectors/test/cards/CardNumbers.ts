import { Arbitrary, Schema } from "effect"
import type { Brand } from "../../src/cards/IssuerRanges.ts"

/** First digits and length of numbers as the brands issue them. */
export const samples: ReadonlyArray<readonly [Brand, string, number]> = [
  ["visa", "4", 13],
  ["visa", "4", 16],
  ["visa", "4", 19],
  ["mastercard", "51", 16],
  ["mastercard", "55", 16],
  ["mastercard", "2221", 16],
  ["mastercard", "2720", 16],
  ["amex", "34", 15],
  ["amex", "37", 15],
  ["discover", "6011", 16],
  ["discover", "649", 16],
  ["discover", "65", 19],
  ["diners", "305", 14],
  ["diners", "36", 14],
  ["diners", "39", 16],
  ["jcb", "3528", 16],
  ["jcb", "3589", 19],
  ["jcb", "1800", 15],
  ["unionpay", "62", 16],
  ["unionpay", "62", 19],
  ["unionpay", "814", 16],
  ["maestro", "50", 16],
  ["maestro", "6759", 18],
  ["maestro", "67", 19],
  ["mir", "2204", 16],
  ["troy", "9792", 16]
]

/** Appends the digit that makes a number valid. */
export const withCheckDigit = (digits: string): string => {
  let sum = 0
  for (const [index, digit] of Array.from(digits).toReversed().entries()) {
    const value = Number(digit)
    sum += index % 2 === 1 ? value : value > 4 ? value * 2 - 9 : value * 2
  }
  return digits + String((10 - (sum % 10)) % 10)
}

const isProductCode = (digits: string): boolean =>
  digits.length === 13 &&
  Array.from(digits).reduce((sum, digit, index) => sum + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0

const digit = Schema.Literals(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])

/** Card numbers of all brands, but those of 13 digits that are product codes too. */
export const cardNumber: Arbitrary.Arbitrary<string> = Arbitrary.all({
  sample: Arbitrary.schema(Schema.Literals(samples.map((_, index) => index))),
  digits: Arbitrary.array(Arbitrary.schema(digit), { minLength: 19, maxLength: 19 })
}).pipe(
  Arbitrary.map(({ digits, sample }) => {
    const [, prefix, length] = samples.at(sample)!
    const number = withCheckDigit((prefix + digits.join("")).slice(0, length - 1))
    return isProductCode(number) ? "4222222222222" : number
  })
)

/** In fours, as printed; a Visa number of 13 digits as 4-3-3-3, American Express as 4-6-5. */
const grouped = (digits: string, separator: string): string => {
  const sizes = digits.length === 13 ? [4, 3, 3, 3] : digits.length === 15 ? [4, 6, 5] : [4, 4, 4, 4, 4]
  const groups: Array<string> = []
  for (const size of sizes) groups.push(digits.slice(groups.join("").length).slice(0, size))
  return groups.filter((group) => group !== "").join(separator)
}

/** Ways in which people and programs write a number of `digits`. */
export const written: ReadonlyArray<(digits: string) => string> = [
  (digits) => digits,
  (digits) => grouped(digits, " "),
  (digits) => grouped(digits, "-"),
  (digits) => grouped(digits, "\u00a0"),
  (digits) => grouped(digits, "\u2011"),
  (digits) => grouped(digits, "\u2009"),
  (digits) => grouped(digits, "--"),
  (digits) => grouped(digits, "  "),
  (digits) => grouped(digits, " \u2013 "),
  (digits) => (digits.length === 13 ? digits : Array.from(digits).join(" ")),
  (digits) => digits.padStart(digits.length === 13 ? 13 : 19, "0")
]

/** Texts around a number. */
export const settings: ReadonlyArray<(number: string) => string> = [
  (number) => number,
  (number) => `pay with ${number} 12/28 123, thanks`,
  (number) => `2 x ${number}`,
  (number) => `Karte:${number}.`,
  (number) => `export_${number}_final.csv`,
  (number) => `https://shop.example/pay?pan=${number}&cvc=1`,
  (number) => `🛒é${number}🛒`,
  (number) => `${number} ${number}`
]
