import * as FilesSource from "@northstar/connectors/files/FilesSource"
import * as Query from "@northstar/connectors/project/Query"
import * as Services from "@northstar/connectors/project/Services"
import type { SqlValue } from "@northstar/connectors/warehouse/Warehouse"
import { Effect, Result } from "effect"
import * as Exports from "../partners/Exports.ts"
import * as Rueckweg from "../partners/Rueckweg.ts"
import * as Stockwell from "../partners/Stockwell.ts"
import { type Play, until } from "./Acts.ts"
import * as Outside from "./Outside.ts"
import * as Report from "./Report.ts"
import { count } from "./Story.ts"
import * as Truth from "./Truth.ts"

/** What things that came late or again did. */
export interface Late {
  readonly order: Report.Order
  /** Changes that a file with known content made. */
  readonly repeated: number
  /** Rows that a corrected count took away. */
  readonly removed: number
  /** Files that were refused as a whole. */
  readonly refused: number
  /** Card numbers in what people wrote: those that became tokens, and those that did not. */
  readonly cards: { readonly tokens: number; readonly numbers: number }
}

/** Whether it all did what it must, and no more. */
export const isRight = ({ cards, order, refused, removed, repeated }: Late): boolean =>
  order.moved === 1 && repeated === 0 && removed === 1 && refused === 1 && cards.tokens > 0 && cards.numbers === 0

/** Every table of Stripe's and the partners' against what they themselves have. */
export const compare = ({ outside, scene }: Play) =>
  Effect.flatMap(outside.truths, (truths) => Effect.forEach(truths, (truth) => Truth.compare(scene, truth)))

/** Looks at most, and the time between two. */
const looksMax = 60
const lookEvery = "500 millis"

/** Compares until both sides agree; after many looks as they are. */
export const settled = Effect.fnUntraced(function* (play: Play) {
  for (let look = 1; ; look++) {
    yield* play.outside.now
    const tables = yield* compare(play)
    if (look === looksMax || tables.every(Report.isAgreed)) return tables
    yield* Effect.sleep(lookEvery)
  }
})

/** Gives a part of an order back that was paid and delivered long ago, and looks which orders' rows move. */
export const refund = Effect.fn("Late.refund")(function* (play: Play) {
  const { outside, scene, story } = play
  const before = yield* lifecycles(play)
  const [number = "", row] = [...before].find(([, row]) => isQuiet(row)) ?? []
  const { world } = scene.stripe
  yield* outside.now
  const charge = world.objects("charge").find(({ metadata, paid }) => paid && metadata["order_id"] === number)
  const amount = Math.floor((charge?.amount ?? 0) / 3)
  yield* Effect.sync(() => Result.getOrThrow(world.refund({ charge: charge?.id, amountMinor: amount })))
  const given = Report.money(BigInt(amount), "GBP")
  yield* story.step(
    "plain",
    `a third of order ${number}, ${given}, is given back in Stripe, days after it was paid and delivered`
  )
  yield* until(
    "the refund did not become visible",
    Effect.map(lifecycles(play), (now) => now.get(number)?.["refunded_minor"] === String(amount)),
    "300 millis"
  )
  const after = yield* lifecycles(play)
  const moved = [...after].filter(([key, now]) => JSON.stringify(now) !== JSON.stringify(before.get(key)))
  yield* story.step(
    moved.length === 1 ? "good" : "bad",
    `marts.order_lifecycle: order ${number} refunded ${Report.money(0n, "GBP")} → ${given}; ${count(after.size - moved.length)} other orders did not move`,
    "Orders come from PostgreSQL, payments from Stripe, shipments from files: the mart joins what each of them says now."
  )
  return {
    number,
    what: `Ordered in the shop, paid in Stripe, shipped by Fleetfoot; then ${given} were given back.`,
    changes: shown.map(([name, column, isMoney]) => {
      const text = (of: Lifecycle | undefined) => {
        const value = String(of?.[column] ?? "–")
        return isMoney ? Report.money(BigInt(value), "GBP") : value
      }
      return { name, before: text(row), after: text(after.get(number)) }
    }),
    moved: moved.length
  } satisfies Report.Order
})

