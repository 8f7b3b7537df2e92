/** How the account is set up. Amounts are minor units, rates basis points. */
export interface Settings {
  /** Where money of a currency that is not listed in `settlesIn` goes, converted. */
  readonly defaultCurrency: string
  /** The currencies with a bank account of their own. */
  readonly settlesIn: ReadonlyArray<string>
  /** Price of one major unit of a currency in US dollars: what a conversion multiplies by. */
  readonly rates: Readonly<Record<string, number>>
  readonly feeBasisPoints: number
  /** The fixed part of a payment's fee per settlement currency; 0 for others. */
  readonly feeFixed: Readonly<Record<string, number>>
  /** The fee of a dispute per settlement currency; 0 for others. Not given back when the dispute is won. */
  readonly disputeFee: Readonly<Record<string, number>>
  /** Days from a payment to the day at whose start (UTC) its money is available. */
  readonly availableAfterDays: number
  /** Hour (UTC) of the day after an automatic payout at which its balance transactions are linked to it. */
  readonly reconciledAtHour: number
}

/** A retailer in the United States with bank accounts in six currencies, paid out daily. */
export const retailer: Settings = {
  defaultCurrency: "usd",
  settlesIn: ["usd", "eur", "gbp", "jpy", "kwd", "cad"],
  rates: { usd: 1, eur: 1.08, gbp: 1.27, jpy: 0.0067, kwd: 3.26, cad: 0.73, sek: 0.095, krw: 0.00073, pln: 0.25 },
  feeBasisPoints: 290,
  feeFixed: { usd: 30, eur: 25, gbp: 20, jpy: 40, kwd: 100, cad: 30 },
  disputeFee: { usd: 1500, eur: 2000, gbp: 2000, jpy: 1500, kwd: 5000, cad: 1500 },
  availableAfterDays: 2,
  reconciledAtHour: 12
}

// A list of its own, not the one that the source reads with: a mistake in either must show.
const zeroDecimal = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(" ")
const threeDecimal = "bhd jod kwd omr tnd".split(" ")

/** Decimal places of a currency's minor unit as Stripe counts them. */
export const decimals = (currency: string): number =>
  zeroDecimal.includes(currency) ? 0 : threeDecimal.includes(currency) ? 3 : 2
