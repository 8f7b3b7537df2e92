import { Effect } from "effect"
import type { ConnectorError } from "@northstar/core/ConnectorError"
import * as Failpoint from "@northstar/core/Failpoint"
import type { Page, StripeObject } from "./Client.ts"
import { malformed, misconfigured, type Missing } from "./Failure.ts"
import type { Walk } from "./Position.ts"
import type { PageRequest } from "./Resource.ts"

/** Objects a page: the most that Stripe gives. */
const pageSize = 100

const step = Failpoint.declare("stripe", ["page.listed"])

/** A walk from `since` (Unix seconds) up to now. */
export const begin = (since: number, nowMs: number, until = Math.floor(nowMs / 1000)): Walk => ({
  begunMs: nowMs,
  since: Math.max(0, since),
  until,
  after: null
})

/**
 * Goes on with a walk by at most `pagesMax` pages and hands each page's objects to `visit`, newest first. Returns where
 * the walk stands, or `null` at its end.
 */
export const advance = Effect.fnUntraced(function* (
  table: string,
  walk: Walk,
  pagesMax: number,
  list: (page: PageRequest) => Effect.Effect<Page, ConnectorError | Missing>,
  visit: (objects: ReadonlyArray<StripeObject>) => ConnectorError | undefined
): Effect.fn.Return<Walk | null, ConnectorError> {
  let { after } = walk
  for (let pages = 0; pages < pagesMax; pages++) {
    const page = yield* read(table, { ...walk, after }, list)
    yield* step("page.listed")
    const problem = visit(page.data)
    if (problem !== undefined) return yield* problem
    const last = page.data.at(-1)
    if (!page.has_more) return null
    if (last === undefined || last.id === after?.id) {
      return yield* malformed(`list ${table}`, "a page that says there is more, and does not come nearer to it")
    }
    after = { id: last.id, created: last.created }
  }
  return { ...walk, after }
})

/** The page after the walk's last object; where that is gone (a deleted customer), what is as old as it and older. */
const read = (
  table: string,
  { since, until, after }: Walk,
  list: (page: PageRequest) => Effect.Effect<Page, ConnectorError | Missing>
): Effect.Effect<Page, ConnectorError> => {
  const first = (lte: number) =>
    list({ limit: pageSize, created: { gte: since, lte } }).pipe(Effect.catchTag("Missing", () => noList(table)))
  if (after === null) return first(until)
  return list({ limit: pageSize, created: { gte: since, lte: until }, starting_after: after.id }).pipe(
    Effect.catchTag("Missing", () => first(after.created))
  )
}

const noList = (table: string) =>
  Effect.fail(
    misconfigured(`list ${table}`, "there is no such list", "Check the host, or that the account has this product")
  )
