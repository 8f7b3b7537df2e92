import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { World } from "@northstar/connectors/local/stripe/World"
import type { Kind } from "@northstar/connectors/local/stripe/Objects"
import { Effect } from "effect"
import * as Tables from "../../src/Tables.ts"
import { query } from "../Shop.ts"
import * as Oracle from "./Oracle.ts"
import * as Files from "./SourcesFold.ts"
import type { Put } from "./SourcesDrop.ts"
import type { SourcesStand } from "./SourcesStand.ts"
import { landing } from "./Stand.ts"

/** What the oracle saw. */
export interface Verdict {
  /** Rows compared, of all tables, and files accounted for. */
  readonly rows: number
  readonly files: number
  /** What is wrong, in words; empty when sources and warehouse agree in everything. */
  readonly problems: ReadonlyArray<string>
}

/** Rows as texts by column: instants as Unix microseconds, all else as the warehouse writes it. */
export type Rows = ReadonlyArray<Readonly<Record<string, string | null>>>

/** Compares the shop's database, Stripe's own objects and the rows that partners wrote with a warehouse at rest, value by value. */
export const judge = (stand: SourcesStand, world: World, puts: ReadonlyArray<Put>): Effect.Effect<Verdict> =>
  Effect.gen(function* () {
    const shop = yield* Effect.forEach(Tables.all, ({ columns, key, name, source }) => {
      const texts = Object.entries(columns).map(([column, { type }]) =>
        type.kind === "timestamptz"
          ? `(extract(epoch from "${column}") * 1000000)::bigint::text as "${column}"`
          : `"${column}"::text as "${column}"`
      )
      return Effect.map(query(stand.url, `select ${texts.join(", ")} from ${source}`), (rows) => ({
        name,
        key,
        columns: Object.fromEntries(Object.entries(columns).map(([column, { type }]) => [column, type.kind])),
        // Sound: every column is selected as text.
        rows: rows as Rows
      }))
    })
    const payments = Object.entries(stripe).map(([name, { kind, paths }]) => ({
      name,
      key: ["id"],
      columns: Object.fromEntries(
        Object.keys(paths).map((column) => [column, isTime(column) ? "timestamptz" : "text"])
      ),
      rows: world.objects(kind).map((object) => rowOf(paths, object))
    }))
    const deliveries = readDeliveries(stand)
    const partners = Files.fold(deliveries, puts)
    const found = yield* Effect.forEach([...shop, ...payments, ...partners.tables], (truth) =>
      Effect.map(readCurated(stand, truth), (rows) => ({ ...truth, found: rows }))
    )
    const books = yield* accounts(stand, partners)
    return {
      rows: found.reduce((sum, { rows }) => sum + rows.length, 0),
      files: deliveries.length,
      problems: [...found.flatMap(differences), ...partners.problems, ...books]
    }
  })

/** Which of Stripe's fields each column is, written down once more. */
const stripe: Readonly<Record<string, { readonly kind: Kind; readonly paths: Readonly<Record<string, string>> }>> = {
  fct_payment_event: {
    kind: "balance_transaction",
    paths: {
      id: "id",
      kind: "reporting_category",
      type: "type",
      source_id: "source",
      amount_minor: "amount",
      fee_minor: "fee",
      net_minor: "net",
      currency: "currency",
      exchange_rate: "exchange_rate",
      created_at: "created",
      available_at: "available_on"
    }
  },
  charge: {
    kind: "charge",
    paths: {
      id: "id",
      payment_intent_id: "payment_intent",
      stripe_customer_id: "customer",
      order_number: "metadata.order_id",
      amount_minor: "amount",
      captured_minor: "amount_captured",
      refunded_minor: "amount_refunded",
      currency: "currency",
      status: "status",
      is_captured: "captured",
      is_disputed: "disputed",
      balance_transaction_id: "balance_transaction",
      card_brand: "payment_method_details.card.brand",
      card_last4: "payment_method_details.card.last4",
      created_at: "created"
    }
  },
  payment_intent: {
    kind: "payment_intent",
    paths: {
      id: "id",
      order_number: "metadata.order_id",
      stripe_customer_id: "customer",
      amount_minor: "amount",
      received_minor: "amount_received",
      currency: "currency",
      status: "status",
      created_at: "created"
    }
  },
  fct_refund: {
    kind: "refund",
    paths: {
      id: "id",
      charge_id: "charge",
      payment_intent_id: "payment_intent",
      amount_minor: "amount",
      currency: "currency",
      reason: "reason",
      status: "status",
      pending_reason: "pending_reason",
      failure_reason: "failure_reason",
      balance_transaction_id: "balance_transaction",
      failure_balance_transaction_id: "failure_balance_transaction",
      created_at: "created"
    }
  },
  fct_dispute: {
    kind: "dispute",
    paths: {
      id: "id",
      charge_id: "charge",
      amount_minor: "amount",
      currency: "currency",
      reason: "reason",
      status: "status",
      evidence_due_at: "evidence_details.due_by",
      created_at: "created"
    }
  },
  fct_payout: {
    kind: "payout",
    paths: {
      id: "id",
      amount_minor: "amount",
      currency: "currency",
      status: "status",
      method: "method",
      is_automatic: "automatic",
      reconciliation_status: "reconciliation_status",
      failure_code: "failure_code",
      balance_transaction_id: "balance_transaction",
      arrival_at: "arrival_date",
      created_at: "created"
    }
  }
}

