/** One line of a bill. `monthlyUsd` is `quantity` × `unitPriceUsd`, to the cent. */
export interface Line {
  readonly id: string
  readonly side: "snowflake" | "aws"
  readonly description: string
  /** Units a month. */
  readonly quantity: number
  readonly unit: string
  readonly unitPriceUsd: number
  readonly monthlyUsd: number
  /** What the quantity stands on. */
  readonly assumption: string
}

/** Whole cents. */
export const round = (usd: number): number => Math.round(usd * 100) / 100

/** A line with its price worked out. */
export const line = (
  side: Line["side"],
  id: string,
  description: string,
  amount: { readonly quantity: number; readonly unit: string; readonly unitPriceUsd: number },
  assumption: string
): Line => ({ id, side, description, ...amount, monthlyUsd: round(amount.quantity * amount.unitPriceUsd), assumption })
