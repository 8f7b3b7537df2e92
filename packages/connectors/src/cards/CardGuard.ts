import { Effect, Option, Stream } from "effect"
import * as Batch from "@northstar/core/Batch"
import { ConnectorError, Misconfigured } from "@northstar/core/ConnectorError"
import type { Stage } from "@northstar/core/Stage"
import type { Table } from "@northstar/core/Table"
import type { Block, ProtectedBlock } from "../landing/Block.ts"
import { type CardKeys, variable } from "./CardKeys.ts"
import * as ProtectedRows from "./ProtectedRows.ts"

/** How card data is kept out of a sink. */
export interface GuardOptions {
  /** Contracts of the tables that the blocks are of. */
  readonly tables: ReadonlyArray<Table>
  /** Read once, when the stream starts. Without keys tables with `pci` columns are refused. */
  readonly keys: Effect.Effect<Option.Option<CardKeys>, ConnectorError>
  /**
   * What becomes of a row with a card number where none belongs. The number itself never stays: `"tokenise"` lets the row
   * go on with its token, `"quarantine"` also sets the row aside. A row whose key held one, or a column that cannot hold
   * a token, is always set aside.
   */
  readonly policy: "tokenise" | "quarantine"
  /** Told of what was found in a chunk; by default it is logged as a warning. */
  readonly onHit?: (findings: ReadonlyArray<Finding>) => Effect.Effect<void>
}

/** Card data that was found in a column, and taken out. */
export interface Finding {
  /** Name of the table at the source. */
  readonly table: string
  readonly column: string
  /** `not_a_card`: a value of a `pci` column that is no card number, dropped. */
  readonly kind: "card_number" | "track_data" | "not_a_card"
  readonly rows: number
}

/**
 * The stage between every source and every sink: values of `pci` columns become tokens, and all other texts are searched
 * for card numbers and track data. A block without any passes as it is, without being copied. Fails with `Misconfigured`
 * before the first batch where a contract asks for what cannot be kept.
 */
export const guard =
  (options: GuardOptions): Stage<Block, ProtectedBlock, ConnectorError> =>
  (batches) =>
    Stream.unwrap(
      Effect.map(make(options), (protect) => Stream.map(batches, (batch) => Batch.mapChunks(batch, protect)))
    )

const make = Effect.fn("CardGuard.make")(function* (options: GuardOptions) {
  const protect = yield* protector(options)
  const report = options.onHit ?? warn
  return (chunks: Batch.Batch<Block, unknown>["chunks"]) =>
    Stream.mapEffect(chunks, (blocks) => {
      const done = blocks.map(protect)
      const findings = done.flatMap((one) => one.findings)
      return Effect.as(
        findings.length === 0 ? Effect.void : report(findings),
        done.map(({ block }) => block)
      )
    })
})

/** The guard of single blocks, for what is no pipeline. */
export const protector = Effect.fnUntraced(function* (
  options: Omit<GuardOptions, "onHit">
): Effect.fn.Return<
  (block: Block) => { readonly block: ProtectedBlock; readonly findings: ReadonlyArray<Finding> },
  ConnectorError
> {
  const keys = yield* options.keys
  yield* check(options.tables, keys)
  return ProtectedRows.protector(options.tables, keys, options.policy)
})

/** Whether the contracts' card data can be kept: `Misconfigured` says which cannot, and what to do. */
export const check = (
  tables: ReadonlyArray<Table>,
  keys: Option.Option<CardKeys>
): Effect.Effect<void, ConnectorError> => {
  const refuse = (detail: string, action: string) =>
    Effect.fail(
      new ConnectorError({
        connector: "cards",
        operation: "check contracts",
        detail,
        action,
        reason: new Misconfigured({ detail: "card data" })
      })
    )
  for (const table of tables) {
    const columns = Object.entries(table.columns)
    const tagged = columns.filter(([, { tag }]) => tag === "pci")
    const names = tagged.map(([name]) => `${table.name}.${name}`).join(", ")
    if (tagged.some(([, { type }]) => type.kind !== "text")) {
      return refuse(`of ${names} not all are texts, and a token is one`, "Declare them as Column.pci(Column.text)")
    }
    if (tagged.length > 0 && Option.isNone(keys)) {
      return refuse(
        `${names} hold card data, and there is no key to make tokens with`,
        `Set ${variable}, or take the columns out of the contract: then they are never captured`
      )
    }
    const lost = columns.find(([, { cardPart }]) => cardPart && !tagged.some(([name]) => name === cardPart.of))
    if (lost !== undefined) {
      return refuse(
        `${table.name}.${lost[0]} is a part of ${lost[1].cardPart?.of}, which is no pci column of it`,
        "Name the pci column that holds the card number"
      )
    }
  }
  return Effect.void
}

const found = {
  card_number: "what looks like card numbers was replaced",
  track_data: "track data of cards was removed",
  not_a_card: "values that are no card numbers were dropped"
} as const

/** Logs findings: names and counts, never values. */
export const warn = (findings: ReadonlyArray<Finding>): Effect.Effect<void> =>
  Effect.forEach(
    findings,
    ({ column, kind, rows, table }) => Effect.logWarning(`${table}, column ${column}: ${found[kind]} in ${rows} rows`),
    { discard: true }
  )