const isTime = (column: string): boolean => column.endsWith("_at")

const rowOf = (paths: Readonly<Record<string, string>>, object: object): Readonly<Record<string, string | null>> =>
  Object.fromEntries(
    Object.entries(paths).map(([column, path]) => {
      let value: unknown = object
      // Sound: a path goes through objects only; whatever else there is ends it.
      for (const name of path.split("."))
        value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name]
      if (value === null || value === undefined) return [column, null]
      // Sound: what the paths name are texts, numbers and truth values.
      const plain = value as string | number | boolean
      return [column, isTime(column) ? `${plain}000000` : `${plain}`]
    })
  )

/** A delivery as the discovery log and its verdict tell it. */
export interface Delivery {
  readonly sequence: string
  readonly key: string
  readonly version: string
  readonly modifiedMs: number
  readonly sidecar: { readonly version: string } | null
  readonly accepted: { readonly rows: number; readonly deleted: number } | undefined
  readonly isRefused: boolean
}

const readDeliveries = (stand: SourcesStand): ReadonlyArray<Delivery> => {
  const log = join(landing(stand), "proof", "partners")
  const verdict = (kind: string) =>
    new Map(globSync(`${kind}/*.json`, { cwd: log }).map((name) => [name.split("/")[1], parsed(join(log, name))]))
  const accepted = verdict("accepted")
  const refused = verdict("refused")
  return globSync("discovery/*.json", { cwd: log })
    .toSorted()
    .map((name) => {
      // Sound: that is how entries and verdicts are written.
      const entry = parsed(join(log, name)) as unknown as Delivery
      const file = `${entry.sequence}.json`
      return { ...entry, accepted: accepted.get(file) as unknown as Delivery["accepted"], isRefused: refused.has(file) }
    })
}

// Sound: the files hold objects.
const parsed = (file: string) => JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, unknown>>

interface Truth {
  readonly name: string
  readonly key: ReadonlyArray<string>
  /** The kind of each column. */
  readonly columns: Readonly<Record<string, string>>
  readonly rows: Rows
}

const readCurated = (stand: SourcesStand, { columns, name }: Truth): Effect.Effect<Rows> => {
  const texts = Object.entries(columns).map(([column, kind]) =>
    kind === "timestamptz" ? `epoch_us("${column}")::VARCHAR` : `"${column}"::VARCHAR`
  )
  return Effect.map(Oracle.readWarehouse(stand, `SELECT ${texts.join(", ")} FROM curated."${name}"`), (rows) =>
    rows.map((row) => Object.fromEntries(Object.keys(columns).map((column, at) => [column, row[at] ?? null])))
  )
}

const examplesMax = 3

