/** How a collection is asked for a page. Times are Unix seconds, bounds inclusive. */
export interface PageQuery {
  readonly limit: number
  /** Only older than this object. */
  readonly startingAfter?: string | undefined
  /** Only newer than this object. */
  readonly endingBefore?: string | undefined
  readonly createdFrom: number
  readonly createdThrough: number
  /** Field name to the values it may have. */
  readonly where: ReadonlyArray<readonly [field: string, values: ReadonlyArray<string>]>
}

export interface Page<A> {
  /** Newest first. */
  readonly data: Array<A>
  readonly hasMore: boolean
}

/** A change as lists show it; without an item it is a removal. */
interface Late<A> {
  readonly item: A | undefined
  readonly listedFromMs: number
}

type Field<A> = (item: A) => string | null

/**
 * The objects of one type in the order of their creation, which is also the order of `created`. A page costs its own
 * length and a binary search, whatever the number of objects: each indexed field has its list of places per value.
 * Objects are never changed in place, so events and answers may share them.
 */
export class Collection<A extends { readonly id: string; readonly created: number }> {
  readonly #items: Array<A> = []
  /** World time (ms) from which an object is in lists. */
  readonly #listedFromMs: Array<number> = []
  /** Of objects whose last changes are late in lists: what lists showed before, and from when on they show each change. */
  readonly #late = new Map<number, Array<Late<A>>>()
  readonly #removed = new Set<string>()
  readonly #places = new Map<string, number>()
  readonly #indexed: Readonly<Record<string, Field<A>>>
  readonly #scanned: Readonly<Record<string, Field<A>>>
  readonly #postings = new Map<string, Array<number>>()

  /** `indexed` fields must keep their value for life; `scanned` ones are compared at reading, row by row. */
  constructor(indexed: Readonly<Record<string, Field<A>>>, scanned: Readonly<Record<string, Field<A>>> = {}) {
    this.#indexed = indexed
    this.#scanned = scanned
  }

  add(item: A, listedFromMs: number): void {
    const place = this.#items.push(item) - 1
    this.#listedFromMs.push(listedFromMs)
    this.#places.set(item.id, place)
    for (const field in this.#indexed) {
      const value = this.#indexed[field]?.(item) ?? null
      if (value !== null) this.#post(field, value, place)
    }
  }

  /** Puts an object under a value of a field that the object itself does not show; in the order of creation. */
  link(field: string, value: string, id: string): void {
    const place = this.#places.get(id)
    if (place !== undefined) this.#post(field, value, place)
  }

  /** `get` answers the new object at once, lists show it `lagMs` later. */
  replace(item: A, nowMs: number, lagMs: number): void {
    const place = this.#places.get(item.id)
    if (place === undefined) return
    this.#change(place, item, nowMs, lagMs)
    this.#items[place] = item
  }

  /** Removed at once, and out of lists for good `lagMs` later. */
  remove(id: string, nowMs: number, lagMs: number): void {
    const place = this.#places.get(id)
    if (place === undefined) return
    this.#change(place, undefined, nowMs, lagMs)
    this.#removed.add(id)
  }

  get(id: string): A | undefined {
    const place = this.#places.get(id)
    return place === undefined ? undefined : this.#items[place]
  }

  /** In the order of creation. */
  get all(): ReadonlyArray<A> {
    return this.#items
  }

  isRemoved(id: string): boolean {
    return this.#removed.has(id)
  }

