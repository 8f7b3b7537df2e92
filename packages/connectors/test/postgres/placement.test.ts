import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "fast-check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { type Block, opDelete, opTruncate, opUpsert } from "../../src/landing/Block.ts"
import { BlockBuilder, relation } from "../../src/landing/BlockBuilder.ts"
import type { Chunk, Target } from "../../src/postgres/Chunk.ts"
import { Placement } from "../../src/postgres/Placement.ts"
import type { PostgresPosition } from "../../src/postgres/Position.ts"
import { begin } from "../../src/postgres/Snapshot.ts"
import { Visibility } from "../../src/postgres/Visibility.ts"
import { rowsOf } from "./Fixture.ts"

const keys = 8
const table = Table.make("things", { key: ["id"], columns: { id: Column.int32, text: Column.text } })
const target: Target = {
  relation: relation("public.things", [
    { name: "id", type: "integer", key: true },
    { name: "text", type: "text", key: false }
  ]),
  key: ["id"]
}

/** What happens next; the numbers are chosen at random and taken modulo what there is. */
type Step = readonly [what: number, which: number]

interface Transaction {
  readonly xid: number
  /** Text by key; `null` deletes. */
  readonly writes: ReadonlyMap<number, string | null>
}

type Record =
  | { readonly kind: "commit"; readonly transaction: Transaction }
  | { readonly kind: "chunk"; readonly session: number; readonly number: number }
  | { readonly kind: "request"; readonly id: string }

const initial = Array.from({ length: keys }, (_, key) => [key, "initial"] as const)

const apply = (rows: Map<number, string>, { writes }: Transaction): void => {
  for (const [key, text] of writes) {
    if (text === null) rows.delete(key)
    else rows.set(key, text)
  }
}

const plain = (rows: ReadonlyMap<number, string>) => [...rows].map(([key, text]) => [String(key), text]).toSorted()

/** A source whose commits reach WAL before they are visible, and a reader of its stream that takes a snapshot of it. */
class World {
  readonly rows = new Map(initial)
  readonly landed: Array<Block> = []
  private readonly wal: Array<Record> = []
  private xids = 1
  private begun: Array<Transaction> = []
  private recorded: Array<Transaction> = []
  private session = 0
  private streamed = 0
  private snapshots: PostgresPosition["snapshots"] = { [table.source]: begin("first", undefined) }
  private durable = { streamed: 0, landed: 0, snapshots: this.snapshots }
  private placement = new Placement()
  private visibility = new Visibility()
  /** The last key read, and whether the table's end was. */
  private reader: { after: number; isDone: boolean } | undefined

  step([what, which]: Step): void {
    const actions = [
      () => this.write(which),
      () => this.record(which),
      () => this.show(which),
      () => this.read(1 + (which % 3)),
      () => this.read(1 + (which % 3)),
      () => this.mark(),
      () => this.stream(),
      () => this.stream(),
      () => this.commit(),
      () => (which % 4 === 0 ? this.kill() : undefined),
      () => (which % 8 === 0 ? this.wal.push({ kind: "request", id: `request ${which}` }) : undefined)
    ]
    actions[what % actions.length]?.()
  }

  /** Everything comes to rest. */
  finish(): void {
    for (; this.begun.length > 0;) this.record(0)
    for (; this.recorded.length > 0;) this.show(0)
    for (let round = 0; round < 10 * keys; round++) {
      if (this.streamed === this.wal.length && (this.snapshots[table.source]?.done ?? false)) break
      this.read(2)
      this.mark()
      while (this.streamed < this.wal.length) this.stream()
    }
    assert.isTrue(this.snapshots[table.source]?.done)
    assert.deepStrictEqual(fold(this.landed), plain(this.rows))
  }

  /** A table of which the snapshot is done is what the commits streamed so far made of it: nothing of later ones. */
  private checkCut(): void {
    if (!(this.snapshots[table.source]?.done ?? false)) return
    const rows = new Map(initial)
    for (const record of this.wal.slice(0, this.streamed)) {
      if (record.kind === "commit") apply(rows, record.transaction)
    }
    assert.deepStrictEqual(fold(this.landed), plain(rows))
  }

  private write(which: number): void {
    const key = which % keys
    const isLocked = [...this.begun, ...this.recorded].some(({ writes }) => writes.has(key))
    if (isLocked) return
    const xid = this.xids++
    this.begun.push({ xid, writes: new Map([[key, which % 3 === 0 ? null : `written by ${xid}`]]) })
  }

  private record(which: number): void {
    const [transaction] = this.begun.splice(which % Math.max(1, this.begun.length), 1)
    if (transaction === undefined) return
    this.recorded.push(transaction)
    this.wal.push({ kind: "commit", transaction })
  }

  private show(which: number): void {
    const [transaction] = this.recorded.splice(which % Math.max(1, this.recorded.length), 1)
    if (transaction !== undefined) apply(this.rows, transaction)
  }

