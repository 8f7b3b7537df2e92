import type { Random } from "effect"

/** Phrases of which notes consist; no data set ships real ones. */
const phrases = [
  "Leave with the neighbour at number 12 if nobody answers.",
  'Customer asked for gift wrapping in red; "no bows, please".',
  "Split delivery agreed: candles first, tins when back in stock.",
  "Called back: the invoice goes to head office, not to the store.",
  "Fragile: glass domes on top, bags of hooks below.",
  "Grüße aus Köln, bitte ohne Plastik verpacken.",
  "Loading bay closes at 4 pm; ring twice.",
  "Café counter order, weigh the parcel again before it leaves 📦."
]

/** Text of 3 to 6 kB: above the 2 kB from which PostgreSQL stores a value outside its row. */
export const draw = (random: Random.Random): string => {
  const lengthMin = 3000 + Math.floor(3000 * random.nextDoubleUnsafe())
  const entries: Array<string> = []
  for (let length = 0; length < lengthMin;) {
    const entry = `${entries.length + 1}. ${phrases[Math.floor(phrases.length * random.nextDoubleUnsafe())]}`
    entries.push(entry)
    length += entry.length + 1
  }
  return entries.join("\n")
}
