import type { Change } from "@northstar/core/Change"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import type { Histories } from "@northstar/core/testing"
import { changesOf } from "./Changes.ts"

/** The table that most cases are about. */
export const boxes = Table.make("boxes", {
  columns: {
    id: Column.int64,
    note: Column.nullable(Column.text),
    memo: Column.nullable(Column.text)
  },
  key: ["id"]
})

/** A table whose rows have a business date, by which the current rows that a batch touches are looked for. */
export const trips = Table.make("trips", {
  columns: {
    id: Column.int64,
    note: Column.nullable(Column.text),
    memo: Column.nullable(Column.text),
    day: Column.nullable(Column.date)
  },
  key: ["id"],
  event: { column: "day", zone: "UTC" }
})

/** Batches that arrive one after the other and what every engine's tables must then show. */
export interface FenceCase {
  readonly name: string
  /** Default: `boxes`. */
  readonly table?: Table.Table
  readonly batches: ReadonlyArray<ReadonlyArray<Change<Histories.Row>>>
  /** By key: `[note, memo]`, or held. */
  readonly rows: Readonly<Record<string, readonly [string | null, string | null] | "held">>
  /** `key reason` of what was set aside. */
  readonly quarantined?: ReadonlyArray<string>
}

const { put, remove, move, truncate } = changesOf("boxes")
const a = (note: string, memo = "m") => ({ id: "1", note, memo })

const trip = changesOf("trips")
const on = (day: string | null, note: string, id = "1") => ({ id, note, memo: "m", day })