  private running(): ReadonlyArray<bigint> {
    return [...this.begun, ...this.recorded].map(({ xid }) => BigInt(xid))
  }

  private read(count: number): void {
    if (!this.placement.isCurrent(table, this.snapshots)) this.reader = undefined
    if (this.reader === undefined) {
      const progress = this.snapshots[table.source]
      if (progress === undefined) return
      this.placement.begin(table, progress)
      this.reader = { after: Number(progress.after?.[0] ?? -1), isDone: progress.done }
    }
    const { reader } = this
    if (reader.isDone) return
    const found = [...this.rows].filter(([key]) => key > reader.after).toSorted(([a], [b]) => a - b)
    const chunk = this.chunkOf(found.slice(0, count), found.length < count)
    this.placement.add({ table, target, chunk })
    this.reader = { after: found.slice(0, count).at(-1)?.[0] ?? reader.after, isDone: chunk.done }
  }

  private chunkOf(rows: ReadonlyArray<readonly [number, string]>, done: boolean): Chunk {
    const builder = new BlockBuilder(target.relation)
    for (const [key, text] of rows) put(builder, opUpsert, 0n, 0, key, text)
    const xip = this.running()
    const xmax = BigInt(this.xids)
    const xmin = xip.reduce((least, xid) => (xid < least ? xid : least), xmax)
    const { bytes, sizes } = builder
    const last = rows.at(-1)
    return {
      block: builder.finish(),
      snapshot: { xmin, xmax, xip: new Set(xip) },
      last: last === undefined ? null : [String(last[0])],
      done,
      readAtUs: 0n,
      bytes,
      sizes
    }
  }

  private mark(): void {
    this.wal.push({ kind: "chunk", session: this.session, number: this.placement.newest })
  }

  private stream(): void {
    const found = this.wal[this.streamed]
    if (found === undefined) return
    this.streamed += 1
    const lsn = BigInt(this.streamed * 10)
    if (found.kind === "commit") {
      this.visibility.committed(found.transaction.xid, lsn)
      const builder = new BlockBuilder(target.relation)
      for (const [key, text] of found.transaction.writes) {
        put(builder, text === null ? opDelete : opUpsert, lsn, 0, key, text)
      }
      this.landed.push(builder.finish())
    } else if (found.kind === "request") {
      const progress = this.snapshots[table.source]
      this.snapshots = { [table.source]: begin(found.id, progress) }
    } else if (found.session === this.session) {
      const placed = this.placement.arrived(found.number, lsn, this.snapshots, this.visibility)
      this.landed.push(...(placed?.blocks ?? []))
      this.snapshots = placed?.snapshots ?? this.snapshots
    }
    this.checkCut()
  }

  private commit(): void {
    this.durable = { streamed: this.streamed, landed: this.landed.length, snapshots: this.snapshots }
  }

  /** All that is not durable is gone: what was landed since, and chunks that wait. */
  private kill(): void {
    this.landed.splice(this.durable.landed)
    this.streamed = this.durable.streamed
    this.snapshots = this.durable.snapshots
    this.session += 1
    this.placement = new Placement()
    this.visibility = new Visibility()
    this.visibility.doubt(this.running())
    this.reader = undefined
  }
}

const put = (
  builder: BlockBuilder,
  op: number,
  position: bigint,
  ordinal: number,
  key: number,
  text: string | null
) => {
  builder.begin(op, position, ordinal, 0n)
  for (const [column, value] of [String(key), text].entries()) {
    if (value === null) continue
    const bytes = Buffer.from(value)
    builder.value(column, bytes, 0, bytes.length)
  }
}

/** What any sink makes of the blocks: the newest version of every key, above the floor. */
const fold = (blocks: ReadonlyArray<Block>) => {
  const rows = rowsOf(blocks)
  const floor = rows.reduce((max, row) => (row.op === opTruncate && row.position > max ? row.position : max), -1n)
  const newest = new Map(
    rows.filter((row) => row.op !== opTruncate && row.position > floor).map((row) => [row.values["id"], row])
  )
  const texts = [...newest.values()].filter((row) => row.op !== opDelete).map((row) => Object.values(row.values))
  return texts.toSorted()
}

const steps = FastCheck.array(FastCheck.tuple(FastCheck.nat(10), FastCheck.nat(1000)), {
  minLength: 20,
  maxLength: 120,
  size: "max"
})

describe("placement", () => {
  it("S7 snapshot: with any number of chunks waiting, through kills and new requests, no row beats a commit that its chunk did not see", () => {
    FastCheck.assert(
      FastCheck.property(steps, (all) => {
        const world = new World()
        for (const step of all) world.step(step)
        world.finish()
      }),
      { numRuns: Number(process.env["PLACEMENT_RUNS"] ?? 300) }
    )
  })
})
