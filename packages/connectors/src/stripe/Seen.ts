import { createHash } from "node:crypto"
import type { Texts } from "./Shape.ts"

/**
 * What a read has handed over, so that an object read again unchanged is not handed over again, and an event listed again
 * is not followed again. Bounded: what was used least recently is forgotten, which costs a repeat and nothing else.
 */
export interface Seen {
  /** The digest of an object's newest row, or `undefined` when it is not known. */
  readonly rowOf: (id: string) => string | undefined
  readonly setRow: (id: string, digest: string) => void
  /** Whether the event is new; it is known from now on. */
  readonly isNewEvent: (id: string) => boolean
}

/** About 100 bytes each. */
const rowsMax = 500_000
const eventsMax = 200_000

/** Knows nothing yet. */
export const make = (): Seen => {
  const rows = new Map<string, string>()
  const events = new Map<string, string>()
  return {
    rowOf: (id) => {
      const digest = rows.get(id)
      if (digest !== undefined) put(rows, id, digest, rowsMax)
      return digest
    },
    setRow: (id, digest) => put(rows, id, digest, rowsMax),
    isNewEvent: (id) => {
      const isNew = !events.has(id)
      put(events, id, "", eventsMax)
      return isNew
    }
  }
}

/** Puts an entry at the young end, and lets the oldest go when there are too many. */
const put = (entries: Map<string, string>, id: string, value: string, max: number): void => {
  entries.delete(id)
  entries.set(id, value)
  if (entries.size <= max) return
  for (const oldest of entries.keys()) {
    entries.delete(oldest)
    return
  }
}

/** The digest of a row, and of a deleted one. */
export const digestOf = (texts: Texts | undefined): string =>
  texts === undefined ? "deleted" : createHash("sha256").update(JSON.stringify(texts)).digest("base64").slice(0, 24)
