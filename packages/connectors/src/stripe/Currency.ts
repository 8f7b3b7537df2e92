/**
 * How many decimals Stripe's integer amounts have that are not the usual two, since when. Stripe's list of currencies,
 * https://docs.stripe.com/currencies, read 2026-11-23. An entry holds from its day until the next of its currency: when
 * Stripe changes a currency, a line is added, so that old amounts keep their meaning.
 *
 * ISK and UGX have no fraction in the world, but Stripe goes on taking and giving them with two decimals that are 00;
 * so it does HUF and TWD, whose payouts must be whole. Three-decimal amounts end in 0.
 */
const exponents: ReadonlyArray<readonly [currency: string, since: string, exponent: 0 | 2 | 3]> = [
  ...["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"].map(
    (currency) => [currency, "0001-01-01", 0] as const
  ),
  ...["bhd", "jod", "kwd", "omr", "tnd"].map((currency) => [currency, "0001-01-01", 3] as const)
]

/**
 * Decimals of Stripe's integer amounts of a currency (three letters in any case) on a day (`YYYY-MM-DD`): 500 with
 * exponent 2 is 5.00, with exponent 0 it is 500.
 */
export const moneyExponent = (currency: string, day: string): 0 | 2 | 3 => {
  const name = currency.toLowerCase()
  let found: 0 | 2 | 3 = 2
  for (const [of, since, exponent] of exponents) if (of === name && since <= day) found = exponent
  return found
}
