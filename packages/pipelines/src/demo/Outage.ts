import * as Query from "@northstar/connectors/project/Query"
import * as Status from "@northstar/connectors/project/Status"
import { Clock, Effect } from "effect"
import { type Play, until } from "./Acts.ts"
import { count, span } from "./Story.ts"

/** What an outage of Stripe did. */
export interface Outage {
  /** `northstar status` named Stripe and not the shop as failing while the shop's orders went on, and took it back afterwards. */
  readonly wasTold: boolean
  /** Transactions of the shop that became visible meanwhile. */
  readonly visible: number
  readonly tookMs: number
}

/** Columns of what status says that are told. */
const detailMax = 110

/** Lets Stripe answer nothing but errors until `northstar status` says so, then lets it answer again. */
export const stripe = Effect.fn("Outage.stripe")(function* (play: Play) {
  const { meter, scene, story } = play
  const { faults } = scene.stripe
  const startedAtMs = yield* Clock.currentTimeMillis
  const [before, seenBefore] = [yield* meter.reading, (yield* standing(play)).seen]
  yield* Effect.sync(() => (faults.refusedAtRandom = [["unavailable", 1]]))
  yield* story.step(
    "bad",
    "Stripe is down: it answers every request with 503",
    "The ingester runs three sources side by side, each with a landing log and a lane of its own."
  )
  yield* until("no look at Stripe failed", hasFailed(play, startedAtMs), "300 millis")
  yield* until(
    "the shop's orders did not become visible while Stripe was down",
    Effect.map(standing(play), ({ seen }) => seen > seenBefore),
    askedEvery
  )
  const { shop, stripe } = yield* standing(play)
  const after = yield* meter.reading
  const visible = after.visible - before.visible
  const isAlone = shop === null
  yield* story.step(
    isAlone ? "good" : "bad",
    `northstar status: stripe is failing: ${shortened(stripe ?? "")}`,
    `Meanwhile ${count(visible)} more transactions of the shop became visible: one source that fails stops nobody else.`
  )
  yield* Effect.sync(() => (faults.refusedAtRandom = []))
  yield* until(
    "Stripe did not recover",
    Effect.map(standing(play), ({ stripe }) => stripe === null),
    askedEvery
  )
  const tookMs = (yield* Clock.currentTimeMillis) - startedAtMs
  yield* story.step(
    "good",
    `Stripe answers again, and after ${span(tookMs)} in all northstar status says that all is well`
  )
  return { wasTold: isAlone && stripe !== null, visible, tookMs } satisfies Outage
})

/** Asking is work for the warehouse. */
const askedEvery = "1 second"

/** Whether an attempt to capture Stripe failed since an instant: cheaper to ask than all that status tells. */
const hasFailed = ({ scene }: Play, sinceMs: number) =>
  Effect.map(
    Query.query(
      scene.project,
      `select count(*) as n from northstar.runs where stream = 'stripe/capture' and kind = 'Failed' and recorded_at >= ${scene.dialect.instant(sinceMs)}`,
      { rowsMax: 1 }
    ),
    ({ rows }) => Number(rows[0]?.["n"]) > 0
  )

/** Why two sources fail, if they do, and up to when the shop's orders are complete, as `northstar status` says it. */
const standing = ({ scene }: Play) =>
  Effect.map(Status.status(scene.project), ({ sources, tables }) => {
    const of = (name: string) => sources.find(({ source }) => source === name)?.failing ?? null
    const orders = tables.find(({ table }) => table === "orders")
    return { shop: of("shop"), stripe: of("stripe"), seen: Date.parse(orders?.completeThrough ?? "1970-01-01") }
  })

const shortened = (text: string): string => (text.length > detailMax ? `${text.slice(0, detailMax)}…` : text)
