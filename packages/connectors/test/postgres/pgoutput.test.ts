import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as FastCheck from "fast-check"
import * as Column from "@northstar/core/Column"
import * as Table from "@northstar/core/Table"
import { encode, decode } from "@northstar/core/Position"
import { Decoder } from "../../src/postgres/Pgoutput.ts"
import { formatLsn, parseLsn, position } from "../../src/postgres/Position.ts"
import { Visibility } from "../../src/postgres/Visibility.ts"
import { Frames, Malformed } from "../../src/postgres/Wire.ts"
import { rowsOf } from "./Fixture.ts"

const u8 = (n: number) => Buffer.from([n])
const u16 = (n: number) => Buffer.from([n >> 8, n & 255])
const u32 = (n: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return bytes
}
const u64 = (n: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(n)
  return bytes
}
const name = (text: string) => Buffer.from(`${text}\0`)
const letter = (text: string) => Buffer.from(text)
const value = (text: string | null | undefined) =>
  text === null
    ? letter("n")
    : text === undefined
      ? letter("u")
      : Buffer.concat([letter("t"), u32(Buffer.byteLength(text)), Buffer.from(text)])
const tuple = (...values: ReadonlyArray<string | null | undefined>) =>
  Buffer.concat([u16(values.length), ...values.map((text) => value(text))])

const begin = Buffer.concat([letter("B"), u64(1000n), u64(5n), u32(7)])
const commit = Buffer.concat([letter("C"), u8(0), u64(1000n), u64(1048n), u64(5n)])
const column = (key: number, text: string) => Buffer.concat([u8(key), name(text), u32(25), u32(-1)])
const relation = Buffer.concat([
  letter("R"),
  u32(1),
  name("public"),
  name("orders"),
  letter("d"),
  u16(3),
  column(1, "id"),
  column(0, "status"),
  column(0, "note")
])
const insert = Buffer.concat([letter("I"), u32(1), letter("N"), tuple("1", "é😀", null)])
const update = Buffer.concat([letter("U"), u32(1), letter("N"), tuple("1", "paid", undefined)])
const move = Buffer.concat([
  letter("U"),
  u32(1),
  letter("K"),
  tuple("1", null, null),
  letter("N"),
  tuple("2", "paid", undefined)
])
const remove = Buffer.concat([letter("D"), u32(1), letter("K"), tuple("2", null, null)])
const truncate = Buffer.concat([letter("T"), u32(1), u8(0), u32(1)])
const message = Buffer.concat([letter("M"), u8(0), u64(990n), name("p"), u32(2), letter("hi")])
const all = [begin, relation, insert, message, update, move, remove, truncate, commit]

const orders = Table.make("orders", {
  key: ["id"],
  columns: { id: Column.int64, status: Column.text, note: Column.text }
})

const decoder = () =>
  new Decoder({
    tables: new Map([["public.orders", orders]]),
    typeName: () => "text",
    events: { begin: () => {}, commit: () => {}, message: () => {} }
  })

const feed = (to: Decoder, messages: ReadonlyArray<Buffer>) => {
  for (const bytes of messages) to.decode(bytes, 0, bytes.length)
}

