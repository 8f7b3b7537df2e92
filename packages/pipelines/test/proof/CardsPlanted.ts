import { samples, withCheckDigit, written } from "../../../connectors/test/cards/CardNumbers.ts"
import type { Planted } from "./CardsScan.ts"
import type { Dice } from "./SourcesDice.ts"

/** Card data made for planting, and kept in mind: every brand, every spelling. */
export class CardsPlanted implements Planted {
  readonly numbers: Array<string> = []
  readonly texts: Array<string> = []
  private readonly dice: Dice
  private count = 0

  constructor(dice: Dice) {
    this.dice = dice
  }

  /** A new number, plain. */
  number(): string {
    const [, prefix, length] = samples[this.count++ % samples.length] ?? ["visa", "4", 16]
    const digits = Array.from({ length: 19 }, () => this.dice.below(10)).join("")
    const number = withCheckDigit((prefix + digits).slice(0, length - 1))
    // Some numbers of 13 digits are product codes as well, and nobody can tell them apart.
    if (length === 13) return this.number()
    this.numbers.push(number)
    return number
  }

  /** A new number in one of the ways in which numbers are written. */
  spelled(): string {
    return this.dice.pick(written)(this.number())
  }

  /** A text with a new number in it. */
  sentence(): string {
    return `please charge ${this.spelled()}, thanks`
  }

  /** The magnetic stripe of a new card. */
  track(): string {
    const name = this.secret("HOLDER")
    return `%B${this.number()}^${name}/A^2812101${this.dice.below(1e9)}?`
  }

  /** A verification value that can be told from all other digits. */
  verification(): string {
    return this.secret("CVV")
  }

  private secret(kind: string): string {
    const text = `${kind}${this.dice.below(1e9).toString(36).toUpperCase()}Q`
    this.texts.push(text)
    return text
  }
}
