import { Effect, type Scope } from "effect"
import type { Change } from "../Change.ts"
import type { ConnectorError } from "../ConnectorError.ts"
import * as Fold from "../Fold.ts"
import * as Histories from "./Histories.ts"
import { type Law, property, same } from "./Law.ts"
import { advance, path, type Store, type Subject } from "./SinkLaws.ts"

/** A store of changes to `Histories.tables`. */
export interface ChangeStore<in out A, in out P> extends Store<A, P> {
  /** Changes as the sink takes them. */
  readonly encode: (changes: ReadonlyArray<Change<Histories.Row>>) => Effect.Effect<ReadonlyArray<A>, ConnectorError>
  /** The rows now, by table and key: source texts of live rows, and which keys are held. */
  readonly rows: Effect.Effect<Rows, ConnectorError>
}

/** Rows by table and key; `"held"` where a change before the row's newest is missing. Tables without rows are absent. */
export type Rows = ReadonlyMap<string, ReadonlyMap<string, Histories.Row | "held">>

/** A sink of changes to hold to laws K5 to K7. */
export interface ChangeSubject<A, P, R> extends Omit<Subject<A, P, R>, "batches" | "make"> {
  readonly make: Effect.Effect<ChangeStore<A, P>, ConnectorError, R | Scope.Scope>
}

/** K5 to K7: after any delivery of a random history the store holds what `Fold` says. */
export const laws = <A, P, R>(subject: ChangeSubject<A, P, R>): ReadonlyArray<Law<Exclude<R, Scope.Scope>>> => {
  const { name } = subject
  const converging = (law: string, shape: Histories.Shape) =>
    property(law, { runs: subject.runs ?? 10, size: 40, input: Histories.deliveries(shape) }, (delivery) =>
      converges(subject, delivery)
    )
  return [
    converging(`K5 newest wins: ${name} converges, however changes are ordered, repeated and split`, {
      partial: false,
      truncates: false,
      losses: false
    }),
    converging(`K6 partial rows: ${name} keeps what a change does not carry, holds what it cannot know`, {
      partial: true,
      truncates: false,
      losses: true
    }),
    converging(`K7 floor: ${name} lets nothing at or below a truncate come back`, {
      partial: true,
      truncates: true,
      losses: false
    })
  ]
}

const converges = Effect.fnUntraced(function* <A, P, R>(
  subject: ChangeSubject<A, P, R>,
  { batches }: Histories.Delivery
) {
  const store = yield* subject.make
  const encoded = yield* Effect.forEach(batches, store.encode)
  yield* advance(subject, store, path(subject, encoded))
  yield* same("the rows", yield* store.rows, rowsOf(batches.flat()))
})

/** The rows that changes should lead to. */
const rowsOf = (changes: ReadonlyArray<Change<Histories.Row>>): Rows => {
  const tables = new Map<string, Map<string, Histories.Row | "held">>()
  for (const [table, rows] of Fold.foldTables(changes)) {
    const ofTable = new Map<string, Histories.Row | "held">()
    for (const [key, current] of rows) ofTable.set(key, current._tag === "Live" ? current.row : "held")
    tables.set(table, ofTable)
  }
  return tables
}
