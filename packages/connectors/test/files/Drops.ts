import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Effect, Layer, Option, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import type * as Batch from "@northstar/core/Batch"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import type { Block, TextColumn } from "../../src/landing/Block.ts"
import * as FolderStore from "../../src/landing/FolderStore.ts"
import * as Discovery from "../../src/files/Discovery.ts"
import * as DropFolder from "../../src/files/DropFolder.ts"
import * as FileContract from "../../src/files/FileContract.ts"
import type { FilesPosition } from "../../src/files/FilesPosition.ts"
import * as FilesSource from "../../src/files/FilesSource.ts"

/** Shipments as a partner sends them. */
export const shipments = Table.make("shipments", {
  source: "partner.shipments",
  key: ["shipment_no"],
  columns: {
    shipment_no: Column.text,
    status: Column.renamedFrom(Column.text, "Sendungsstatus"),
    updated_at: Column.timestamptz,
    weight: Column.nullable(Column.decimal(10, 3)),
    note: Column.optional(Column.text)
  }
})

export const contract = (
  options: Partial<FileContract.Options<(typeof shipments)["columns"]>> = {}
): FileContract.FileContract =>
  FileContract.make({
    table: shipments,
    prefix: "in/",
    delimiter: ";",
    zone: "Europe/Berlin",
    formats: { updated_at: "dd.MM.yyyy HH:mm", weight: "," },
    ...options
  })

export const header = "shipment_no;status;updated_at;weight;note"

/** A drop folder and an object store for one test, at the machine's own time. */
export const folders = Effect.gen(function* () {
  const root = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "northstar-files-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  const drop = join(root, "drop")
  mkdirSync(drop)
  /** Puts a file in place at once, written at a second of 2026-11-23 10:00 UTC. */
  const put = (key: string, content: string | Uint8Array, second = 0): void => {
    const path = join(drop, key)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(join(drop, ".part"), content)
    const at = 1_795_428_000 + second
    utimesSync(join(drop, ".part"), at, at)
    renameSync(join(drop, ".part"), path)
  }
  const remove = (key: string): void => rmSync(join(drop, key))
  return { root, path: drop, put, remove, store: FolderStore.layer(join(root, "store")) }
})

/** The same in test time: files are written at times of their own, all before this one. */
export const world = Effect.andThen(TestClock.setTime(1_795_500_000_000), folders)

/** A source over a folder of a world; files are taken at once. */
export const source = (
  path: string,
  contracts: ReadonlyArray<FileContract.FileContract>,
  options: Partial<FilesSource.Options> = {}
) =>
  FilesSource.make({
    stream: "shop/partner",
    epoch: 1,
    contracts,
    drop: DropFolder.folder({ path, settle: 0 }),
    ...options
  })

/** The texts of one row, and what the block says of it. */
export interface TestRow {
  readonly op: number
  readonly position: bigint
  readonly ordinal: number
  readonly flagged: string | null
  readonly values: Readonly<Record<string, string | null>>
}

/** A block's rows. */
export const rowsOf = (block: Block): ReadonlyArray<TestRow> => {
  const columns = block.columns.map(texts)
  const flagged = texts(block.flagged)
  return Array.from({ length: block.rows }, (_, row) => ({
    op: block.ops[row] ?? 0,
    position: block.positions[row] ?? 0n,
    ordinal: block.ordinals[row] ?? 0,
    flagged: flagged[row] ?? null,
    values: Object.fromEntries(block.relation.columns.map(({ name }, column) => [name, columns[column]?.[row] ?? null]))
  }))
}

const texts = ({ present, bytes }: TextColumn): ReadonlyArray<string | null> => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  return Array.from(present, (is) => {
    if (is !== 1) return null
    const end = at + 4 + buffer.readUInt32LE(at)
    const text = buffer.toString("utf8", at + 4, end)
    at = end
    return text
  })
}

/** One batch, read to its end. */
export interface Delivered {
  readonly through: bigint
  readonly rows: ReadonlyArray<TestRow>
}

/** Everything there is behind `after`, a delivery at a time. A refused file fails its first reading and is empty in the second. */
export const readAll = (from: ReturnType<typeof source>, after?: bigint) =>
  Effect.scoped(
    Effect.gen(function* () {
      const reader = yield* from.open
      const head = yield* reader.head
      if (Option.isNone(head)) return []
      const range = {
        after: after === undefined || after === 0n ? Option.none() : Option.some(yield* at(after)),
        through: head
      }
      return yield* Effect.retry(
        reader.read(range).pipe(Stream.mapEffect(drained), Stream.runCollect),
        Schedule.recurs(20)
      )
    })
  )

/** The position behind a delivery of `shop/partner`. */
export const at = (delivery: bigint) =>
  Effect.map(Discovery.entry("shop/partner", delivery), (found): FilesPosition => ({
    epoch: 1,
    delivery,
    id: Option.getOrThrow(found).id
  }))

const drained = (batch: Batch.Batch<Block, FilesPosition>) =>
  Stream.runCollect(batch.chunks).pipe(
    Effect.map((chunks): Delivered => ({ through: batch.through.delivery, rows: chunks.flat().flatMap(rowsOf) }))
  )

/** Runs a test in a world of its own. */
export const inWorld = <A, E, R>(run: (given: Effect.Success<typeof world>) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const given = yield* world
    return yield* run(given).pipe(Effect.provide(Layer.fresh(given.store)))
  })