describe("pgoutput", () => {
  it("decodes every kind of change", () => {
    const one = decoder()
    feed(one, all)
    const found = rowsOf(one.take()).map((row) => [row.op, row.ordinal, row.values, row.unchanged, row.movedFrom])
    assert.deepStrictEqual(found, [
      [1, 0, { id: "1", status: "é😀", note: null }, null, null],
      [1, 1, { id: "1", status: "paid", note: null }, '["note"]', null],
      [2, 2, { id: "1", status: null, note: null }, null, null],
      [1, 3, { id: "2", status: "paid", note: null }, '["note"]', '["1"]'],
      [2, 4, { id: "2", status: null, note: null }, null, null],
      [3, 5, { id: null, status: null, note: null }, null, null]
    ])
  })

  it("a message cut short anywhere, or followed by anything, is malformed", () => {
    for (const [index, bytes] of all.entries()) {
      for (let length = 0; length < bytes.length; length++) {
        const one = decoder()
        feed(one, all.slice(0, index))
        // More bytes lie behind in the buffer, as they do in a socket's: none of them may be read.
        assert.throws(() => one.decode(Buffer.concat([bytes, bytes]), 0, length), Malformed)
      }
      const one = decoder()
      feed(one, all.slice(0, index))
      assert.throws(() => one.decode(Buffer.concat([bytes, u8(0)]), 0, bytes.length + 1), Malformed)
    }
  })

  it("damaged bytes are malformed or decode to something, and never hang or fail otherwise", () => {
    const damage = FastCheck.record({
      index: FastCheck.nat(all.length - 1),
      at: FastCheck.nat(200),
      to: FastCheck.nat(255)
    })
    FastCheck.assert(
      FastCheck.property(damage, ({ index, at, to }) => {
        const bytes = Buffer.from(all[index] ?? begin)
        bytes[at % bytes.length] = to
        try {
          feed(decoder(), [...all.slice(0, index), bytes, ...all.slice(index + 1)])
        } catch (error) {
          assert.instanceOf(error, Malformed)
        }
      }),
      { numRuns: 2000 }
    )
  })

  it("messages are the same however the bytes are cut into reads", () => {
    const bytes = Buffer.concat(all.map((body) => Buffer.concat([letter("d"), u32(body.length + 4), body])))
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.integer({ min: 1, max: 60 })), (sizes) => {
        const found: Array<string> = []
        let holds = true
        const frames = new Frames((_, buffer, start, end) => {
          holds = !holds
          if (!holds) found.push(buffer.toString("hex", start, end))
          return !holds
        })
        let at = 0
        for (const size of [...sizes, bytes.length]) {
          frames.push(bytes.subarray(at, at + size))
          at += size
        }
        for (let n = 0; n < 2 * all.length; n++) frames.push(Buffer.alloc(0))
        assert.deepStrictEqual(
          found,
          all.map((body) => body.toString("hex"))
        )
      })
    )
  })
})

describe("a position", () => {
  it.effect("S3 order: goes through text and back, and orders by epoch before LSN", () =>
    Effect.gen(function* () {
      const at = {
        epoch: 1,
        systemIdentifier: "7412345678901234567",
        timeline: 1,
        slot: "northstar",
        lsn: 0xffff_ffff_0000_0001n,
        snapshots: { "public.orders": { id: "a", after: ['k"1', "é"], floor: 12n, chunks: 3, done: false } }
      }
      const text = encode(position, at)
      assert.deepStrictEqual(yield* decode(position, text), at)
      assert.strictEqual(encode(position, yield* decode(position, text)), text)
      assert.isTrue(position.order({ ...at, epoch: 2, lsn: 0n }, at) > 0)
      assert.strictEqual(parseLsn(formatLsn(at.lsn)), at.lsn)
    })
  )
})

describe("S7 snapshot", () => {
  const snapshot = (xmin: bigint, xmax: bigint, ...xip: ReadonlyArray<bigint>) => ({ xmin, xmax, xip: new Set(xip) })

  it("a chunk is placed just below the first streamed commit that it does not see", () => {
    const visibility = new Visibility()
    visibility.committed(10, 100n)
    visibility.committed(12, 200n)
    visibility.committed(11, 300n)
    assert.strictEqual(visibility.place(snapshot(12n, 13n, 12n), 400n), 199n)
    assert.strictEqual(visibility.place(snapshot(13n, 13n), 500n), 499n)
  })

  it("transaction ids are compared across the wrap of their 32 bits", () => {
    const visibility = new Visibility()
    visibility.committed(0xffff_fffe, 100n)
    visibility.committed(3, 200n)
    assert.strictEqual(visibility.place(snapshot(0x1_ffff_ffffn, 0x2_0000_0003n), 300n), 199n)
  })

  it("while a transaction of before the session may have been streamed unseen, a chunk beats nothing", () => {
    const visibility = new Visibility()
    visibility.doubt([5n, 6n])
    assert.strictEqual(visibility.place(snapshot(5n, 9n, 5n), 300n), 0n)
    visibility.committed(5, 310n)
    assert.strictEqual(visibility.place(snapshot(5n, 9n, 5n), 400n), 309n)
  })
})
