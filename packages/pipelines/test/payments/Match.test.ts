import { step } from "@northstar/connectors/local/stripe/Traffic"
import { make, type World } from "@northstar/connectors/local/stripe/World"
import type { Table } from "@northstar/core/Table"
import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Payments from "../../src/Payments.ts"
import * as Tables from "../../src/Tables.ts"
import { martsOf, type Row } from "../MartsOf.ts"

/** What the two sides agree on; and a payment that its owner has contested after it was given back. */
const explained = new Set(["matched", "converted", "fee", "given_back_twice"])

const steps = 200

it.effect.prop(
  "after any history every movement of the balance is explained, and one that is lost or unknown gets its label",
  [Schema.Int],
  ([seed]) =>
    Effect.gen(function* () {
      const world = yield* make({ startMs: Date.UTC(2026, 10, 1, 12), seed })
      for (let index = 0; index < steps; index++) step(world)
      const account = rowsOf(world)
      const found = yield* match(account)
      const waiting = new Set(
        (account.get(Payments.charges) ?? [])
          .filter((row) => row["balance_transaction_id"] === null)
          .map(({ id }) => id)
      )
      const wrong = (rows: ReadonlyArray<Row>) =>
        rows.filter(({ label, object_id }) =>
          label === "not_in_ledger" ? !waiting.has(object_id) : !explained.has(String(label))
        )
      expect(wrong(found)).toEqual([])
      expect(sums(found, "settlement_currency", "ledger_minor")).toEqual(
        sums(account.get(Payments.paymentEvents) ?? [], "currency", "amount_minor")
      )

      const ledger = account.get(Payments.paymentEvents) ?? []
      const at = Math.abs(seed) % ledger.length
      const { source_id, kind } = ledger[at] ?? {}
      const gap = yield* match(new Map([...account, [Payments.paymentEvents, ledger.toSpliced(at, 1)]]))
      const lost = wrong(gap)
      // A fee stands for itself, and a conversion is not computed again.
      if (kind !== "fee" && !isConverted(found, source_id))
        expect(lost.map(({ object_id }) => object_id)).toEqual([source_id])

      const refunds = account.get(Payments.refunds) ?? []
      const unknown = yield* match(new Map([...account, [Payments.refunds, refunds.slice(1)]]))
      const names = unknown.filter(({ label }) => label === "object_missing").map(({ object_id }) => object_id)
      const moved = ledger.some((row) => row.source_id === refunds[0]?.id)
      expect(names).toEqual(moved ? [refunds[0]?.id] : [])
    }),
  { arbitrary: { runs: 8 }, timeout: 60_000 }
)

const isConverted = (rows: ReadonlyArray<Row>, id: unknown): boolean =>
  rows.some(({ object_id, label }) => object_id === id && label === "converted")

const match = (account: ReadonlyMap<Table, ReadonlyArray<Row>>) =>
  Effect.map(
    Effect.promise(() => martsOf([...account], ["payment_match"])),
    ({ payment_match }) => payment_match ?? []
  )

/** What curated has of an account, and an order to every payment. */
const rowsOf = (world: World): ReadonlyMap<Table, ReadonlyArray<Row>> => {
  const of = (table: Table, objects: ReadonlyArray<object>): readonly [Table, ReadonlyArray<Row>] => [
    table,
    objects.map((object) =>
      Object.fromEntries(
        Object.entries(table.columns).map(([name, { aliases, type }]) => [
          name,
          valueOf(object, aliases[0] ?? name, type.kind)
        ])
      )
    )
  ]
  const [, charges] = of(Payments.charges, world.objects("charge"))
  const numbered = charges.map((charge) => ({ ...charge, order_number: String(charge["id"]) }))
  const orders = numbered.map(({ order_number }, index) => ({
    id: index,
    order_number,
    kind: "sale",
    status: "paid",
    currency: "GBP",
    total_minor: 1,
    placed_at: "2026-11-01T12:00:00Z"
  }))
  return new Map([
    [Tables.orders, orders],
    [Payments.charges, numbered],
    of(Payments.paymentEvents, world.objects("balance_transaction")),
    of(Payments.refunds, world.objects("refund")),
    of(Payments.disputes, world.objects("dispute")),
    of(Payments.payouts, world.objects("payout"))
  ])
}

/** The value at a path such as `payment_method_details.card.brand`; times are in Unix seconds, references expanded or not. */
const valueOf = (object: object, path: string, kind: string): unknown => {
  let value: unknown = object
  for (const name of path.split(".")) value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name]
  if (kind === "timestamptz") return typeof value === "number" ? new Date(value * 1000).toISOString() : null
  if (typeof value === "object" && value !== null && "id" in value) return value.id
  return value ?? null
}

const sums = (rows: ReadonlyArray<Row>, by: string, of: string) => {
  const all = new Map<string, number>()
  for (const row of rows) {
    const currency = row[by]
    // Objects that moved nothing settle in no currency.
    if (typeof currency === "string") all.set(currency, (all.get(currency) ?? 0) + Number(row[of]))
  }
  return new Map([...all].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
