import { Order } from "effect"

/**
 * Order of all changes to a key: lexicographic, strictly greater wins; equal versions with different content are an
 * error. `epoch` is raised at each accepted incarnation of a source (0 is imported history), `position` and `ordinal`
 * come from the source (commit LSN and ordinal in the transaction), `revision` from our contract and tokenisation, so
 * that a reprocessing wins over its original.
 */
export interface Version {
  readonly epoch: number
  readonly position: bigint
  readonly ordinal: number
  readonly revision: number
}

/** Lexicographic order of versions. */
export const Version: Order.Order<Version> = Order.combineAll([
  Order.mapInput(Order.Number, (version: Version) => version.epoch),
  Order.mapInput(Order.BigInt, (version: Version) => version.position),
  Order.mapInput(Order.Number, (version: Version) => version.ordinal),
  Order.mapInput(Order.Number, (version: Version) => version.revision)
])

/**
 * What happened to one key. `unchanged` names columns that this change does not carry (TOAST): they keep their value
 * and their own version. `movedFrom` is the old key of a primary key update; the old key's own delete is a change of its
 * own, exactly one ordinal earlier, and what the upsert does not carry it inherits from the old key as it stood before
 * that delete. `truncate` raises its table's floor: every version at or below it is gone.
 */
export type Change<Row> =
  | {
      readonly op: "upsert"
      readonly table: string
      readonly key: string
      readonly movedFrom?: string
      readonly version: Version
      readonly row: Row
      readonly unchanged: ReadonlyArray<string>
    }
  | { readonly op: "delete"; readonly table: string; readonly key: string; readonly version: Version }
  | { readonly op: "truncate"; readonly table: string; readonly version: Version }