  page(query: PageQuery, nowMs: number): Page<A> {
    const low = this.#placeOf(query.endingBefore, -1) + 1
    const high = this.#placeOf(query.startingAfter, this.#items.length)
    const from = Math.max(low, this.#firstFrom(query.createdFrom))
    const to = Math.min(high, this.#firstFrom(query.createdThrough + 1))
    const [driver, ...rest] = this.#lists(query)
    const isNewestFirst = query.endingBefore === undefined
    const data: Array<A> = []
    for (const place of walk(driver ?? [undefined], from, to, isNewestFirst)) {
      const item = this.#listed(place, nowMs)
      if (item === undefined || (this.#listedFromMs[place] ?? 0) > nowMs) continue
      if (!rest.every((lists) => lists.some((list) => list[lowerBound(list, place)] === place))) continue
      if (!this.#matches(query, item)) continue
      if (data.length === query.limit) return { data: isNewestFirst ? data : data.toReversed(), hasMore: true }
      data.push(item)
    }
    return { data: isNewestFirst ? data : data.toReversed(), hasMore: false }
  }

  #change(place: number, item: A | undefined, nowMs: number, lagMs: number): void {
    if (lagMs === 0 && !this.#late.has(place)) return
    const late = this.#late.get(place) ?? [{ item: this.#items[place], listedFromMs: -Infinity }]
    late.push({ item, listedFromMs: nowMs + lagMs })
    this.#late.set(place, late)
  }

  /** What lists show of a place. As time only moves forward, what came before that is forgotten. */
  #listed(place: number, nowMs: number): A | undefined {
    const item = this.#items[place]
    const late = this.#late.get(place)
    if (late === undefined) return item === undefined || this.#removed.has(item.id) ? undefined : item
    late.splice(
      0,
      late.findLastIndex(({ listedFromMs }) => listedFromMs <= nowMs)
    )
    if (late.length === 1) this.#late.delete(place)
    return late[0]?.item
  }

  #post(field: string, value: string, place: number): void {
    const key = `${field}\0${value}`
    const list = this.#postings.get(key)
    if (list === undefined) this.#postings.set(key, [place])
    else list.push(place)
  }

  /** Of every indexed condition the lists of places that fulfil it, the shortest condition first. */
  #lists(query: PageQuery): Array<Array<Array<number>>> {
    return query.where
      .filter(([field]) => !(field in this.#scanned))
      .map(([field, values]) => [...new Set(values)].map((value) => this.#postings.get(`${field}\0${value}`) ?? []))
      .toSorted((a, b) => total(a) - total(b))
  }

  #matches(query: PageQuery, item: A): boolean {
    return query.where.every(([field, values]) => {
      const scanned = this.#scanned[field]
      return scanned === undefined || values.includes(scanned(item) ?? "")
    })
  }

  #placeOf(id: string | undefined, otherwise: number): number {
    return id === undefined ? otherwise : (this.#places.get(id) ?? otherwise)
  }

  #firstFrom(created: number): number {
    let [low, high] = [0, this.#items.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#items[middle]?.created ?? 0) < created) low = middle + 1
      else high = middle
    }
    return low
  }
}

const total = (lists: ReadonlyArray<ReadonlyArray<number>>): number => lists.reduce((sum, list) => sum + list.length, 0)

/** The first index of an ascending list whose value is at least `value`. */
const lowerBound = (list: ReadonlyArray<number>, value: number): number => {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((list[middle] ?? 0) < value) low = middle + 1
    else high = middle
  }
  return low
}

/** The places `[from, to)` of several disjoint ascending lists in one order; of an absent list every place. */
function* walk(
  lists: ReadonlyArray<ReadonlyArray<number> | undefined>,
  from: number,
  to: number,
  isNewestFirst: boolean
): Generator<number> {
  const step = isNewestFirst ? -1 : 1
  if (lists[0] === undefined && lists.length === 1) {
    for (let place = isNewestFirst ? to - 1 : from; place >= from && place < to; place += step) yield place
    return
  }
  const heads = lists.map((list) => (isNewestFirst ? lowerBound(list ?? [], to) - 1 : lowerBound(list ?? [], from)))
  for (;;) {
    let best = -1
    let chosen = -1
    lists.forEach((list, index) => {
      const place = list?.[heads[index] ?? -1]
      if (place === undefined || place < from || place >= to) return
      if (chosen === -1 || (place - best) * step < 0) [best, chosen] = [place, index]
    })
    if (chosen === -1) return
    heads[chosen] = (heads[chosen] ?? 0) + step
    yield best
  }
}
