import { createHash } from "node:crypto"
import type { StripeObject } from "./Client.ts"
import type { Walk } from "./Position.ts"
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
  /** Notes that a walk has met an object. */
  readonly meet: (table: string, object: StripeObject, walk: Walk) => void
  /** At a walk's end: ids of its range that an earlier walk has met and this one has not. */
  readonly unmet: (table: string, walk: Walk) => ReadonlyArray<string>
  /** The object is gone: no walk has to meet it any more. */
  readonly forget: (id: string) => void
}

/** About 100 bytes each. */
const rowsMax = 500_000
const eventsMax = 200_000
/** Objects that one walk is said to miss: each costs a request. The next one says others. */
const unmetMax = 1000

/** Knows nothing yet. */
export const make = (): Seen => {
  const rows = new Map<string, string>()
  const events = new Map<string, string>()
  const met = new Map<string, { readonly table: string; readonly created: number; readonly begunMs: number }>()
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
    },
    meet: (table, { created, id }, { begunMs }) => put(met, id, { table, created, begunMs }, rowsMax),
    unmet: (table, { begunMs, since, until }) => {
      const ids: Array<string> = []
      for (const [id, last] of met) {
        const isOfWalk = last.table === table && last.created >= since && last.created <= until
        if (isOfWalk && last.begunMs < begunMs && ids.push(id) === unmetMax) break
      }
      // Those that are there after all count as met, so that the next walk asks for others.
      for (const id of ids) met.set(id, { ...met.get(id)!, begunMs })
      return ids
    },
    forget: (id) => met.delete(id)
  }
}

/** Puts an entry at the young end, and lets the oldest go when there are too many. */
const put = <A>(entries: Map<string, A>, id: string, value: A, max: number): void => {
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
