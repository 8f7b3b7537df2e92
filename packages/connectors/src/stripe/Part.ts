import { Clock, Effect, Result } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import { type Block, opDelete, opUpsert } from "../landing/Block.ts"
import { BlockBuilder } from "../landing/BlockBuilder.ts"
import type { Client, StripeObject } from "./Client.ts"
import * as Pages from "./Pages.ts"
import type { Walk } from "./Position.ts"
import type { Lane } from "./RateLimiter.ts"
import { digestOf, type Seen } from "./Seen.ts"
import { isWrittenOnce, type Shape, texts, type Texts } from "./Shape.ts"

/** One table's share of a batch: reads a bounded number of pages and objects, one after the other. */
export interface Part {
  readonly shape: Shape
  readonly client: Client
  readonly seen: Seen
  /** What has been read, by id: the newest reading of each object. */
  readonly found: Map<string, Found>
  /** Objects to be read by id, with the time of the newest event about them (Unix seconds), or 0 without one. */
  readonly hints: Map<string, number>
}

/** A row as read; `texts` is undefined for an object that is gone. */
interface Found {
  readonly texts: Texts | undefined
  readonly digest: string
  readonly created: number
  /** Unix microseconds. */
  readonly changedAtUs: bigint
}

/** Pages of one walk in one batch. */
const pagesMax = 10
/** Fewer, since each of their 100 events may cost a request. */
const eventPagesMax = 4
/** Requests for single objects under way at once. */
const retrievals = 8

const passed = Failpoint.declare("stripe", ["object.retrieved"])

/** A share in which nothing has been read yet. */
export const make = (shape: Shape, client: Client, seen: Seen): Part => ({
  shape,
  client,
  seen,
  found: new Map(),
  hints: new Map()
})

/** Goes on with a walk through events: each new one hints at an object. */
export const hint = (part: Part, walk: Walk): Effect.Effect<Walk | null, ConnectorError> => {
  const { shape, client, seen, hints } = part
  return Pages.advance(
    "events",
    walk,
    eventPagesMax,
    (page) => client.events(shape.table, shape.resource, page),
    (events) => {
      for (const event of events) {
        const id = subjectOf(event, shape.resource.object)
        if (id === undefined || !seen.isNewEvent(`${shape.table} ${event.id}`)) continue
        hints.set(id, Math.max(hints.get(id) ?? 0, event.created))
      }
      return undefined
    }
  )
}

/** The object of this type that an event is about, or that its object refers to. */
const subjectOf = (event: StripeObject, type: string): string | undefined => {
  // Sound: every field is looked at before it is used; an event of another form hints at nothing.
  const { object } = (event["data"] ?? {}) as { readonly object?: Readonly<Record<string, unknown>> }
  const of = object?.["object"] === type ? object["id"] : object?.[type]
  return typeof of === "string" ? of : (of as { readonly id?: string } | null | undefined)?.id
}

/** Goes on with a walk through the objects themselves. */
export const list = Effect.fnUntraced(function* (
  part: Part,
  walk: Walk,
  lane: Lane
): Effect.fn.Return<Walk | null, ConnectorError> {
  const { shape, client } = part
  const nowMs = yield* Clock.currentTimeMillis
  return yield* Pages.advance(
    shape.table,
    walk,
    pagesMax,
    (page) => client.list(shape.table, shape.resource, page, lane),
    (objects) => {
      for (const object of objects) {
        if (shape.resource.isDeletable) part.seen.meet(shape.table, object, walk)
        const problem = listed(part, object, lane, nowMs)
        if (problem !== undefined) return problem
      }
      return undefined
    }
  )
})

/**
 * At the end of a long walk: objects that it should have met are read by id, which tells a deletion whose event is lost. Known
 * are those that this reader has met before.
 */
export const hintUnmet = ({ hints, seen, shape }: Part, walk: Walk): void => {
  for (const id of seen.unmet(shape.table, walk)) if (!hints.has(id)) hints.set(id, 0)
}