const differences = ({ columns, found, key, name, rows }: Truth & { readonly found: Rows }): ReadonlyArray<string> => {
  const keyed = (of: Rows) =>
    new Map(
      of.map((row) => [
        key.map((column) => row[column]).join(),
        Object.keys(columns).map((column) => `${column}=${row[column] ?? "NULL"}`)
      ])
    )
  const right = keyed(rows)
  const is = keyed(found)
  const missing = [...right.keys()].filter((one) => !is.has(one))
  const extra = [...is.keys()].filter((one) => !right.has(one))
  const different = [...right].flatMap(([one, values]) => {
    const wrong = is.get(one)?.find((value, at) => value !== values[at])
    return wrong === undefined ? [] : [`${one}: ${wrong}, should be ${values[is.get(one)?.indexOf(wrong) ?? 0]}`]
  })
  return [
    ...(is.size === found.length ? [] : [`${name}: a key is there twice`]),
    ...Object.entries({ missing, extra, different }).flatMap(([kind, all]) =>
      all.length === 0 ? [] : [`${name}: ${all.length} ${kind}, such as ${all.slice(0, examplesMax).join(" | ")}`]
    )
  ]
}

/** Every line of the ledger adds up, and every row of every file landed once and is shown, superseded or set aside. */
const accounts = (stand: SourcesStand, { files }: Files.Folded) =>
  Effect.gen(function* () {
    const wrong = yield* Oracle.readWarehouse(
      stand,
      "SELECT batch FROM northstar.batches WHERE rows_in <> published + superseded + quarantined + held"
    )
    const segments = globSync("proof/partners/log/*.json", { cwd: landing(stand) }).flatMap((name) =>
      // Sound: that is how a commit record is written.
      (parsed(join(landing(stand), name))["files"] as ReadonlyArray<{ path: string }>).map(({ path }) => path)
    )
    const landed = new Map<string, string>()
    for (const path of segments) {
      const rows = yield* Oracle.readWarehouse(
        stand,
        `SELECT (_position % 1000000000)::VARCHAR, (count(*) FILTER (_op = 1))::VARCHAR || '+' || (count(*) FILTER (_op = 2))::VARCHAR, count(DISTINCT _ordinal)::VARCHAR
          FROM read_parquet('${join(landing(stand), path)}') GROUP BY 1`
      )
      for (const [sequence, counts] of rows) landed.set(sequence ?? "", add(landed.get(sequence ?? ""), counts ?? ""))
    }
    const names = [...new Set(files.map(({ table }) => table))]
    const ofVersion = "((version // 10000000000000) % 1000000000)::VARCHAR"
    const kept = yield* Effect.forEach(names, (name) =>
      Oracle.readWarehouse(
        stand,
        `SELECT ${ofVersion}, sum(landed)::VARCHAR, sum(aside)::VARCHAR FROM (
          SELECT _version AS version, 1 AS landed, 0 AS aside FROM curated."${name}__history" WHERE _op = 1
          UNION ALL SELECT version, 0, 1 FROM northstar.quarantine WHERE table_name = '${name}' AND op = 1 AND resolved_at IS NULL) GROUP BY 1`
      )
    )
    const shown = new Map(
      kept.flat().map(([sequence, all, aside]) => [sequence ?? "", { all: Number(all), aside: Number(aside) }])
    )
    return [
      ...(wrong.length === 0 ? [] : [`${wrong.length} ledger lines do not add up`]),
      ...files.flatMap(({ aside, deleted, key, rows, sequence }) => {
        const has = shown.get(sequence) ?? { all: 0, aside: 0 }
        const label = `delivery ${sequence}, ${key}`
        const right = rows + deleted === 0 ? undefined : `${rows}+${deleted}`
        return [
          ...(landed.get(sequence) === right
            ? []
            : [`${label}: ${right} rows+deletes, landed ${landed.get(sequence)}`]),
          ...(has.all + has.aside === rows && has.aside === aside
            ? []
            : [
                `${label}: of ${rows} rows, ${aside} to set aside: ${has.all} are in the history, ${has.aside} are set aside`
              ])
        ]
      })
    ]
  })

const add = (left: string | undefined, right: string): string => {
  const [a = 0, b = 0] = (left ?? "0+0").split("+").map(Number)
  const [c = 0, d = 0] = right.split("+").map(Number)
  return `${a + c}+${b + d}`
}
