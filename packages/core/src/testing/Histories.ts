import { Arbitrary, Schema } from "effect"
import type { Change, Version } from "../Change.ts"
import * as Column from "../Column.ts"
import * as Table from "../Table.ts"

const columns = {
  id: Column.int64,
  amount: Column.int32,
  note: Column.nullable(Column.text),
  memo: Column.nullable(Column.text)
}

/** The tables of random histories, with one key column; `note` and `memo` may be left out of an update. */
export const tables = [
  Table.make("parcels", { columns, key: ["id"] }),
  Table.make("labels", { columns, key: ["id"] })
] as const

/** Source texts by column. The key of a change is the text of `id`. */
export type Row = Readonly<Record<string, string | null>>

/** A random source: everything it ever streamed, in order, and the rows it ends with by table and key. */
export interface History {
  readonly changes: ReadonlyArray<Change<Row>>
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, Row>>
}

/** A history's changes in batches as they may arrive: out of order, repeated, with some upserts lost for good. */
export interface Delivery {
  readonly history: History
  readonly batches: ReadonlyArray<ReadonlyArray<Change<Row>>>
}

/** What a history may hold besides complete rows and deletes, and whether its delivery may lose upserts. */
export interface Shape {
  /** Updates that leave out columns, and updates of the primary key. */
  readonly partial: boolean
  readonly truncates: boolean
  readonly losses: boolean
}

const Key = Schema.Literals(["1", "2", "3", "4"])
const Small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 }))

/** What the random application does next: at most one thing to one row. */
const Command = Schema.Struct({
  table: Schema.Literals(["parcels", "labels"]),
  what: Schema.Literals(["put", "update", "delete", "move", "truncate"]),
  key: Key,
  to: Key,
  leftOut: Schema.Literals(["none", "note", "memo", "both"]),
  commits: Schema.Boolean
})
type Command = typeof Command.Type

/** Random histories. */
export const histories = (shape: Shape): Arbitrary.Arbitrary<History> =>
  Arbitrary.map(Arbitrary.array(Arbitrary.schema(Command), { maxLength: 60 }), (commands) => simulate(commands, shape))

/** Random histories and deliveries of them. */
export const deliveries = (shape: Shape): Arbitrary.Arbitrary<Delivery> => {
  const numbers = Arbitrary.array(Arbitrary.schema(Small), { maxLength: 60 })
  return Arbitrary.all({ history: histories(shape), ranks: numbers, sizes: numbers, lost: numbers }).pipe(
    Arbitrary.map(({ history, ranks, sizes, lost }) => ({
      history,
      batches: split(disorder(shape.losses ? lose(history.changes, lost) : history.changes, ranks), sizes)
    }))
  )
}

/** Plays commands on tables as a database would; those that make no sense in their moment do nothing. */
const simulate = (commands: ReadonlyArray<Command>, shape: Shape): History => {
  const changes: Array<Change<Row>> = []
  const tables = new Map<string, Map<string, Row>>([
    ["parcels", new Map()],
    ["labels", new Map()]
  ])
  let position = 100n
  let ordinal = 0
  const version = (): Version => ({ epoch: 1, position, ordinal: ordinal++, revision: 1 })
  for (const [index, command] of commands.entries()) {
    if (command.commits) {
      position += 8n
      ordinal = 0
    }
    play(command, index, shape, tables.get(command.table) ?? new Map(), (change) =>
      changes.push({ ...change, table: command.table, version: version() })
    )
  }
  return { changes, tables }
}

type Unplaced<C> = C extends unknown ? Omit<C, "table" | "version"> : never

const play = (
  { what, key, to, leftOut }: Command,
  index: number,
  shape: Shape,
  rows: Map<string, Row>,
  emit: (change: Unplaced<Change<Row>>) => void
): void => {
  const old = rows.get(key)
  const skips = (column: string) => shape.partial && old !== undefined && (leftOut === "both" || leftOut === column)
  const write = (id: string, movedFrom?: string): void => {
    const unchanged = ["note", "memo"].filter(skips)
    const fresh: Row = { id, amount: `${index}`, note: index % 5 === 0 ? null : `note ${index}`, memo: `memo ${index}` }
    const carried = Object.fromEntries(Object.entries(fresh).filter(([column]) => !unchanged.includes(column)))
    rows.set(id, { ...old, ...carried })
    emit({ op: "upsert", key: id, ...(movedFrom === undefined ? {} : { movedFrom }), row: carried, unchanged })
  }
  if (what === "put" || (what === "update" && old !== undefined)) write(key)
  if (what === "truncate" && shape.truncates && index % 3 === 0) {
    rows.clear()
    emit({ op: "truncate" })
  }
  if (old === undefined) return
  if (what === "delete") {
    rows.delete(key)
    emit({ op: "delete", key })
  }
  if (what === "move" && shape.partial && !rows.has(to)) {
    rows.delete(key)
    emit({ op: "delete", key })
    write(to, key)
  }
}

const lose = (changes: ReadonlyArray<Change<Row>>, lost: ReadonlyArray<number>): ReadonlyArray<Change<Row>> =>
  changes.filter((change, index) => change.op !== "upsert" || !lost.slice(0, 5).includes(index))

/** Sorts by random ranks; every fourth rank brings its change again, much later. */
const disorder = (changes: ReadonlyArray<Change<Row>>, ranks: ReadonlyArray<number>): ReadonlyArray<Change<Row>> =>
  changes
    .flatMap((change, index) => {
      const rank = ranks.length === 0 ? index : (ranks[index % ranks.length] ?? 0)
      return rank % 4 === 0
        ? [
            { change, rank },
            { change, rank: rank + 50 }
          ]
        : [{ change, rank }]
    })
    .toSorted((left, right) => left.rank - right.rank)
    .map(({ change }) => change)

/** Batches of 0 to 9 rows as `sizes` says, then one with the rest. */
const split = <A>(rows: ReadonlyArray<A>, sizes: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<A>> => {
  const batches: Array<ReadonlyArray<A>> = []
  let start = 0
  for (const size of sizes) {
    if (start >= rows.length) break
    batches.push(rows.slice(start, start + (size % 10)))
    start += size % 10
  }
  return start < rows.length ? [...batches, rows.slice(start)] : batches
}