/** What the report shows of an order: name, column, and whether it is money. */
const shown = [
  ["status", "status", false],
  ["ordered", "total_minor", true],
  ["captured", "captured_minor", true],
  ["refunded", "refunded_minor", true],
  ["disputed", "disputed_minor", true],
  ["shipments", "shipment_count", false],
  ["delivered", "delivered_count", false],
  ["returned pieces", "returned_quantity", false]
] as const

/** Delivers known content again, a corrected count, and the file that was refused as it should have been. */
export const files = Effect.fn("Late.files")(function* (play: Play, liveFromMs: number) {
  const { outside, story } = play
  const { exports } = outside
  const brokenMs = Outside.brokenDayMs(liveFromMs)
  const refused = yield* refusals(play)
  yield* story.step(
    refused.length === 1 ? "good" : "bad",
    `Rückweg's file of yesterday was refused as a whole: ${refused[0]?.detail ?? "no, it was not"}`,
    "Its sum of pieces contradicts its rows. Nothing of it was loaded, and the other partners' files went on."
  )
  const { shipments } = exports.ofDay(liveFromMs)
  const changes = historyOf(play, "fct_shipment", shipments.key)
  const shelves = exports.shelves(liveFromMs + Exports.dayMs)
  const [had, stood] = [yield* changes, yield* stockRows(play)]
  yield* outside.deliver(shipments)
  yield* outside.deliver(Stockwell.stock(shelves.slice(1), liveFromMs))
  yield* outside.deliver(Rueckweg.returns(exports.returns, brokenMs, brokenMs + Exports.dayMs))
  yield* story.step(
    "plain",
    "Fleetfoot sends a file again, Stockwell a corrected count with a row less, Rückweg the broken file mended"
  )
  const tables = yield* settled(play)
  const isSettled = tables.every(Report.isAgreed)
  const [repeated, removed] = [(yield* changes) - had, stood - (yield* stockRows(play))]
  yield* story.step(
    repeated === 0 && removed === 1 && isSettled ? "good" : "bad",
    `the file sent again changes ${count(repeated)} rows, the corrected count removes ${count(removed)}, the mended file is in`,
    "Known content is no news; a new content under a known name is a new delivery, which corrects or replaces as the contract says."
  )
  const cards = yield* cardNumbers(play)
  yield* story.step(
    cards.tokens > 0 && cards.numbers === 0 ? "good" : "bad",
    `a customer wrote a card number into a remark: it landed as a token, and nowhere as a number`,
    "Every text of every source is searched before the first byte is written."
  )
  return { repeated, removed, refused: refused.length, cards }
})

const refusals = ({ scene }: Play) =>
  FilesSource.refused(`${scene.project.name}/partners`).pipe(Effect.provide(Services.landing(scene.project.landing)))

type Lifecycle = Readonly<Record<string, SqlValue>>

/** Paid in full in the shop's currency, delivered, and nothing given back or contested. */
const isQuiet = (row: Lifecycle): boolean =>
  row["kind"] === "sale" &&
  row["captured_minor"] === row["total_minor"] &&
  row["refunded_minor"] === "0" &&
  row["disputed_minor"] === "0" &&
  Number(row["charge_count"]) === 1 &&
  Number(row["delivered_count"]) > 0

/** Rows of marts that are read, at most. */
const rowsMax = 10_000

/** By order number. */
const lifecycles = ({ scene }: Play) =>
  Effect.map(
    Query.query(scene.reader, "select * from marts.order_lifecycle order by order_number", { rowsMax }),
    ({ rows }) => new Map(rows.map((row): readonly [string, Lifecycle] => [String(row["order_number"]), row]))
  )

const number = ({ scene }: Play, sql: string) =>
  Effect.map(Query.query(scene.project, sql, { rowsMax: 1 }), ({ rows }) => Number(rows[0]?.["n"]))

const stockRows = (play: Play) => number(play, "select count(*) as n from curated.stock_level")

const historyOf = (play: Play, table: string, file: string) =>
  number(play, `select count(*) as n from curated.${table}__history where file = '${file}'`)

const cardNumbers = (play: Play) => {
  const like = (pattern: string) =>
    number(play, `select count(*) as n from curated.fct_return__history where remark like '%${pattern}%'`)
  return Effect.all({ tokens: like("tok_v"), numbers: like(Rueckweg.cardNumber) })
}
