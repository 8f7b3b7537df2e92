import type { Row } from "@northstar/core/Table"
import type { Random } from "effect"
import { customers, products } from "../Tables.ts"
import { iso, type ShopEvent } from "./Life.ts"
import type { Order } from "./OnlineRetail.ts"
import { insert, type Statement } from "./Statement.ts"

/** The customers and products that orders have named so far. Mutable: it meets the orders in the order of their time. */
export interface Catalogue {
  /** Takes in an order: what must be written before it, and what happens to its customer later. */
  readonly meet: (order: Order, random: Random.Random) => Meeting
  /** Inserts everything met so far. */
  readonly contents: () => ReadonlyArray<Statement>
}

interface Meeting {
  readonly statements: ReadonlyArray<Statement>
  readonly events: ReadonlyArray<ShopEvent>
}

/** A catalogue that has met nobody. The data set names no person: names and e-mail addresses are made from the number. */
export const make = (): Catalogue => {
  const knownCustomers = new Map<bigint, Row<typeof customers>>()
  const knownProducts = new Map<string, Row<typeof products>>()
  return {
    meet: (order, random) => {
      const customer = newCustomer(order, knownCustomers)
      const { added, renamed } = newProducts(order, knownProducts)
      const isChanging = random.nextDoubleUnsafe() < 0.1
      return {
        statements: [
          ...(customer ? [insert(customers, [customer])] : []),
          ...(added.length > 0 ? [insert(products, added)] : []),
          ...renamed.map(rename)
        ],
        events: customer && isChanging ? [emailChange(customer.id, order.placedAtMs + fiveMinutesMs)] : []
      }
    },
    contents: () => [insert(customers, [...knownCustomers.values()]), insert(products, [...knownProducts.values()])]
  }
}

const fiveMinutesMs = 5 * 60_000

const newCustomer = (order: Order, known: Map<bigint, Row<typeof customers>>): Row<typeof customers> | undefined => {
  const id = order.customerId
  if (id === null || known.has(id)) return undefined
  const at = iso(order.placedAtMs)
  const { country } = order
  const row = {
    id,
    name: `Customer ${id}`,
    email: `customer.${id}@example.com`,
    country,
    created_at: at,
    updated_at: at
  }
  known.set(id, row)
  return row
}

/** A description that differs from the last one renames its product; an empty one says nothing. */
const newProducts = (order: Order, known: Map<string, Row<typeof products>>) => {
  const at = iso(order.placedAtMs)
  const added = new Map<string, Row<typeof products>>()
  const renamed = new Map<string, Row<typeof products>>()
  for (const { productCode: code, productName: name } of order.lines) {
    const before = known.get(code)
    if (before !== undefined && (name === null || name === before.name)) continue
    const row = { code, name, created_at: before?.created_at ?? at, updated_at: at }
    known.set(code, row)
    const changes = before === undefined || added.has(code) ? added : renamed
    changes.set(code, row)
  }
  return { added: [...added.values()], renamed: [...renamed.values()] }
}

const rename = (product: Row<typeof products>): Statement => ({
  text: "update products set name = $1, updated_at = $2 where code = $3",
  values: [product.name, product.updated_at, product.code]
})

const emailChange = (customerId: bigint, atMs: number): ShopEvent => ({
  atMs,
  kind: "customer changed",
  statements: [
    {
      text: "update customers set email = $1, updated_at = $2 where id = $3",
      values: [`customer.${customerId}@example.org`, iso(atMs), customerId]
    }
  ]
})