/** The fence as a table of cases, the same for every engine. */
export const fenceCases: ReadonlyArray<FenceCase> = [
  { name: "the newer of two rows wins", batches: [[put(1, a("x"))], [put(2, a("y"))]], rows: { 1: ["y", "m"] } },
  { name: "a stale row does not regress", batches: [[put(2, a("y"))], [put(1, a("x"))]], rows: { 1: ["y", "m"] } },
  { name: "a stale delete does not remove", batches: [[put(2, a("y"))], [remove(1, "1")]], rows: { 1: ["y", "m"] } },
  { name: "a stale row does not resurrect", batches: [[put(1, a("x")), remove(3, "1")], [put(2, a("y"))]], rows: {} },
  { name: "the same row again is known", batches: [[put(1, a("x"))], [put(1, a("x"))]], rows: { 1: ["x", "m"] } },
  {
    name: "the same row twice in a batch is known",
    batches: [[put(1, a("x")), put(1, a("x"))]],
    rows: { 1: ["x", "m"] }
  },
  {
    name: "another row of the same version is set aside",
    batches: [[put(1, a("x"))], [put(1, a("y"))]],
    rows: { 1: ["x", "m"] },
    quarantined: ["1 version_conflict"]
  },
  {
    name: "another row of the same version in one batch is set aside",
    batches: [[put(1, a("x")), put(1, a("y"))]],
    rows: { 1: ["x", "m"] },
    quarantined: ["1 version_conflict"]
  },
  {
    name: "a delete of the version of a row is set aside",
    batches: [[put(1, a("x"))], [remove(1, "1")]],
    rows: { 1: ["x", "m"] },
    quarantined: ["1 version_conflict"]
  },
  {
    name: "a row of the version of a delete is set aside",
    batches: [[remove(1, "1")], [put(1, a("x"))]],
    rows: {},
    quarantined: ["1 version_conflict"]
  },
  {
    name: "delete and insert again in one batch",
    batches: [[put(1, a("x"))], [remove(2, "1"), put(2, a("y"), { ordinal: 1 })]],
    rows: { 1: ["y", "m"] }
  },
  {
    name: "update and delete in one batch",
    batches: [[put(1, a("x"))], [put(2, a("y")), remove(3, "1")]],
    rows: {}
  },
  { name: "insert and delete in one batch", batches: [[put(1, a("x")), remove(2, "1")]], rows: {} },
  { name: "a delete of what never was", batches: [[remove(2, "1")]], rows: {} },
  {
    name: "a column left out in the same batch",
    batches: [[put(1, a("x", "long")), put(2, { id: "1", note: "y" }, { leavesOut: ["memo"] })]],
    rows: { 1: ["y", "long"] }
  },
  {
    name: "a column left out in a later batch",
    batches: [[put(1, a("x", "long"))], [put(2, { id: "1", note: "y" }, { leavesOut: ["memo"] })]],
    rows: { 1: ["y", "long"] }
  },
  {
    name: "a NULL is carried, not left out",
    batches: [[put(1, a("x", "long"))], [put(2, { id: "1", note: null }, { leavesOut: ["memo"] })]],
    rows: { 1: [null, "long"] }
  },
  {
    name: "a late row between fills what a newer one left out",
    batches: [
      [put(1, a("x", "old"))],
      [put(3, { id: "1", note: "z" }, { leavesOut: ["memo"] })],
      [put(2, a("y", "new"))]
    ],
    rows: { 1: ["z", "new"] }
  },
  {
    name: "a row whose predecessor is missing is held",
    batches: [[put(2, { id: "1", note: "y" }, { leavesOut: ["memo"] })]],
    rows: { 1: "held" }
  },
  {
    name: "a held row is resolved by its late predecessor",
    batches: [[put(2, { id: "1", note: "y" }, { leavesOut: ["memo"] })], [put(1, a("x", "long"))]],
    rows: { 1: ["y", "long"] }
  },
  {
    name: "a held row is resolved by a whole one",
    batches: [[put(2, { id: "1", note: "y" }, { leavesOut: ["memo"] })], [put(3, a("z", "whole"))]],
    rows: { 1: ["z", "whole"] }
  },
  {
    name: "a held row is deleted",
    batches: [[put(2, { id: "1", note: "y" }, { leavesOut: ["memo"] })], [remove(3, "1")]],
    rows: {}
  },
  {
    name: "a delete resets what a row knew",
    batches: [[put(1, a("x", "long")), remove(2, "1")], [put(3, { id: "1", note: "z" }, { leavesOut: ["memo"] })]],
    rows: { 1: "held" }
  },
  {
    name: "a move in one batch keeps what it leaves out",
    batches: [[put(1, a("x", "long")), ...move(2, "1", { id: "2", note: "y" }, ["memo"])]],
    rows: { 2: ["y", "long"] }
  },
  {
    name: "a move in a later batch keeps what it leaves out",
    batches: [[put(1, a("x", "long"))], move(2, "1", { id: "2", note: "y" }, ["memo"])],
    rows: { 2: ["y", "long"] }
  },
  {
    name: "a move whose old row comes late",
    batches: [move(2, "1", { id: "2", note: "y" }, ["memo"]), [put(1, a("x", "long"))]],
    rows: { 2: ["y", "long"] }
  },
  {
    name: "several moves in a chain, the first row last",
    batches: [
      move(2, "1", { id: "2" }, ["note", "memo"]),
      [...move(3, "2", { id: "3" }, ["note", "memo"]), ...move(4, "3", { id: "4", note: "new" }, ["memo"])],
      [put(1, a("x", "long"))]
    ],
    rows: { 4: ["new", "long"] }
  },
  {
    name: "a move onto a key that another row had",
    batches: [
      [put(1, a("x", "of 1")), put(1, { id: "2", note: "b", memo: "of 2" }, { ordinal: 1 })],
      [remove(2, "2"), ...move(3, "1", { id: "2", note: "y" }, ["memo"])]
    ],
    rows: { 2: ["y", "of 1"] }
  },
  {
    name: "a move there and back",
    batches: [
      [put(1, a("x", "long"))],
      [...move(2, "1", { id: "2", note: "y" }, ["memo"]), ...move(3, "2", { id: "1", note: "z" }, ["memo"])]
    ],
    rows: { 1: ["z", "long"] }
  },
  {
    name: "a truncate removes what lies before it, in its batch and before",
    batches: [[put(1, a("x"))], [put(2, { id: "2", note: "b", memo: "m" }), truncate(3), put(4, a("y"))]],
    rows: { 1: ["y", "m"] }
  },
  { name: "a late row below the floor stays out", batches: [[truncate(3)], [put(2, a("x"))]], rows: {} },
  {
    name: "a replay of everything after a truncate resurrects nothing",
    batches: [
      [put(1, a("x")), put(2, { id: "2", note: "b", memo: "m" })],
      [truncate(3)],
      [put(4, a("y"))],
      [put(1, a("x")), put(2, { id: "2", note: "b", memo: "m" }), truncate(3), put(4, a("y"))]
    ],
    rows: { 1: ["y", "m"] }
  },
  {
    name: "a late truncate removes what a later change left out",
    batches: [[put(1, a("x", "long"))], [put(3, { id: "1", note: "z" }, { leavesOut: ["memo"] })], [truncate(2)]],
    rows: { 1: "held" }
  },
  {
    name: "a change at the floor is superseded",
    batches: [[truncate(3)], [put(3, a("x"))]],
    rows: {}
  },
  {
    table: trips,
    name: "a row outside the pruning predicate: its day changes to a recent one",
    batches: [
      [trip.put(1, on("2020-01-01", "x"))],
      [trip.put(2, on("2024-06-01", "y")), trip.put(3, on("2024-06-01", "b", "2"))]
    ],
    rows: { 1: ["y", "m"], 2: ["b", "m"] }
  },
  {
    table: trips,
    name: "a row outside the pruning predicate: its day changes to one long past",
    batches: [
      [trip.put(1, on("2024-06-01", "x"))],
      [trip.put(2, on("2020-01-01", "y")), trip.put(3, on("2024-06-02", "b", "2"))]
    ],
    rows: { 1: ["y", "m"], 2: ["b", "m"] }
  },
  {
    table: trips,
    name: "a row outside the pruning predicate: it has no day",
    batches: [[trip.put(1, on(null, "x"))], [trip.put(2, on("2024-06-01", "y"))], [trip.put(3, on(null, "z"))]],
    rows: { 1: ["z", "m"] }
  },
  {
    table: trips,
    name: "a row outside the pruning predicate: a delete does not say its day",
    batches: [
      [trip.put(1, on("2020-01-01", "x")), trip.put(2, on("2024-06-01", "b", "2"))],
      [trip.remove(3, "1"), trip.put(4, on("2024-06-02", "c", "2"))]
    ],
    rows: { 2: ["c", "m"] }
  },
  {
    table: trips,
    name: "a row outside the pruning predicate: recent, late, dayless and deleted rows in one batch",
    batches: [
      [
        trip.put(1, on("2020-01-01", "x", "1")),
        trip.put(2, on("2024-05-31", "x", "2")),
        trip.put(3, on(null, "x", "3")),
        trip.put(4, on("2021-01-01", "x", "4"))
      ],
      [
        trip.put(11, on("2024-06-01", "y", "1")),
        trip.put(12, on("2020-03-01", "y", "2")),
        trip.put(13, on("2024-06-01", "y", "3")),
        trip.remove(14, "4"),
        trip.put(15, on(null, "y", "5"))
      ],
      [trip.put(21, on("2024-06-03", "z", "5")), trip.put(22, on(null, "z", "1"))]
    ],
    rows: { 1: ["z", "m"], 2: ["y", "m"], 3: ["y", "m"], 5: ["z", "m"] }
  },
  {
    table: trips,
    name: "a row outside the pruning predicate: keys between those of the batch stay as they are",
    batches: [
      ["1", "5", "9"].map((id, at) => trip.put(at + 1, on("2024-06-01", "x", id))),
      [trip.put(11, on("2024-06-01", "y", "1")), trip.put(12, on("2024-06-01", "y", "9"))]
    ],
    rows: { 1: ["y", "m"], 5: ["x", "m"], 9: ["y", "m"] }
  }
]
