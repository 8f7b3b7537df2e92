import * as FileContract from "@northstar/connectors/files/FileContract"
import * as Project from "@northstar/connectors/project/Project"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import type { SourcesStand } from "./SourcesStand.ts"
import * as Stand from "./Stand.ts"

/*
 * Contracts of a shop that does everything wrong: card numbers stand in every column of all of its sources, though only
 * `pan` says so.
 */

const text = Column.nullable(Column.text)

const payments = Table.make("payments", {
  columns: {
    id: Column.int64,
    pan: Column.nullable(Column.pci(Column.text)),
    pan_last4: Column.cardLast4Of("pan"),
    pan_brand: Column.cardBrandOf("pan"),
    note: text,
    track: text,
    doc: Column.nullable(Column.json),
    tags: text,
    amount: Column.nullable(Column.decimal(30, 2)),
    reference: Column.nullable(Column.int64)
  },
  key: ["id"]
})

/** Its key is a card number, and changes. */
const cards = Table.make("cards", { columns: { number: Column.text, note: text, long: text }, key: ["number"] })

/** Its key is tagged. */
const wallets = Table.make("wallets", { columns: { pan: Column.pci(Column.text), note: text }, key: ["pan"] })

const charges = Table.make("stripe_charge", {
  source: "stripe.charges",
  columns: {
    id: Column.text,
    description: text,
    order_number: Column.renamedFrom(text, "metadata.order_id"),
    metadata: Column.nullable(Column.json),
    payer: Column.renamedFrom(text, "billing_details.name"),
    email: Column.renamedFrom(text, "billing_details.email"),
    billing_details: Column.nullable(Column.json),
    created_at: Column.renamedFrom(Column.timestamptz, "created")
  },
  key: ["id"]
})

const customers = Table.make("stripe_customer", {
  source: "stripe.customers",
  columns: { id: Column.text, name: text, email: text, metadata: Column.nullable(Column.json) },
  key: ["id"]
})

const fileColumns = {
  id: Column.text,
  pan: Column.nullable(Column.pci(Column.text)),
  note: text,
  amount: Column.nullable(Column.decimal(30, 2)),
  paid_at: Column.nullable(Column.timestamptz),
  paid_on: Column.nullable(Column.date),
  file: Column.text
}

/** Whole deliveries are compared by their keys, which are stored. */
const replaced = Table.make("file_replaced", { source: "partner.replaced", columns: fileColumns, key: ["id"] })
const trailed = Table.make("file_trailed", { source: "partner.trailed", columns: fileColumns, key: ["id"] })
const tagged = Table.make("file_tagged", {
  source: "partner.tagged",
  columns: { pan: Column.pci(Column.text), note: text },
  key: ["pan"]
})

/** How the partner of that shop writes its files. */
export const contracts = [
  FileContract.make({
    table: replaced,
    prefix: "replaced/",
    fill: { file: "file" },
    redelivery: "replaces",
    control: { kind: "sidecar", suffix: ".ok", pattern: /^rows=(?<rows>\d+)/ }
  }),
  FileContract.make({
    table: trailed,
    prefix: "trailed/",
    fill: { file: "file" },
    order: { by: "name", pattern: /(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)/ },
    control: { kind: "trailer", mark: "TOTAL", count: 1 }
  }),
  FileContract.make({ table: tagged, prefix: "tagged/", redelivery: "replaces" })
] as const

/** The shop's own tables, in SQL; `cvv` and the last column are in no contract. `cards` keeps long texts outside of its rows. */
export const schema = (number: string): string => `
  create table payments (id bigint primary key, pan text, cvv text, note text, track text, doc jsonb, tags text[],
    amount numeric, reference bigint, "card ${number}" text);
  create table cards (number text primary key, note text, long text);
  create table wallets (pan text primary key, cvv text, note text);
  alter table cards alter column long set storage external`

/** The shop's tables. */
export const tables = [payments, cards, wallets] as const

/** The project on a stand. */
export const project = (stand: SourcesStand): Project.Project =>
  Project.define({
    name: "proof",
    sources: [
      { ...Stand.shop(stand).source, tables },
      Project.stripe({ ...stand.stripe, pollSeconds: 1, tables: [charges, customers] }),
      Project.files({ name: "partners", from: Project.folder(stand.drop), contracts, pollSeconds: 1 })
    ],
    landing: Project.folder(Stand.landing(stand)),
    warehouse: Project.duckdb(Stand.warehouse(stand)),
    cardNumbers: stand.cards ?? "tokenise"
  })
