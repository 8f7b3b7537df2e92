import { Schema } from "effect"
import type { Check } from "./Check.ts"
import type { Column } from "./Column.ts"

/** The columns of a table, by name, in order. */
export type Columns = Readonly<Record<string, Column>>

/** The contract that source, sink and reports share about one table: the one description all statements are built from. */
export interface Table<out C extends Columns = Columns> {
  /** Name in the warehouse; lower case letters, digits and `_`. */
  readonly name: string
  /** Schema-qualified name at the source, such as `public.orders`. */
  readonly source: string
  /** An allowlist: what is not listed is reported and never captured. */
  readonly columns: C
  /** Primary key columns, in order. */
  readonly key: readonly [string, ...Array<string>]
  /** Columns that name a row to people, such as the order number: unique among live rows. */
  readonly businessKey: ReadonlyArray<string>
  /** When the row's event happened in the world, and the zone in which its business date is read (IANA name). */
  readonly event: { readonly column: string; readonly zone: string } | undefined
  /** Amounts in minor units with the column of their currency: accounted for per batch and currency. */
  readonly money: ReadonlyArray<{ readonly amount: string; readonly currency: string }>
  readonly checks: ReadonlyArray<Check>
  /** Raised when the contract changes what its rows say: what is loaded again under it then replaces what was loaded before. */
  readonly revision: number
}

/** The type of a table's row. */
export type Row<T> =
  T extends Table<infer C> ? { readonly [K in keyof C]: C[K] extends Column<infer V> ? V : never } : never

/** Describes a table. Key, business key and event name columns of it; anything else does not compile. */
export const make = <const C extends Columns>(
  name: string,
  options: {
    readonly source?: string
    readonly columns: C
    readonly key: readonly [keyof C & string, ...Array<keyof C & string>]
    readonly businessKey?: ReadonlyArray<keyof C & string>
    readonly event?: { readonly column: keyof C & string; readonly zone?: string }
    readonly money?: ReadonlyArray<{ readonly amount: keyof C & string; readonly currency: keyof C & string }>
    readonly checks?: ReadonlyArray<Check<keyof C & string>>
    readonly revision?: number
  }
): Table<C> => ({
  name,
  source: options.source ?? `public.${name}`,
  columns: options.columns,
  key: options.key,
  businessKey: options.businessKey ?? [],
  event: options.event === undefined ? undefined : { column: options.event.column, zone: options.event.zone ?? "UTC" },
  money: options.money ?? [],
  checks: options.checks ?? [],
  revision: options.revision ?? 0
})

/** Decodes a row of source texts, column by column. */
export const schema = <C extends Columns>(
  table: Table<C>
): Schema.Codec<Row<Table<C>>, Record<string, string | null>> =>
  // Sound: the struct's fields are exactly the table's columns, whose schemas carry the row's value types.
  Schema.Struct(
    Object.fromEntries(Object.entries(table.columns).map(([name, column]) => [name, column.schema]))
  ) as unknown as Schema.Codec<Row<Table<C>>, Record<string, string | null>>