/**
 * Takes an object from a list. One that was handed over with other content is read by id instead: that answer is never
 * older than this one, which a list's may be.
 */
const listed = (part: Part, object: StripeObject, lane: Lane, nowMs: number): ConnectorError | undefined => {
  const { shape, seen, hints } = part
  const row = texts(shape, object)
  if (Result.isFailure(row)) return row.failure
  const digest = digestOf(row.success)
  const known = seen.rowOf(object.id)
  if (known === digest) return undefined
  if (known !== undefined && !isWrittenOnce(shape)) {
    if (!hints.has(object.id)) hints.set(object.id, 0)
    return undefined
  }
  // A list may be older than what its event tells: the object is read by id.
  if (hints.has(object.id) && !isWrittenOnce(shape)) return undefined
  const changedAt = isWrittenOnce(shape) || lane === "live" ? object.created : 0
  take(part, object.id, row.success, object.created, changedAt, nowMs)
  return undefined
}

/** Reads every hinted object as it is now. */
export const followHints = Effect.fnUntraced(function* (part: Part): Effect.fn.Return<void, ConnectorError> {
  const { shape, client, seen, hints } = part
  let unreadable = 0
  yield* Effect.forEach(
    hints,
    Effect.fnUntraced(function* ([id, changedAt]) {
      const nowMs = yield* Clock.currentTimeMillis
      const object = yield* client
        .retrieve(shape.table, shape.resource, id)
        .pipe(Effect.catchTag("Missing", () => Effect.succeed(unknown)))
      yield* passed("object.retrieved")
      if (object === unknown) {
        unreadable++
        return
      }
      const row = object === undefined ? undefined : yield* Effect.fromResult(texts(shape, object))
      if (seen.rowOf(id) === digestOf(row)) part.found.delete(id)
      else take(part, id, row, object?.created ?? 0, changedAt, nowMs)
    }),
    { concurrency: retrievals, discard: true }
  )
  if (unreadable > 0) {
    yield* Effect.logWarning(
      `stripe: ${unreadable} objects of ${shape.table} that events or lists name are not there for this key. What was captured of them stays`
    )
  }
})

/** Stripe does not know the object, which is no deletion: that is an answer of its own. */
const unknown = Symbol("unknown")

/** An object that was found in this batch and cannot be deleted at Stripe. */
export const lasting = ({ found, shape }: Part): { readonly table: string; readonly id: string } | undefined => {
  const [id] = shape.resource.isDeletable ? [] : found.keys()
  return id === undefined ? undefined : { table: shape.table, id }
}

const take = (
  { found }: Part,
  id: string,
  row: Texts | undefined,
  created: number,
  changedAt: number,
  nowMs: number
): void => {
  const changedAtUs = changedAt > 0 ? BigInt(changedAt) * 1_000_000n : BigInt(nowMs) * 1000n
  found.set(id, { texts: row, digest: digestOf(row), created, changedAtUs })
}

/** What was found, as a block of the batch with this sequence, or nothing. From now on it counts as handed over. */
export const finish = (part: Part, sequence: bigint): Block | undefined => {
  const { shape, seen, found } = part
  if (found.size === 0) return undefined
  const block = new BlockBuilder(shape.relation)
  const key = shape.columns.findIndex(({ path }) => path === "id")
  let ordinal = 0
  for (const [id, row] of found) {
    const version = isWrittenOnce(shape) ? ([BigInt(row.created), 0] as const) : ([sequence, ordinal++] as const)
    block.begin(row.texts === undefined ? opDelete : opUpsert, ...version, row.changedAtUs)
    if (row.texts === undefined) seen.forget(id)
    if (row.texts === undefined) put(block, key, id)
    else row.texts.forEach((text, column) => put(block, column, text))
    seen.setRow(id, row.digest)
  }
  return block.finish()
}

const utf8 = new TextEncoder()

const put = (block: BlockBuilder, column: number, text: string | null): void => {
  if (text === null) return
  const bytes = utf8.encode(text)
  block.value(column, bytes, 0, bytes.length)
}
