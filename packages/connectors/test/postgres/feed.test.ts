import { assert, describe, it } from "@effect/vitest"
import { opUpsert } from "../../src/landing/Block.ts"
import { BlockBuilder, relation } from "../../src/landing/BlockBuilder.ts"
import { Feed, type Item, type Options } from "../../src/postgres/Feed.ts"
import * as Messages from "../fuzz/Messages.ts"
import { orders } from "./Fixture.ts"

const block = (bytes: number) => {
  const builder = new BlockBuilder(relation("public.notes", [{ name: "body", type: "text", key: true }]))
  builder.begin(opUpsert, 1n, 0, 0n)
  builder.value(0, Buffer.alloc(bytes, 0x61), 0, bytes)
  return builder.finish()
}

/** A feed whose items are gathered, and whether it is past its end. */
const feeding = (options: Pick<Options, "limits" | "through" | "isBoundLater">) => {
  const items: Array<Item> = []
  const end = { isPassed: false }
  const feed = new Feed({
    decoder: { tables: new Map([[orders.source, orders]]), typeName: () => "text" },
    after: 0n,
    snapshots: {},
    emit: (item) => items.push(item),
    onPassed: () => {
      end.isPassed = true
    },
    onCommit: () => {},
    onMessage: () => {},
    ...options
  })
  return { feed, items, end }
}

describe("feed", () => {
  it.each([0, 2, 4])(
    "a stream that is bound after %i of 10 rows of a transaction ends behind it, not within it",
    (at) => {
      const limits = { rowsMax: 3, bytesMax: 1e6, lingerMs: 20, idleMs: 1e4 }
      const { end, feed, items } = feeding({ limits, through: 500n, isBoundLater: true })
      const push = (message: Buffer) => feed.decode(message, 0, message.length)
      feed.keepalive(600n)
      push(Messages.relation)
      push(Messages.begin(1000n))
      for (let row = 0; row < at; row++) push(Messages.insert(String(row), "paid", null))
      feed.bind()
      for (let row = at; row < 10; row++) push(Messages.insert(String(row), "paid", null))
      assert.isFalse(end.isPassed)
      push(Messages.commit(1000n))
      assert.isTrue(end.isPassed)
      const rows = items
        .flatMap((item) => (item._tag === "End" ? [] : item.blocks))
        .reduce((sum, { rows }) => sum + rows, 0)
      assert.strictEqual(rows, 10)
      assert.strictEqual(items[0]?._tag === "Batch" && items[0].isOpen, true)
      assert.isTrue(items.some(({ _tag }) => _tag === "End"))
    }
  )

  it("rows of a snapshot are a batch as soon as they are many, whoever waits for it, and soon if they are few", () => {
    const limits = { rowsMax: 100, bytesMax: 1000, lingerMs: 200, idleMs: 10_000 }
    const { feed, items } = feeding({ limits, through: undefined, isBoundLater: false })
    const seen = () => items.splice(0).map((item) => item._tag === "Batch" && [item.through, item.blocks.length])
    feed.keepalive(10n)
    feed.add([block(400), block(400)], {})
    assert.deepStrictEqual(seen(), [])
    feed.keepalive(20n)
    feed.add([block(400)], {})
    assert.deepStrictEqual(seen(), [[20n, 3]])
    feed.keepalive(30n)
    feed.add([block(400)], {})
    feed.tick(0, true)
    feed.tick(199, true)
    feed.tick(200, false)
    assert.deepStrictEqual(seen(), [])
    feed.tick(201, true)
    assert.deepStrictEqual(seen(), [[30n, 1]])
  })
})
