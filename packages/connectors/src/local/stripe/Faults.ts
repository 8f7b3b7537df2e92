import type { Kind } from "./Objects.ts"

/** How a request may be made to go wrong. */
export type Refusal =
  /** 429, not executed; the header `Stripe-Rate-Limited-Reason` says `global-rate`. */
  | "rateLimited"
  /** 429 `lock_timeout`: another request changes the object. The package retries it, as the answer's header says. */
  | "locked"
  /** 409 `idempotency_key_in_use`. */
  | "conflict"
  /** 403: the key lacks the right. */
  | "forbidden"
  /** 404 `resource_missing`, whatever there is: what a key of another account or mode gets. */
  | "missing"
  /** 500, not executed. */
  | "broken"
  /** 503, not executed. */
  | "unavailable"
  /** The connection is cut before anything is done. */
  | "cutBefore"
  /** Executed, then the connection is cut: the caller cannot know. */
  | "cutAfter"

interface Planned {
  readonly refusal: Refusal
  /** A part of the path, such as `/v1/charges`. */
  readonly path: string
  times: number
}

/** A page that has just been answered. */
export interface ServedPage {
  readonly kind: Kind
  readonly ids: ReadonlyArray<string>
  readonly hasMore: boolean
}

/** From, to: each object draws its own delay between the two, in milliseconds of the world's time. */
export type Delay = readonly [fromMs: number, toMs: number]

/**
 * The switches of what goes wrong, all off at first; each may be set at any time and holds for what happens from then
 * on. Probabilities are between 0 and 1. Draws have their own seeded stream: a history with faults has the same
 * objects, ids and amounts as the same history without.
 */
export class Faults {
  /** How long lists show a new, changed or deleted object as it was, while its retrieval by id already answers. */
  listLagMs: Delay = [0, 0]
  /** How long a new event is missing from the list; its `created` stays the time of the change. */
  eventLagMs: Delay = [0, 0]
  /** How long after the change an event is created, with the object as it was: the order of events differs from that of the changes. */
  eventDelayMs: Delay = [0, 0]
  /** Share of the changes that have no event at all. */
  eventsMissing = 0
  /** Share of the events that come a second time, under another id, as Stripe's do. */
  eventsDuplicated = 0
  /** Share of the requests that are answered as `refuse` says, at random. */
  refusedAtRandom: ReadonlyArray<readonly [refusal: Refusal, share: number]> = []
  /**
   * Requests a second, in all and of one route, above which the answer is 429. As measured by the clock that the
   * server was started with, not by the world's time.
   */
  limits: { readonly perSecond: number; readonly perRoutePerSecond: number } | undefined = undefined
  /** Called when a page of a list was answered, before the next request: changes here happen in the middle of a page walk. */
  afterPage: ((page: ServedPage) => void) | undefined = undefined
  readonly #random: () => number
  readonly #planned: Array<Planned> = []

  constructor(random: () => number) {
    this.#random = random
  }

  /** The next `times` requests whose path contains `path` (default: any) go wrong in this way. */
  refuse(refusal: Refusal, options: { readonly times?: number; readonly path?: string } = {}): void {
    this.#planned.push({ refusal, path: options.path ?? "", times: options.times ?? 1 })
  }

  /** Takes what is planned or drawn for a request. */
  next(path: string): Refusal | undefined {
    const index = this.#planned.findIndex((planned) => path.includes(planned.path))
    const planned = this.#planned[index]
    if (planned !== undefined) {
      planned.times -= 1
      if (planned.times <= 0) this.#planned.splice(index, 1)
      return planned.refusal
    }
    return this.refusedAtRandom.find(([, share]) => this.happens(share))?.[0]
  }

  happens(share: number): boolean {
    return share > 0 && this.#random() < share
  }

  draw([fromMs, toMs]: Delay): number {
    return toMs === 0 ? 0 : fromMs + Math.floor(this.#random() * (toMs - fromMs + 1))
  }
}
