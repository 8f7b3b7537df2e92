import type { World } from "@northstar/connectors/local/stripe/World"
import type { Column } from "@northstar/core/Column"
import type { Table } from "@northstar/core/Table"
import { Predicate } from "effect"
import * as Payments from "../Payments.ts"
import type { Truth, Values } from "./Truth.ts"

/** Stripe's own objects as the rows that the curated tables must hold. */
export const ofWorld = (world: World): ReadonlyArray<Truth> => {
  const truth = (table: Table, objects: ReadonlyArray<unknown>): Truth => ({
    table,
    rows: objects.map((object) => rowOf(table, object))
  })
  return [
    truth(Payments.paymentEvents, world.objects("balance_transaction")),
    truth(Payments.charges, world.objects("charge")),
    truth(Payments.paymentIntents, world.objects("payment_intent")),
    truth(Payments.refunds, world.objects("refund")),
    truth(Payments.disputes, world.objects("dispute")),
    truth(Payments.payouts, world.objects("payout"))
  ]
}

const rowOf = (table: Table, object: unknown): Values =>
  Object.fromEntries(Object.entries(table.columns).map(([name, column]) => [name, valueOf(name, column, object)]))

const valueOf = (name: string, column: Column, object: unknown): string | null => {
  let value = object
  for (const part of (column.aliases.at(-1) ?? name).split(".")) {
    value = Predicate.hasProperty(value, part) ? value[part] : null
  }
  if (value === null || value === undefined) return null
  if (column.type.kind === "timestamptz") return String(Number(value) * 1000)
  return typeof value === "string" ? value : JSON.stringify(value)
}
