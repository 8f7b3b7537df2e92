import { Clock, Duration, Effect, Option, Redacted, Stream } from "effect"
import type { Batch } from "@northstar/core/Batch"
import * as Column from "@northstar/core/Column"
import { decode, encode } from "@northstar/core/Position"
import type { Reader } from "@northstar/core/Source"
import * as Table from "@northstar/core/Table"
import type { Block } from "../../src/landing/Block.ts"
import type { LocalStripe } from "../../src/local/stripe/LocalStripe.ts"
import type { World } from "../../src/local/stripe/World.ts"
import { position, type StripePosition } from "../../src/stripe/Position.ts"
import * as Source from "../../src/stripe/Source.ts"
import { type Row, rowsOf } from "../postgres/Fixture.ts"

export type { Row } from "../postgres/Fixture.ts"

const id = Column.text
const amount = Column.int64
const instant = Column.timestamptz
const maybe = Column.nullable(Column.text)

/** One contract for each table that there is. */
export const tables = {
  charges: Table.make("charges", {
    source: "stripe.charges",
    key: ["charge_id"],
    columns: {
      charge_id: Column.renamedFrom(id, "id"),
      amount,
      amount_captured: amount,
      amount_refunded: amount,
      currency: Column.text,
      status: Column.text,
      captured: Column.boolean,
      refunded: Column.boolean,
      disputed: Column.boolean,
      payment_intent: maybe,
      balance_transaction: maybe,
      order_id: Column.renamedFrom(maybe, "metadata.order_id"),
      card_last4: Column.renamedFrom(maybe, "payment_method_details.card.last4"),
      outcome: Column.nullable(Column.json),
      created: instant
    }
  }),
  payment_intents: Table.make("payment_intents", {
    source: "stripe.payment_intents",
    key: ["id"],
    columns: { id, amount, amount_received: amount, status: Column.text, latest_charge: maybe, created: instant }
  }),
  refunds: Table.make("refunds", {
    source: "stripe.refunds",
    key: ["id"],
    columns: { id, amount, currency: Column.text, status: maybe, charge: maybe, created: instant }
  }),
  disputes: Table.make("disputes", {
    source: "stripe.disputes",
    key: ["id"],
    columns: { id, amount, status: Column.text, reason: Column.text, charge: maybe, created: instant }
  }),
  payouts: Table.make("payouts", {
    source: "stripe.payouts",
    key: ["id"],
    columns: {
      id,
      amount,
      currency: Column.text,
      status: Column.text,
      automatic: Column.boolean,
      reconciliation_status: Column.text,
      arrives: Column.renamedFrom(Column.date, "arrival_date")
    }
  }),
  balance_transactions: Table.make("balance_transactions", {
    source: "stripe.balance_transactions",
    key: ["id"],
    columns: {
      id,
      amount,
      fee: amount,
      net: amount,
      currency: Column.text,
      reporting_category: Column.text,
      source: maybe,
      fee_details: Column.json,
      created: instant,
      available_on: Column.timestamp
    }
  }),
  customers: Table.make("customers", {
    source: "stripe.customers",
    key: ["id"],
    columns: { id, email: maybe, created: instant }
  })
}

let sources = 0

const allTables = Object.values(tables)

/** A source of the local server, with no limit on its rate. */
export const source = (local: Pick<LocalStripe, "host" | "port" | "apiKey">, more: Partial<Source.Options> = {}) =>
  Source.make({
    apiKey: Redacted.make(local.apiKey),
    tables: allTables,
    epoch: 1,
    // A limiter of its own: a later server on the same port has another world's time.
    rates: { perSecond: 1e6, perEndpoint: 1e6, longPerSecond: 1e6 + sources++ },
    server: { host: local.host, port: local.port, protocol: "http" },
    ...more
  })

/** Time is the world's, and passes only where somebody waits for it. */
export const inWorldTime =
  (world: World) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Clock.Clock, (clock) =>
      Effect.provideService(
        self,
        Clock.Clock,
        Object.assign(Object.create(clock) as Clock.Clock, {
          currentTimeMillisUnsafe: () => world.nowMs,
          currentTimeMillis: Effect.sync(() => world.nowMs),
          sleep: (span: Duration.Duration) =>
            Effect.andThen(
              Effect.sync(() => world.advance(Math.max(1, Math.ceil(Duration.toMillis(span))))),
              Effect.yieldNow
            )
        })
      )
    )

export interface Read {
  readonly after: Option.Option<StripePosition>
  readonly through: StripePosition
  readonly rows: ReadonlyArray<Row>
  readonly committedAtMs: Option.Option<number>
  readonly completeThroughMs: Option.Option<number>
}

/** Pulls a batch; positions go through their text, as in a sink. */
export const pull = Effect.fnUntraced(function* (batch: Batch<Block, StripePosition>) {
  const blocks = yield* Effect.orDie(Stream.runCollect(batch.chunks))
  const { after, committedAtMs, completeThroughMs } = batch
  const through = yield* Effect.orDie(decode(position, encode(position, batch.through)))
  return { after, through, committedAtMs, completeThroughMs, rows: rowsOf(blocks.flat()) } satisfies Read
})

/** Everything from `after` (or the beginning) to the head. */
export const toHead = Effect.fnUntraced(function* (
  reader: Reader<Block, StripePosition>,
  after: Option.Option<StripePosition> = Option.none()
) {
  const through = yield* reader.head
  return yield* Stream.runCollect(Stream.mapEffect(reader.read({ after, through }), pull))
})

export const rows = (reads: ReadonlyArray<Read>): ReadonlyArray<Row> => reads.flatMap((read) => read.rows)

export const lastOf = (reads: ReadonlyArray<Read>): Option.Option<StripePosition> =>
  Option.fromUndefinedOr(reads.at(-1)?.through)
