import { assert, describe, it } from "@effect/vitest"
import { opUpsert } from "../../src/landing/Block.ts"
import { BlockBuilder, relation } from "../../src/landing/BlockBuilder.ts"
import { Feed, type Item } from "../../src/postgres/Feed.ts"

const block = (bytes: number) => {
  const builder = new BlockBuilder(relation("public.notes", [{ name: "body", type: "text", key: true }]))
  builder.begin(opUpsert, 1n, 0, 0n)
  builder.value(0, Buffer.alloc(bytes, 0x61), 0, bytes)
  return builder.finish()
}

describe("feed", () => {
  it("rows of a snapshot are a batch as soon as they are many, whoever waits for it, and soon if they are few", () => {
    const items: Array<Item> = []
    const feed = new Feed({
      decoder: { tables: new Map(), typeName: () => undefined },
      limits: { rowsMax: 100, bytesMax: 1000, lingerMs: 200, idleMs: 10_000 },
      after: 0n,
      snapshots: {},
      through: undefined,
      isBoundLater: false,
      emit: (item) => items.push(item),
      onPassed: () => {},
      onCommit: () => {},
      onMessage: () => {}
    })
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
