/** Who issues a card number, as its first digits tell. */
export type Brand =
  | "visa"
  | "mastercard"
  | "amex"
  | "discover"
  | "diners"
  | "jcb"
  | "unionpay"
  | "maestro"
  | "mir"
  | "troy"

interface Issuer {
  readonly brand: Brand
  /** First digits, or the first and the last of a range of them; at most six digits, both of equal length. */
  readonly prefixes: ReadonlyArray<string | readonly [string, string]>
  /** Numbers of digits that are looked for. */
  readonly lengths: ReadonlyArray<number>
}

/**
 * Ranges as of 23 November 2026, after ISO/IEC 7812's public summaries: the table of the package credit-card-type
 * (github.com/braintree/credit-card-type, commit 0bac61c) and "Payment card number" of Wikipedia. Where they differ the
 * wider one counts, with these exceptions:
 * - Maestro may have any length from 12 to 19, but is issued with 16, 18 or 19. At 13 digits a tenth of the product codes
 *   that begin with 50 (the United Kingdom's), 57, 59, 60 or 64 would look like it.
 * - UATP (15 digits from 1) is no card that a shop is paid with.
 * Maestro's range holds those of RuPay, Elo, Verve, Dankort, Hipercard and InterPayment that begin with 50, 60 and 63.
 */
const issuers: ReadonlyArray<Issuer> = [
  { brand: "visa", prefixes: ["4"], lengths: [13, 16, 18, 19] },
  {
    brand: "mastercard",
    prefixes: [
      ["51", "55"],
      ["2221", "2720"]
    ],
    lengths: [16]
  },
  { brand: "amex", prefixes: ["34", "37"], lengths: [15] },
  { brand: "discover", prefixes: ["6011", ["644", "649"], "65"], lengths: [16, 17, 18, 19] },
  { brand: "diners", prefixes: [["300", "305"], "3095", "36", "38", "39"], lengths: [14, 16, 19] },
  { brand: "jcb", prefixes: [["3528", "3589"]], lengths: [16, 17, 18, 19] },
  { brand: "jcb", prefixes: ["1800", "2131"], lengths: [15] },
  { brand: "unionpay", prefixes: ["62", ["810", "817"]], lengths: [16, 17, 18, 19] },
  { brand: "mir", prefixes: [["2200", "2204"]], lengths: [16, 17, 18, 19] },
  { brand: "troy", prefixes: ["9792"], lengths: [16] },
  { brand: "maestro", prefixes: ["50", ["56", "59"], "60", "63", "67"], lengths: [16, 18, 19] }
]

/** Fewest and most digits of a number that is looked for. */
export const digitsMin = 13
export const digitsMax = 19

/** Six digits tell the issuer, as far as this table goes. */
const prefixDigits = 6

/** Per first six digits: bit `n − digitsMin` is set where numbers of `n` digits exist. */
const lengthsByPrefix = new Uint8Array(10 ** prefixDigits)

for (const { lengths, prefixes } of issuers) {
  const bits = lengths.reduce((all, length) => all | (1 << (length - digitsMin)), 0)
  for (const prefix of prefixes) {
    const [first, last] = typeof prefix === "string" ? [prefix, prefix] : prefix
    const end = Number(last.padEnd(prefixDigits, "9"))
    for (let at = Number(first.padEnd(prefixDigits, "0")); at <= end; at++) lengthsByPrefix[at]! |= bits
  }
}

/** Lengths that a card number may have which starts with these six digits: bit `n − digitsMin` for `n` digits. */
export const lengthBits = (firstSix: number): number => lengthsByPrefix[firstSix] as number

/** The brand of a card number; `undefined` where its first digits are nobody's. */
export const brandOf = (digits: string): Brand | undefined =>
  issuers.find(({ prefixes }) =>
    prefixes.some((prefix) => {
      const [first, last] = typeof prefix === "string" ? [prefix, prefix] : prefix
      const start = digits.slice(0, first.length)
      return start.length === first.length && start >= first && start <= last
    })
  )?.brand
